use keyway_wire::{Cid, DATA_HEADER_LEN, TAG_LEN};

use super::*;

const LINGER: Duration = Duration::from_millis(900);
const SEQUENCE: CidSequence = CidSequence(0);

/// The two ends of a handshake of which the parties differ in nothing but their keys.
fn handshake(octet: u8) -> (Session, Session) {
    let split = ([octet; 32], [octet ^ 0xff; 32]);
    let end = |role| Session::dangerous_from_split(role, [octet; 32], split);
    (end(Role::Initiator), end(Role::Responder))
}

fn sessions() -> Sessions {
    Sessions::new(SessionTimes {
        lifetime: Duration::from_secs(180),
        half_open_lifetime: Duration::from_secs(10),
        rekey_after: Duration::from_secs(120),
        rekey_after_as_responder: Duration::from_secs(150),
        limits: Limits {
            packets_per_phase: 4,
            ..Limits::default()
        },
    })
}

fn slot(index: u8) -> Slot {
    Slot::new(index).expect("below four")
}

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

/// Two ends joined by handshakes; both use the same slot numbers.
struct Ends {
    initiator: Sessions,
    responder: Sessions,
    number: u64,
}

impl Ends {
    fn new() -> Self {
        Self {
            initiator: sessions(),
            responder: sessions(),
            number: 0,
        }
    }

    fn shake(&mut self, now: Time, octet: u8, generation: u64, at_slot: u8) {
        let (initiator, responder) = handshake(octet);
        self.initiator
            .install(now, initiator, generation, slot(at_slot), slot(at_slot));
        self.responder
            .install(now, responder, generation, slot(at_slot), slot(at_slot));
    }

    /// One packet from the initiator; what the responder said to it.
    fn send(&mut self, now: Time) -> Result<bool, SessionOpenError> {
        self.number += 1;
        packet(&mut self.initiator, &mut self.responder, now, self.number)
    }

    fn reply(&mut self, now: Time) -> Result<bool, SessionOpenError> {
        self.number += 1;
        packet(&mut self.responder, &mut self.initiator, now, self.number)
    }
}

fn packet(
    from: &mut Sessions,
    to: &mut Sessions,
    now: Time,
    number: u64,
) -> Result<bool, SessionOpenError> {
    let live = from.sealing(now).ok_or(SessionOpenError::NoSession)?;
    let (slot, phase) = live.header_bits();
    let header = DataHeader {
        slot,
        phase,
        cid: Cid::new([1; Cid::LEN]),
        number,
    };
    let mut octets = [0; DATA_HEADER_LEN];
    header.emit(&mut octets);
    let mut sealed = [0x55; 5 + TAG_LEN];
    live.seal(&octets, SEQUENCE, number, &mut sealed)
        .expect("few packets");
    let opened = to.open(now, &header, SEQUENCE, &octets, &mut sealed)?;
    assert_eq!(opened.payload, [0x55; 5]);
    Ok(opened.confirmed)
}

// R4.18
#[test]
fn a_responder_seals_nothing_until_the_first_packet_came() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    assert!(ends.initiator.can_seal() && !ends.responder.can_seal());
    assert_eq!(ends.reply(at(1)), Err(SessionOpenError::NoSession));
    assert_eq!(ends.send(at(2)), Ok(true));
    assert_eq!(ends.send(at(3)), Ok(false));
    assert_eq!(ends.reply(at(4)), Ok(false));
}

// R4.22, R4.23
#[test]
fn both_sides_turn_to_the_next_generation() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(1)).expect("confirms");
    ends.shake(at(100), 9, 2, 1);
    assert_eq!(
        (ends.initiator.generation(), ends.responder.generation()),
        (Some(2), Some(1))
    );
    assert_eq!(
        ends.reply(at(101)),
        Ok(false),
        "the old session still opens"
    );
    assert_eq!(ends.send(at(102)), Ok(true));
    assert_eq!(ends.responder.generation(), Some(2));
}

// R4.23
#[test]
fn simultaneous_handshakes_settle_on_the_smaller_hash_on_both_sides() {
    for (first, second) in [(3, 7), (7, 3)] {
        let mut ends = Ends::new();
        ends.shake(at(0), first, 1, 0);
        let (initiator, responder) = handshake(second);
        // The other side asked at the same time: roles are the other way round.
        ends.responder
            .install(at(0), initiator, 1, slot(1), slot(1));
        ends.initiator
            .install(at(0), responder, 1, slot(1), slot(1));
        assert_eq!(ends.send(at(1)), Ok(true));
        assert!(ends.reply(at(1)).is_ok());
        ends.reply(at(2)).expect("each has confirmed the other");
        ends.send(at(2)).expect("each has confirmed the other");
        let hash = |sessions: &Sessions| {
            *sessions
                .sealing_session()
                .expect("confirmed")
                .session
                .hash()
        };
        assert_eq!(
            (hash(&ends.initiator), hash(&ends.responder)),
            ([3; 32], [3; 32])
        );
    }
}

// R4.24
#[test]
fn the_previous_session_opens_until_three_ptos_after_the_next_one_was_used() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(1)).expect("confirms");
    let (initiator, _lost) = handshake(9);
    ends.initiator
        .install(at(1000), initiator, 2, slot(1), slot(1));
    ends.initiator.handle_timeout(at(60_000), LINGER);
    assert_eq!(
        ends.reply(at(60_000)),
        Ok(false),
        "the peer never heard of the next one"
    );
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(1)).expect("confirms");
    ends.shake(at(1000), 9, 2, 1);
    ends.send(at(1001)).expect("confirms");
    assert_eq!(ends.responder.next_timeout(LINGER), Some(at(1901)));
    ends.responder.handle_timeout(at(1900), LINGER);
    assert_eq!(ends.responder.live().count(), 2);
    ends.responder.handle_timeout(at(1901), LINGER);
    assert_eq!(ends.responder.live().count(), 1);
}

// R4.19
#[test]
fn an_answer_that_nobody_confirms_is_dropped_and_a_newer_one_replaces_it() {
    let mut responder = sessions();
    responder.install(at(0), handshake(1).1, 1, slot(0), slot(0));
    responder.install(at(5), handshake(2).1, 1, slot(1), slot(1));
    assert_eq!(responder.live().count(), 1);
    assert_eq!(responder.next_timeout(LINGER), Some(at(10_005)));
    responder.handle_timeout(at(10_005), LINGER);
    assert_eq!(responder.live().count(), 0);
    assert_eq!(responder.next_timeout(LINGER), None);
}

// R4.19
#[test]
fn an_answer_that_is_given_again_waits_again() {
    let mut responder = sessions();
    responder.install(at(0), handshake(1).1, 1, slot(0), slot(0));
    responder.on_answered(at(6_000));
    assert_eq!(responder.next_timeout(LINGER), Some(at(16_000)));
    responder.handle_timeout(at(15_999), LINGER);
    assert_eq!(responder.live().count(), 1);
}

// R4.25
#[test]
fn there_is_a_slot_for_every_handshake_that_may_be_under_way() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(0)).expect("confirms");
    ends.shake(at(1), 2, 2, 1);
    ends.send(at(1)).expect("confirms");
    let pending = ends.responder.free_slot().expect("two are in use");
    assert!(ends.responder.reserve(pending));
    let answer = ends.responder.free_slot().expect("one is left");
    ends.responder
        .install(at(2), handshake(3).1, 3, answer, slot(0));
    assert_eq!(
        ends.responder.free_slot(),
        Some(answer),
        "a newer answer replaces an unconfirmed one"
    );
    ends.responder.release(pending);
    assert_eq!(ends.responder.free_slot(), Some(pending));
}

// R7.9
#[test]
fn a_session_ends_at_its_age_whatever_happens() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(1)).expect("confirms");
    assert_eq!(ends.send(at(179_999)), Ok(false));
    assert_eq!(ends.send(at(180_000)), Err(SessionOpenError::NoSession));
    assert_eq!(ends.initiator.next_timeout(LINGER), Some(at(180_000)));
    ends.initiator.handle_timeout(at(180_000), LINGER);
    assert!(!ends.initiator.can_seal());
}

#[test]
fn the_initiator_asks_for_new_keys_before_the_responder() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    ends.send(at(1)).expect("confirms");
    assert_eq!(ends.initiator.rekey_due(), Some(at(120_000)));
    assert_eq!(ends.responder.rekey_due(), Some(at(150_000)));
}

// T7, R7.4: key phases, with a limit of four packets.
#[test]
fn a_key_phase_ends_only_when_it_was_acknowledged_three_ptos_ago() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    for _ in 0..4 {
        ends.send(at(1)).expect("in phase 0");
    }
    let tag = ends.initiator.sealing(at(1)).expect("confirmed").tag();
    assert_eq!(
        ends.initiator.next_timeout(LINGER),
        Some(at(180_000)),
        "nothing was acknowledged"
    );
    ends.initiator
        .on_acked(at(2), KeyTag(tag.0.wrapping_add(1)));
    assert_eq!(
        ends.initiator.next_timeout(LINGER),
        Some(at(180_000)),
        "another key's packet"
    );
    ends.initiator.on_acked(at(2), tag);
    assert_eq!(ends.initiator.next_timeout(LINGER), Some(at(902)));
    ends.initiator.handle_timeout(at(901), LINGER);
    assert!(
        !ends
            .initiator
            .sealing(at(901))
            .expect("confirmed")
            .header_bits()
            .1
    );
    ends.initiator.handle_timeout(at(902), LINGER);
    assert!(
        ends.initiator
            .sealing(at(902))
            .expect("confirmed")
            .header_bits()
            .1
    );
    assert_eq!(ends.send(at(903)), Ok(false));
    assert_eq!(
        ends.responder.next_timeout(LINGER),
        Some(at(1803)),
        "the old phase is forgotten"
    );
    ends.responder.handle_timeout(at(1803), LINGER);
    assert_eq!(ends.send(at(1804)), Ok(false));
}

// R1.2
#[test]
fn what_is_not_authentic_changes_nothing() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    let cid = Cid::new([1; Cid::LEN]);
    let header = DataHeader {
        slot: slot(0),
        phase: false,
        cid,
        number: 5,
    };
    let mut octets = [0; DATA_HEADER_LEN];
    header.emit(&mut octets);
    let mut sealed = [9; 40];
    let forged = ends
        .responder
        .open(at(1), &header, SEQUENCE, &octets, &mut sealed);
    assert_eq!(
        forged,
        Err(SessionOpenError::Key(OpenError::Unauthenticated))
    );
    assert!(!ends.responder.can_seal(), "it confirms nothing");
    let elsewhere = DataHeader {
        slot: slot(3),
        ..header
    };
    let stray = ends
        .responder
        .open(at(1), &elsewhere, SEQUENCE, &octets, &mut sealed);
    assert_eq!(stray, Err(SessionOpenError::NoSession));
}

#[test]
fn what_does_not_open_wakes_no_session_that_rests() {
    let mut ends = Ends::new();
    ends.shake(at(0), 1, 1, 0);
    assert!(ends.responder.is_at_rest());
    assert_eq!(ends.send(at(1)), Ok(true));
    assert!(!ends.responder.is_at_rest());
    ends.responder.rest();
    let mut stranger = sessions();
    stranger.install(at(0), handshake(9).0, 1, slot(0), slot(0));
    assert_eq!(
        packet(&mut stranger, &mut ends.responder, at(2), 7),
        Err(SessionOpenError::Key(OpenError::Unauthenticated))
    );
    assert!(ends.responder.is_at_rest());
    assert_eq!(ends.send(at(3)), Ok(false));
    assert!(!ends.responder.is_at_rest());
}
