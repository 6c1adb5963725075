//! What a client believes, and what it makes of servers that lie.

use std::time::Duration;

use keyway_identity::{Signable, Signature};

use super::*;
use crate::generated;
use crate::record::tests::{NOW, key, record, signed};

const NODE: u8 = 2;

/// A client, and the one who plays its server.
struct World {
    client: ClientHalf,
    seen: SeenRecords,
    now: Time,
}

impl World {
    fn connected() -> Self {
        let mut client = ClientHalf::new();
        client.connected();
        Self {
            client,
            seen: SeenRecords::default(),
            now: Time::from_micros(1),
        }
    }

    fn say(&mut self, message: ToClient) -> Vec<ClientEvent> {
        let mut bytes = Vec::new();
        append(&message.into_wire(), &mut bytes);
        self.client
            .handle_bytes(NOW, &mut self.seen, &bytes)
            .unwrap();
        self.events()
    }

    fn events(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// What the client sent.
    fn heard(&mut self) -> Vec<ToServer> {
        let mut reader = MessageReader::default();
        reader.push(&self.client.poll_output().unwrap_or_default());
        std::iter::from_fn(|| reader.next().unwrap())
            .map(|message| ToServer::parse(message).unwrap())
            .collect()
    }

    fn lookup(&mut self) -> RequestId {
        self.client.lookup(self.now, key(NODE).node_id())
    }

    fn open(&mut self) -> RequestId {
        self.client.open(self.now, key(NODE).node_id(), b"init")
    }
}

fn token(fill: u8) -> Token {
    Token::new([fill; 8])
}

fn found(request: RequestId, record: &Signed<Record>) -> ToClient {
    ToClient::Found {
        request,
        record: record.bytes().to_vec(),
        signature: *record.signature(),
    }
}

fn refused(request: RequestId, reason: Refusal) -> ClientEvent {
    ClientEvent::Refused {
        request,
        peer: key(NODE).node_id(),
        reason,
    }
}

#[test]
fn requests_are_sent_as_they_are_made() {
    let mut world = World::connected();
    let (lookup, open) = (world.lookup(), world.open());
    assert_ne!(lookup, open);
    let record = signed(1, record(1, 1, 1));
    world.client.publish(&record);
    let node = key(NODE).node_id();
    let expected = [
        ToServer::Lookup {
            request: lookup,
            node,
        },
        ToServer::Open {
            request: open,
            peer: node,
            first_packet: b"init".to_vec(),
        },
        ToServer::Publish {
            record: record.bytes().to_vec(),
            signature: *record.signature(),
        },
    ];
    assert_eq!(world.heard(), expected);
    assert_eq!(world.heard(), []);
}

#[test]
fn a_verified_record_answers_the_look_up() {
    let mut world = World::connected();
    let request = world.lookup();
    let record = signed(NODE, record(NODE, 1, 1));
    let expected = ClientEvent::Record {
        request,
        record: Box::new(record.clone()),
    };
    assert_eq!(world.say(found(request, &record)), [expected]);
    assert_eq!(world.say(found(request, &record)), [], "once");
    assert_eq!(world.client.poll_timeout(), None);
}

// V1, R10.3
#[test]
fn a_record_of_another_node_or_with_another_signature_is_a_lie() {
    let mut world = World::connected();
    let request = world.lookup();
    let other = signed(3, record(3, 1, 1));
    assert_eq!(
        world.say(found(request, &other)),
        [refused(request, Refusal::Invalid)]
    );

    let request = world.lookup();
    let bytes = record(NODE, 1, 1).to_bytes();
    let forged = ToClient::Found {
        request,
        signature: key(3).sign(Record::CONTEXT, &bytes),
        record: bytes,
    };
    assert_eq!(world.say(forged), [refused(request, Refusal::Invalid)]);

    let request = world.lookup();
    let nonsense = ToClient::Found {
        request,
        record: vec![0xff; 10],
        signature: Signature::from_bytes([0; 64]),
    };
    assert_eq!(world.say(nonsense), [refused(request, Refusal::Invalid)]);
}

// V2, V5, R10.3
#[test]
fn an_older_record_than_one_that_was_seen_is_refused() {
    let mut world = World::connected();
    let request = world.lookup();
    world.say(found(request, &signed(NODE, record(NODE, 5, 5))));
    for (epoch, sequence) in [(5, 4), (4, 9)] {
        let request = world.lookup();
        let old = signed(NODE, record(NODE, epoch, sequence));
        assert_eq!(
            world.say(found(request, &old)),
            [refused(request, Refusal::WentBack)]
        );
    }
}

#[test]
fn a_record_out_of_its_time_is_refused_and_not_remembered() {
    let mut world = World::connected();
    let request = world.lookup();
    let mut expired = record(NODE, 9, 9);
    (expired.issued, expired.expiry) = (Wall(1), Wall(300));
    let answer = world.say(found(request, &signed(NODE, expired)));
    assert_eq!(answer, [refused(request, Refusal::OutOfTime)]);
    let request = world.lookup();
    let answer = world.say(found(request, &signed(NODE, record(NODE, 1, 1))));
    assert!(
        matches!(answer[..], [ClientEvent::Record { .. }]),
        "{answer:?}"
    );
}

#[test]
fn answers_to_nothing_and_of_the_wrong_kind_are_ignored() {
    let mut world = World::connected();
    let (lookup, open) = (world.lookup(), world.open());
    let record = signed(NODE, record(NODE, 1, 1));
    assert_eq!(world.say(found(RequestId(99), &record)), []);
    assert_eq!(world.say(found(open, &record)), []);
    assert_eq!(world.say(ToClient::NotFound { request: open }), []);
    assert_eq!(
        world.say(ToClient::Opened {
            request: lookup,
            token: token(1)
        }),
        []
    );
    assert_eq!(world.say(ToClient::ChannelClosed { token: token(9) }), []);
    assert_eq!(world.say(ToClient::Unknown), []);
    let node = key(NODE).node_id();
    let answer = world.say(ToClient::NotFound { request: lookup });
    assert_eq!(
        answer,
        [ClientEvent::NotFound {
            request: lookup,
            node
        }]
    );
}

// V5
#[test]
fn a_server_that_does_not_answer_is_given_up_after_three_seconds() {
    let mut world = World::connected();
    let first = world.lookup();
    world.now += Duration::from_secs(1);
    let second = world.open();
    assert_eq!(
        world.client.poll_timeout(),
        Some(Time::from_micros(1) + REQUEST_TIMEOUT)
    );
    world.client.handle_timeout(Time::ZERO + REQUEST_TIMEOUT);
    assert_eq!(world.events(), []);
    world
        .client
        .handle_timeout(Time::from_micros(1) + REQUEST_TIMEOUT);
    assert_eq!(world.events(), [refused(first, Refusal::TimedOut)]);
    world.client.handle_timeout(world.now + REQUEST_TIMEOUT);
    assert_eq!(world.events(), [refused(second, Refusal::TimedOut)]);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn a_channel_that_opens_too_late_is_the_answer_to_the_next_request() {
    let mut world = World::connected();
    let late = world.open();
    world.client.handle_timeout(world.now + REQUEST_TIMEOUT);
    world.events();
    assert_eq!(
        world.say(ToClient::Opened {
            request: late,
            token: token(1)
        }),
        []
    );
    let request = world.open();
    let peer = key(NODE).node_id();
    let opened = ClientEvent::Opened {
        request,
        peer,
        token: token(1),
    };
    assert_eq!(
        world.say(ToClient::Opened {
            request,
            token: token(1)
        }),
        [opened]
    );
}

#[test]
fn everything_ends_with_the_stream() {
    let mut world = World::connected();
    let peer = key(NODE).node_id();
    world.say(ToClient::Offered {
        peer,
        token: token(1),
        first_packet: vec![],
    });
    let request = world.lookup();
    world.client.disconnected();
    let expected = [
        ClientEvent::ChannelClosed { token: token(1) },
        refused(request, Refusal::Disconnected),
    ];
    assert_eq!(world.events(), expected);
    assert_eq!(world.heard(), []);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn without_a_stream_requests_fail_at_once_and_nothing_is_sent() {
    let mut world = World::connected();
    world.client.disconnected();
    let (lookup, open) = (world.lookup(), world.open());
    world.client.publish(&signed(1, record(1, 1, 1)));
    let expected = [
        refused(lookup, Refusal::Disconnected),
        refused(open, Refusal::Disconnected),
    ];
    assert_eq!(world.events(), expected);
    assert_eq!(world.heard(), []);
}

#[test]
fn half_a_message_of_an_old_stream_does_not_spoil_the_next_one() {
    let mut world = World::connected();
    world
        .client
        .handle_bytes(NOW, &mut world.seen, &[0, 200, 1, 2, 3])
        .unwrap();
    world.client.connected();
    world.client.publish(&signed(1, record(1, 1, 2)));
    let published = ClientEvent::Published {
        epoch: 1,
        sequence: 2,
    };
    assert_eq!(
        world.say(ToClient::Published {
            epoch: 1,
            sequence: 2
        }),
        [published]
    );
}

// F8
#[test]
fn a_server_speaks_of_each_record_once_and_of_none_that_it_was_not_given() {
    let mut world = World::connected();
    let refused = || ToClient::NotPublished {
        reason: generated::PublishRefusal::Full,
        server_time: NOW,
    };
    let event = ClientEvent::NotPublished {
        reason: PublishFailure::Full,
    };
    assert_eq!(world.say(refused()), []);
    world.client.publish(&signed(1, record(1, 1, 1)));
    world.client.publish(&signed(1, record(1, 1, 2)));
    assert_eq!(world.say(refused()), std::slice::from_ref(&event));
    assert_eq!(world.say(refused()), [event]);
    assert_eq!(world.say(refused()), []);
    let (epoch, sequence) = (1, 2);
    assert_eq!(world.say(ToClient::Published { epoch, sequence }), []);
    assert_eq!(world.say(ToClient::Stale { epoch, sequence }), []);
}

#[test]
fn an_offer_is_passed_on_and_can_be_closed_once() {
    let mut world = World::connected();
    let peer = key(NODE).node_id();
    let first_packet = vec![4; 1120];
    let offer = ToClient::Offered {
        peer,
        token: token(1),
        first_packet: first_packet.clone(),
    };
    let event = ClientEvent::Offered {
        peer,
        token: token(1),
        first_packet,
    };
    assert_eq!(world.say(offer.clone()), std::slice::from_ref(&event));
    assert_eq!(world.say(offer), [event], "again, with another packet");
    world.client.close_channel(token(1));
    world.client.close_channel(token(1));
    assert_eq!(world.heard(), [ToServer::CloseChannel { token: token(1) }]);
    assert_eq!(world.say(ToClient::ChannelClosed { token: token(1) }), []);
}

#[test]
fn a_server_cannot_make_a_client_keep_channels_without_end() {
    let mut world = World::connected();
    let peer = key(NODE).node_id();
    let mut kept = 0;
    for number in 0..2000u64 {
        let token = Token::new(number.to_be_bytes());
        kept += world
            .say(ToClient::Offered {
                peer,
                token,
                first_packet: vec![],
            })
            .len();
    }
    assert_eq!(kept, 512);
    assert_eq!(world.heard().len(), 2000 - 512, "the others are closed");
    let request = world.open();
    let answer = world.say(ToClient::Opened {
        request,
        token: token(1),
    });
    assert_eq!(answer, [refused(request, Refusal::TooManyChannels)]);
}

#[test]
fn requests_without_answers_are_bounded() {
    let mut world = World::connected();
    let requests: Vec<_> = (0..300).map(|_| world.lookup()).collect();
    let refusals = world.events();
    assert_eq!(refusals.len(), 300 - 256);
    assert_eq!(
        refusals[0],
        refused(requests[256], Refusal::TooManyRequests)
    );
    assert_eq!(world.heard().len(), 256);
}

#[test]
fn the_server_says_why_a_record_is_not_stored() {
    let mut world = World::connected();
    let failure = |reason| [ClientEvent::NotPublished { reason }];
    let server_time = Wall(5);
    for (reason, expected) in [
        (
            generated::PublishRefusal::Clock,
            PublishFailure::Clock { server_time },
        ),
        (generated::PublishRefusal::Full, PublishFailure::Full),
        (generated::PublishRefusal::Busy, PublishFailure::Busy),
        (generated::PublishRefusal::Invalid, PublishFailure::Invalid),
        (
            generated::PublishRefusal::Unspecified,
            PublishFailure::Invalid,
        ),
    ] {
        world.client.publish(&signed(1, record(1, 1, 1)));
        let answer = world.say(ToClient::NotPublished {
            reason,
            server_time,
        });
        assert_eq!(answer, failure(expected));
    }
}

#[test]
fn a_server_that_speaks_something_else_is_an_error() {
    let mut world = World::connected();
    let outcome = world
        .client
        .handle_bytes(NOW, &mut world.seen, b"HTTP/1.1 400 Bad Request");
    assert_eq!(outcome, Err(ProtocolError::TooLong { length: 0x4854 }));
}

// R10.13
#[test]
fn a_channel_that_this_end_just_closed_does_not_come_back_by_what_the_server_said_before_it_heard()
{
    let mut world = World::connected();
    let offered = |fill: u8| ToClient::Offered {
        peer: key(NODE).node_id(),
        token: token(fill),
        first_packet: Vec::new(),
    };
    assert_eq!(world.say(offered(1)).len(), 1);
    let request = world.open();
    world.client.close_channel(token(1));
    world.heard();
    assert_eq!(world.say(offered(1)), []);
    let opened = ToClient::Opened {
        request,
        token: token(1),
    };
    assert_eq!(world.say(opened), [refused(request, Refusal::JustClosed)]);
    assert_eq!(world.heard(), [], "it was closed already");
    assert_eq!(world.say(offered(2)).len(), 1, "another one is welcome");
    // A server that lost all begins anew.
    world.client.connected();
    world.events();
    assert_eq!(world.say(offered(1)).len(), 1);
}

// R10.13
#[test]
fn a_channel_that_is_closed_between_two_events_about_it_does_not_come_back_by_the_second() {
    let mut world = World::connected();
    let request = world.open();
    let mut bytes = Vec::new();
    let messages = [
        ToClient::Offered {
            peer: key(NODE).node_id(),
            token: token(1),
            first_packet: Vec::new(),
        },
        ToClient::Opened {
            request,
            token: token(1),
        },
        ToClient::Offered {
            peer: key(NODE).node_id(),
            token: token(1),
            first_packet: b"init".to_vec(),
        },
    ];
    for message in messages {
        append(&message.into_wire(), &mut bytes);
    }
    world
        .client
        .handle_bytes(NOW, &mut world.seen, &bytes)
        .unwrap();
    assert!(matches!(
        world.client.poll_event(),
        Some(ClientEvent::Offered { .. })
    ));
    world.client.close_channel(token(1));
    assert_eq!(world.events(), [refused(request, Refusal::JustClosed)]);
}
