use keyway_wire::VarInt;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::{
    ACK_DELAY_LIMIT, PayloadError, UDP_PAYLOAD_MIN, VERSIONS_MAX,
    generated::{HandshakeInit, HandshakeResponse},
    payload::{INIT_PAYLOAD_LEN, RESP_PAYLOAD_LEN_MAX},
};

#[test]
fn the_longest_payloads_fit() {
    let payload = InitPayload {
        versions: vec![u32::MAX; VERSIONS_MAX],
        epoch: u64::MAX,
        instance: u64::MAX,
        counter: u64::MAX,
        generation: u64::MAX,
        incarnation: u64::MAX,
        remembered: Some(u64::MAX),
        slot: Slot::ALL[3],
        parameters: largest(),
        ..init_payload(alice().node_id())
    };
    let octets = payload.encode(ALICE).unwrap();
    assert_eq!(octets.len(), INIT_PAYLOAD_LEN);
    assert_eq!(InitPayload::decode(&octets), Ok((payload, ALICE)));
    // Beside it there is room for a membership proof of 512 octets and a delegation.
    assert!(octets.iter().rposition(|octet| *octet != 0).unwrap() < 300);

    let payload = RespPayload {
        versions: vec![u32::MAX; VERSIONS_MAX],
        epoch: u64::MAX,
        instance: u64::MAX,
        incarnation: u64::MAX,
        slot: Slot::ALL[3],
        parameters: largest(),
    };
    let octets = payload.encode(BOB).unwrap();
    assert!(octets.len() + 512 < RESP_PAYLOAD_LEN_MAX);
    assert_eq!(RespPayload::decode(&octets), Ok((payload, BOB)));
}

#[test]
fn lists_of_versions_have_bounds() {
    for count in [0, VERSIONS_MAX + 1] {
        let payload = InitPayload {
            versions: vec![1; count],
            ..init_payload(alice().node_id())
        };
        assert_eq!(payload.encode(ALICE), Err(PayloadError::Versions { count }));
        let payload = RespPayload {
            versions: vec![1; count],
            ..resp_payload()
        };
        assert_eq!(payload.encode(BOB), Err(PayloadError::Versions { count }));
        assert_eq!(
            init(|message| message.versions = vec![1; count]),
            Err(PayloadError::Versions { count })
        );
        assert_eq!(
            response(|message| message.versions = vec![1; count]),
            Err(PayloadError::Versions { count })
        );
    }
}

// R4.6
#[test]
fn parameters_outside_their_bounds_are_neither_said_nor_heard() {
    let above = VarInt::MAX.value() + 1;
    let too_long = ACK_DELAY_LIMIT;
    for (name, value, wrong) in [
        (
            "max_data",
            above,
            TransportParameters {
                max_data: above,
                ..parameters()
            },
        ),
        (
            "max_stream_data",
            above,
            TransportParameters {
                max_stream_data: above,
                ..parameters()
            },
        ),
        (
            "max_streams",
            u64::MAX,
            TransportParameters {
                max_streams: u64::MAX,
                ..parameters()
            },
        ),
        (
            "max_datagram",
            above,
            TransportParameters {
                max_datagram: above,
                ..parameters()
            },
        ),
        (
            "max_udp_payload",
            1_199,
            TransportParameters {
                max_udp_payload: UDP_PAYLOAD_MIN - 1,
                ..parameters()
            },
        ),
        (
            "max_udp_payload",
            above,
            TransportParameters {
                max_udp_payload: above,
                ..parameters()
            },
        ),
        (
            "max_ack_delay",
            16_384_000,
            TransportParameters {
                max_ack_delay: too_long,
                ..parameters()
            },
        ),
        (
            "max_ack_delay",
            u64::MAX,
            TransportParameters {
                max_ack_delay: Duration::MAX,
                ..parameters()
            },
        ),
    ] {
        let expected = PayloadError::Parameter { name, value };
        let said = RespPayload {
            parameters: wrong,
            ..resp_payload()
        };
        assert_eq!(said.encode(BOB), Err(expected));
        let heard = response(|message| {
            let parameters = message.parameters.as_mut().unwrap();
            parameters.max_data = wrong.max_data;
            parameters.max_stream_data = wrong.max_stream_data;
            parameters.max_streams = wrong.max_streams;
            parameters.max_datagram = wrong.max_datagram;
            parameters.max_udp_payload = wrong.max_udp_payload;
            parameters.max_ack_delay_us =
                u64::try_from(wrong.max_ack_delay.as_micros()).unwrap_or(u64::MAX);
        });
        assert_eq!(heard, Err(expected));
    }
}

// R4.6
#[test]
fn fields_of_the_wrong_length_or_value_are_refused() {
    for length in [0, 31, 33] {
        assert_eq!(
            init(|message| message.initiator = vec![1; length]),
            Err(PayloadError::NodeIdLength { length })
        );
    }
    assert!(matches!(
        init(|message| message.initiator = vec![0; 32]),
        Err(PayloadError::NodeId(_))
    ));
    for length in [0, 6, 8] {
        assert_eq!(
            init(|message| message.cid = vec![1; length]),
            Err(PayloadError::CidLength { length })
        );
        assert_eq!(
            response(|message| message.cid = vec![1; length]),
            Err(PayloadError::CidLength { length })
        );
    }
    for slot in [4, 256, u32::MAX] {
        assert_eq!(
            init(|message| message.slot = slot),
            Err(PayloadError::Slot { slot })
        );
        assert_eq!(
            response(|message| message.slot = slot),
            Err(PayloadError::Slot { slot })
        );
    }
    assert_eq!(
        init(|message| message.parameters = None),
        Err(PayloadError::NoParameters)
    );
    assert_eq!(
        response(|message| message.parameters = None),
        Err(PayloadError::NoParameters)
    );
}

// R4.6
#[test]
fn fields_of_later_versions_are_ignored() {
    let payload = resp_payload();
    let mut octets = payload.encode(BOB).unwrap();
    // Field 1000, four octets.
    octets.extend([0xc2, 0x3e, 4, 1, 2, 3, 4]);
    let length = u16::try_from(octets.len() - 2).unwrap();
    octets[..2].copy_from_slice(&length.to_be_bytes());
    assert_eq!(RespPayload::decode(&octets), Ok((payload, BOB)));
}

// R4.6
#[test]
fn padding_is_not_looked_at() {
    let payload = init_payload(alice().node_id());
    let mut octets = payload.encode(ALICE).unwrap();
    *octets.last_mut().unwrap() = 1;
    assert_eq!(InitPayload::decode(&octets), Ok((payload, ALICE)));
}

#[test]
fn a_length_beyond_the_end_is_refused() {
    let octets = resp_payload().encode(BOB).unwrap();
    for length in 0..octets.len() {
        assert_eq!(
            RespPayload::decode(&octets[..length]),
            Err(PayloadError::Truncated),
            "length {length}"
        );
    }
    assert_eq!(
        InitPayload::decode(&[0xff; INIT_PAYLOAD_LEN]),
        Err(PayloadError::Truncated)
    );
}

#[test]
fn what_is_no_protobuf_is_refused() {
    assert_eq!(
        RespPayload::decode(&[0, 2, 0x0a, 0x7f]),
        Err(PayloadError::Protobuf)
    );
}

proptest! {
    // P4, L6
    #[test]
    fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..INIT_PAYLOAD_LEN)) {
        let _ = InitPayload::decode(&octets);
        let _ = RespPayload::decode(&octets);
        let framed = [&u16::try_from(octets.len()).unwrap().to_be_bytes()[..], &octets].concat();
        let _ = InitPayload::decode(&framed);
        let _ = RespPayload::decode(&framed);
    }

    #[test]
    fn what_is_said_is_heard(
        versions in proptest::collection::vec(any::<u32>(), 1..=VERSIONS_MAX),
        numbers: [u64; 6],
        remembered: Option<u64>,
        slot in 0..4_usize,
        cid: [u8; 7],
        max in 0..=VarInt::MAX.value(),
        max_ack_delay in 0..16_384_000_u64,
    ) {
        let [epoch, instance, counter, generation, incarnation, _] = numbers;
        let parameters = TransportParameters {
            max_data: max,
            max_streams: max / 2,
            max_ack_delay: Duration::from_micros(max_ack_delay),
            ..parameters()
        };
        let (initiator, slot, cid) = (alice().node_id(), Slot::ALL[slot], Cid::new(cid));
        let payload = InitPayload {
            initiator, versions, epoch, instance, counter, generation, incarnation, remembered, slot, parameters,
        };
        prop_assert_eq!(InitPayload::decode(&payload.encode(cid).unwrap()), Ok((payload, cid)));
    }
}

fn largest() -> TransportParameters {
    TransportParameters {
        max_data: VarInt::MAX.value(),
        max_stream_data: VarInt::MAX.value(),
        max_streams: VarInt::MAX.value(),
        max_datagram: VarInt::MAX.value(),
        max_udp_payload: VarInt::MAX.value(),
        max_ack_delay: ACK_DELAY_LIMIT - Duration::from_micros(1),
    }
}

/// What a receiver makes of an INIT's payload that was changed before it was sealed.
fn init(change: impl FnOnce(&mut HandshakeInit)) -> Result<(InitPayload, Cid), PayloadError> {
    let octets = init_payload(alice().node_id()).encode(ALICE).unwrap();
    InitPayload::decode(&changed(&octets, change))
}

/// The same for a RESP.
fn response(
    change: impl FnOnce(&mut HandshakeResponse),
) -> Result<(RespPayload, Cid), PayloadError> {
    RespPayload::decode(&changed(&resp_payload().encode(BOB).unwrap(), change))
}

fn changed<M: Message + Default>(octets: &[u8], change: impl FnOnce(&mut M)) -> Vec<u8> {
    let (length, rest) = octets.split_first_chunk::<2>().unwrap();
    let length = usize::from(u16::from_be_bytes(*length));
    let mut message = M::decode(&rest[..length]).unwrap();
    change(&mut message);
    let protobuf = message.encode_to_vec();
    [
        &u16::try_from(protobuf.len()).unwrap().to_be_bytes()[..],
        &protobuf,
    ]
    .concat()
}
