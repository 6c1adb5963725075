use keyway_wire::{CidSequence, PACKET_NUMBER_MAX, TAG_LEN};
use proptest::prelude::*;

use super::*;

const SEQUENCE: CidSequence = CidSequence(3);

#[test]
fn what_one_side_seals_the_other_opens_in_both_directions() {
    let (mut initiator, mut responder) = pair();
    let mut packet = Packet::seal(&mut initiator, 0, b"from the initiator");
    assert_eq!(
        packet.open(&mut responder),
        Ok((b"from the initiator".to_vec(), false))
    );
    let mut packet = Packet::seal(&mut responder, 0, b"");
    assert_eq!(packet.open(&mut initiator), Ok((Vec::new(), false)));
    assert_eq!(initiator.sealed_in_phase(), 1);
}

#[test]
fn the_two_directions_have_different_keys() {
    let (mut initiator, mut responder) = pair();
    let one_way = Packet::seal(&mut initiator, 0, b"the same");
    let other_way = Packet::seal(&mut responder, 0, b"the same");
    assert_ne!(one_way.sealed, other_way.sealed);
    // A packet reflected to its sender does not open.
    assert_eq!(
        one_way.clone().open(&mut initiator),
        Err(OpenError::Unauthenticated)
    );
}

// R7.1
#[test]
fn each_number_and_each_sequence_has_its_own_nonce() {
    let (mut initiator, _) = pair();
    let mut seen = std::collections::BTreeSet::new();
    for sequence in [0, 1, u32::MAX] {
        for number in [0, 1, 1 << 32, PACKET_NUMBER_MAX] {
            let mut buffer = [0; 24];
            initiator
                .seal(b"header", CidSequence(sequence), number, &mut buffer)
                .unwrap();
            assert!(seen.insert(buffer), "sequence {sequence}, number {number}");
        }
    }
}

// R7.2
#[test]
fn a_packet_opens_only_under_its_own_sequence_and_number() {
    let (mut initiator, mut responder) = pair();
    let packet = Packet::seal(&mut initiator, 7, b"payload");
    for (sequence, number) in [
        (SEQUENCE, 8),
        (CidSequence(2), 7),
        (CidSequence(0), 7 | 3 << 32),
    ] {
        let mut sealed = packet.sealed.clone();
        let opened = responder.open(false, &packet.header, sequence, number, &mut sealed);
        assert_eq!(opened, Err(OpenError::Unauthenticated));
    }
    assert!(packet.clone().open(&mut responder).is_ok());
}

// P5
#[test]
fn every_bit_of_the_header_is_authenticated() {
    let (mut initiator, mut responder) = pair();
    let packet = Packet::seal(&mut initiator, 7, b"payload");
    for bit in 0..packet.header.len() * 8 {
        let mut changed = packet.clone();
        changed.header[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            changed.open(&mut responder),
            Err(OpenError::Unauthenticated),
            "bit {bit}"
        );
    }
    let mut longer = packet.clone();
    longer.header.push(0);
    assert_eq!(longer.open(&mut responder), Err(OpenError::Unauthenticated));
    assert!(packet.clone().open(&mut responder).is_ok());
}

// P4
#[test]
fn every_flipped_bit_and_every_shorter_length_is_refused() {
    let (mut initiator, mut responder) = pair();
    let packet = Packet::seal(&mut initiator, 7, b"payload");
    for bit in 0..packet.sealed.len() * 8 {
        let mut changed = packet.clone();
        changed.sealed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            changed.open(&mut responder),
            Err(OpenError::Unauthenticated),
            "bit {bit}"
        );
    }
    for length in 0..packet.sealed.len() {
        let mut shorter = packet.clone();
        shorter.sealed.truncate(length);
        assert_eq!(
            shorter.open(&mut responder),
            Err(OpenError::Unauthenticated),
            "length {length}"
        );
    }
    assert!(packet.clone().open(&mut responder).is_ok());
}

// P7, R7.2
#[test]
fn a_buffer_that_failed_to_open_is_wiped() {
    let (mut initiator, mut responder) = pair();
    let damaged = |initiator: &mut Session, number| {
        let mut packet = Packet::seal(initiator, number, &[0xa5; 200]);
        *packet.sealed.last_mut().unwrap() ^= 1;
        packet
    };
    // Under the current phase; under the next; under previous and next; and when nothing is opened any more.
    let mut packet = damaged(&mut initiator, 0);
    assert_eq!(packet.open(&mut responder), Err(OpenError::Unauthenticated));
    assert_eq!(packet.sealed, vec![0; 216]);

    initiator.ratchet();
    let mut packet = damaged(&mut initiator, 1);
    assert_eq!(packet.open(&mut responder), Err(OpenError::Unauthenticated));
    assert_eq!(packet.sealed, vec![0; 216]);

    assert!(
        Packet::seal(&mut initiator, 2, b"next")
            .open(&mut responder)
            .is_ok()
    );
    initiator.ratchet();
    let mut packet = damaged(&mut initiator, 3);
    assert_eq!(packet.open(&mut responder), Err(OpenError::Unauthenticated));
    assert_eq!(packet.sealed, vec![0; 216]);

    let mut short = [0xa5; TAG_LEN - 1];
    assert!(
        responder
            .open(true, b"header", SEQUENCE, 4, &mut short)
            .is_err()
    );
    assert_eq!(short, [0; TAG_LEN - 1]);

    responder.set_limits(Limits {
        failed_opens: 0,
        ..Limits::default()
    });
    let mut packet = Packet::seal(&mut initiator, 5, &[0xa5; 200]);
    assert_eq!(packet.open(&mut responder), Err(OpenError::Retired));
    assert_eq!(packet.sealed, vec![0; 216]);
}

// R7.6
#[test]
fn the_receiver_follows_a_ratchet_once() {
    let (mut initiator, mut responder) = pair();
    assert!(!initiator.send_phase());
    initiator.ratchet();
    assert!(initiator.send_phase());
    assert_eq!(
        Packet::seal(&mut initiator, 0, b"a").open(&mut responder),
        Ok((b"a".to_vec(), true))
    );
    assert_eq!(
        Packet::seal(&mut initiator, 1, b"b").open(&mut responder),
        Ok((b"b".to_vec(), false))
    );
    // The other direction is where it was.
    assert!(!responder.send_phase());
    assert_eq!(
        Packet::seal(&mut responder, 0, b"c").open(&mut initiator),
        Ok((b"c".to_vec(), false))
    );
}

// T7, R7.6
#[test]
fn packets_overtaken_by_a_ratchet_open_until_their_phase_is_forgotten() {
    let (mut initiator, mut responder) = pair();
    let late: Vec<Packet> = (0..3)
        .map(|number| Packet::seal(&mut initiator, number, b"late"))
        .collect();
    initiator.ratchet();
    assert_eq!(
        Packet::seal(&mut initiator, 3, b"new").open(&mut responder),
        Ok((b"new".to_vec(), true))
    );
    for packet in &late {
        assert_eq!(
            packet.clone().open(&mut responder),
            Ok((b"late".to_vec(), false))
        );
    }
    responder.forget_previous_phase();
    assert_eq!(
        late[0].clone().open(&mut responder),
        Err(OpenError::Unauthenticated)
    );
    assert_eq!(
        Packet::seal(&mut initiator, 4, b"new").open(&mut responder),
        Ok((b"new".to_vec(), false))
    );
}

// R7.7
#[test]
fn the_next_phase_is_found_while_the_previous_one_is_kept() {
    let (mut initiator, mut responder) = pair();
    let first = Packet::seal(&mut initiator, 0, b"phase 0");
    initiator.ratchet();
    let second = Packet::seal(&mut initiator, 1, b"phase 1");
    initiator.ratchet();
    let third = Packet::seal(&mut initiator, 2, b"phase 2");
    assert_eq!(
        second.clone().open(&mut responder),
        Ok((b"phase 1".to_vec(), true))
    );
    assert_eq!(
        third.clone().open(&mut responder),
        Ok((b"phase 2".to_vec(), true))
    );
    // Phase 1 is the previous one from here on, and phase 0 is gone.
    assert_eq!(
        second.clone().open(&mut responder),
        Ok((b"phase 1".to_vec(), false))
    );
    assert_eq!(
        first.clone().open(&mut responder),
        Err(OpenError::Unauthenticated)
    );
}

#[test]
fn a_phase_cannot_be_skipped() {
    let (mut initiator, mut responder) = pair();
    initiator.ratchet();
    initiator.ratchet();
    assert_eq!(
        Packet::seal(&mut initiator, 0, b"x").open(&mut responder),
        Err(OpenError::Unauthenticated)
    );
}

// R7.6
#[test]
fn a_phase_bit_alone_moves_nothing() {
    let (mut initiator, mut responder) = pair();
    for number in 0..100 {
        let mut sealed = vec![0xee; 40];
        assert!(
            responder
                .open(true, b"header", SEQUENCE, number, &mut sealed)
                .is_err()
        );
    }
    assert_eq!(responder.receive.phase(), 0);
    assert_eq!(
        responder.receive.fingerprint().len(),
        2,
        "no previous phase"
    );
    assert_eq!(
        Packet::seal(&mut initiator, 0, b"x").open(&mut responder),
        Ok((b"x".to_vec(), false))
    );
}

// T7, R7.4, R7.5, R7.8
#[test]
fn the_limits_are_those_of_the_protocol() {
    assert_eq!(Limits::default().packets_per_phase, 8_388_608);
    assert_eq!(Limits::default().failed_opens, 68_719_476_736);
    assert_eq!(PACKETS_PER_PHASE_MAX, 16_777_216);
}

// R7.4
#[test]
fn a_ratchet_is_due_after_as_many_packets_as_the_limit_says() {
    let (mut initiator, _) = pair();
    initiator.set_limits(Limits {
        packets_per_phase: 3,
        ..Limits::default()
    });
    for number in 0..3 {
        assert!(!initiator.ratchet_due(), "after {number} packets");
        Packet::seal(&mut initiator, number, b"x");
    }
    assert!(initiator.ratchet_due());
    initiator.ratchet();
    assert!(!initiator.ratchet_due());
    assert_eq!(initiator.sealed_in_phase(), 0);
}

// R7.5
#[test]
fn a_phase_that_is_used_up_seals_nothing_until_the_next() {
    let (mut initiator, _) = pair();
    initiator.send.set_sealed(PACKETS_PER_PHASE_MAX - 1);
    Packet::seal(&mut initiator, 0, b"the last");
    let mut buffer = *b"plaintext and room for its tag";
    assert_eq!(
        initiator.seal(b"", SEQUENCE, 1, &mut buffer),
        Err(SealError::Exhausted)
    );
    assert_eq!(&buffer, b"plaintext and room for its tag");
    initiator.ratchet();
    assert_eq!(initiator.seal(b"", SEQUENCE, 1, &mut buffer), Ok(()));
}

// T8
#[test]
fn no_packet_number_above_the_largest_is_sealed_or_opened() {
    let (mut initiator, mut responder) = pair();
    for number in PACKET_NUMBER_MAX - 10..=PACKET_NUMBER_MAX {
        assert!(
            Packet::seal(&mut initiator, number, b"x")
                .open(&mut responder)
                .is_ok()
        );
    }
    let sealed = initiator.sealed_in_phase();
    for number in [PACKET_NUMBER_MAX + 1, u64::MAX - 1, u64::MAX] {
        assert_eq!(
            initiator.seal(b"", SEQUENCE, number, &mut [0; 20]),
            Err(SealError::Exhausted)
        );
        assert_eq!(initiator.sealed_in_phase(), sealed);

        // Even if a peer does seal it.
        let mut cipher = PhaseSecret::new(&[1; KEY_LEN]).cipher();
        let mut buffer = [0; 20];
        cipher.seal(b"header", SEQUENCE, number, &mut buffer);
        assert!(cipher.open(b"header", SEQUENCE, number, &mut buffer.clone()));
        assert!(
            responder
                .open(false, b"header", SEQUENCE, number, &mut buffer)
                .is_err()
        );
    }
}

// R7.8
#[test]
fn too_many_failed_opens_retire_the_session() {
    let (mut initiator, mut responder) = pair();
    responder.set_limits(Limits {
        failed_opens: 3,
        ..Limits::default()
    });
    for number in 0..3 {
        // An authentic packet in between does not set the count back.
        assert!(
            Packet::seal(&mut initiator, number, b"x")
                .open(&mut responder)
                .is_ok()
        );
        assert_eq!(
            responder.open(false, b"header", SEQUENCE, number, &mut [0; 40]),
            Err(OpenError::Unauthenticated)
        );
    }
    assert_eq!(
        Packet::seal(&mut initiator, 9, b"x").open(&mut responder),
        Err(OpenError::Retired)
    );
    // Sending is another key.
    assert!(
        Packet::seal(&mut responder, 0, b"x")
            .open(&mut initiator)
            .is_ok()
    );
}

#[test]
fn debug_output_holds_no_key() {
    let (mut initiator, _) = pair();
    initiator.ratchet();
    assert_eq!(
        format!("{initiator:?}"),
        "Session { role: Initiator, limits: Limits { packets_per_phase: 8388608, failed_opens: 68719476736 }, \
         send_phase: 1, sealed_in_phase: 0, receive_phase: 0, failed_opens: 0, .. }"
    );
}

// P3
#[test]
fn a_million_forged_packets_leave_the_session_as_it_was() {
    use rand_core::Rng;
    let (mut initiator, mut responder) = pair();
    initiator.ratchet();
    assert!(
        Packet::seal(&mut initiator, 0, b"x")
            .open(&mut responder)
            .is_ok()
    );
    let before = Fingerprint::of(&mut responder);
    let mut random = crate::tests::rng(3);
    for count in 0..1_000_000 {
        let number = if count % 10 == 0 {
            u64::MAX
        } else {
            random.next_u64() >> (count % 64)
        };
        let sequence = CidSequence(random.next_u32() >> (count % 32));
        let mut sealed = [0; 48];
        random.fill_bytes(&mut sealed);
        let opened = responder.open(count % 2 == 0, b"header", sequence, number, &mut sealed);
        assert_eq!(opened, Err(OpenError::Unauthenticated));
    }
    assert_eq!(
        Fingerprint::of(&mut responder),
        Fingerprint {
            failed_opens: 1_000_000,
            ..before
        }
    );
    assert!(
        Packet::seal(&mut initiator, 1, b"x")
            .open(&mut responder)
            .is_ok()
    );
}

proptest! {
    // P3, R7.2
    #[test]
    fn forged_packets_change_nothing_but_their_count(
        phase in any::<bool>(),
        header in proptest::collection::vec(any::<u8>(), 0..32),
        sequence in any::<u32>(),
        number in prop_oneof![any::<u64>(), 0..1_000_u64, Just(u64::MAX), Just(PACKET_NUMBER_MAX)],
        mut sealed in proptest::collection::vec(any::<u8>(), 0..100),
        ratchets in 0_u64..3,
    ) {
        let (mut initiator, mut responder) = pair();
        for number in 0..ratchets {
            initiator.ratchet();
            assert!(Packet::seal(&mut initiator, number, b"x").open(&mut responder).is_ok());
        }
        let before = Fingerprint::of(&mut responder);
        prop_assert_eq!(
            responder.open(phase, &header, CidSequence(sequence), number, &mut sealed),
            Err(OpenError::Unauthenticated)
        );
        prop_assert_eq!(Fingerprint::of(&mut responder), Fingerprint { failed_opens: 1, ..before });
        prop_assert!(Packet::seal(&mut initiator, 100, b"x").open(&mut responder).is_ok());
    }

    #[test]
    fn any_reordering_within_two_phases_opens(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle()) {
        let (mut initiator, mut responder) = pair();
        let packets: Vec<Packet> = (0..40)
            .map(|number| {
                if number == 20 {
                    initiator.ratchet();
                }
                Packet::seal(&mut initiator, number, &number.to_be_bytes())
            })
            .collect();
        let mut ratchets = 0;
        for number in order {
            let index = usize::try_from(number).unwrap();
            let (payload, ratcheted) = packets[index].clone().open(&mut responder).unwrap();
            prop_assert_eq!(payload, number.to_be_bytes());
            ratchets += u32::from(ratcheted);
        }
        prop_assert_eq!(ratchets, 1);
    }
}

#[test]
fn a_session_that_rested_goes_on_as_if_it_had_not() {
    let (mut initiator, mut responder) = pair();
    let (mut restless, _) = pair();
    assert!(
        initiator.is_at_rest() && responder.is_at_rest(),
        "nothing is made before the first packet"
    );
    let mut overtaken = None;
    for number in 0..6 {
        let mut packet = Packet::seal(&mut initiator, number, b"payload");
        let same = Packet::seal(&mut restless, number, b"payload");
        assert_eq!(packet.sealed, same.sealed);
        assert_eq!(
            packet.open(&mut responder),
            Ok((b"payload".to_vec(), number == 3))
        );
        assert!(!initiator.is_at_rest() && !responder.is_at_rest());
        if number == 2 {
            overtaken = Some(Packet::seal(&mut initiator, 10, b"overtaken"));
            initiator.ratchet();
            restless.ratchet();
        }
        initiator.rest();
        responder.rest();
        assert!(initiator.is_at_rest() && responder.is_at_rest());
    }
    assert_eq!(
        overtaken.unwrap().open(&mut responder),
        Ok((b"overtaken".to_vec(), false)),
        "the previous phase is kept at rest too"
    );
    assert!(!responder.is_at_rest());
}

/// Everything in a session that can make two of them behave differently.
#[derive(Debug, PartialEq, Eq)]
struct Fingerprint {
    send: (u64, u64),
    /// Phase, and what each key at hand makes of one packet.
    receive: (u64, Vec<[u8; TAG_LEN]>),
    failed_opens: u64,
}

impl Fingerprint {
    fn of(session: &mut Session) -> Self {
        Self {
            send: (session.send.phase(), session.send.sealed()),
            receive: (session.receive.phase(), session.receive.fingerprint()),
            failed_opens: session.failed_opens,
        }
    }
}

/// A packet on its way.
#[derive(Clone)]
struct Packet {
    phase: bool,
    header: Vec<u8>,
    number: u64,
    sealed: Vec<u8>,
}

impl Packet {
    fn seal(session: &mut Session, number: u64, payload: &[u8]) -> Self {
        let phase = session.send_phase();
        let header = vec![8 | u8::from(phase), 0xc1, 0xd0];
        let mut sealed = [payload, &[0; TAG_LEN]].concat();
        session
            .seal(&header, SEQUENCE, number, &mut sealed)
            .unwrap();
        Self {
            phase,
            header,
            number,
            sealed,
        }
    }

    fn open(&mut self, session: &mut Session) -> Result<(Vec<u8>, bool), OpenError> {
        let opened = session.open(
            self.phase,
            &self.header,
            SEQUENCE,
            self.number,
            &mut self.sealed,
        )?;
        Ok((opened.payload.to_vec(), opened.ratcheted))
    }
}

fn pair() -> (Session, Session) {
    let split = ([1; KEY_LEN], [2; KEY_LEN]);
    let initiator = Session::dangerous_from_split(Role::Initiator, [9; 32], split);
    let responder = Session::dangerous_from_split(Role::Responder, [9; 32], split);
    (initiator, responder)
}
