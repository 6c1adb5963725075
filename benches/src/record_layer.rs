//! What does it cost to seal and to open?
//!
//! Unit: one packet. Both should cost what AES-256-GCM costs (270 ns for 1,200 octets), because nothing is allocated or copied beside it.

use std::hint::black_box;

use keyway_handshake::{Role, Session};
use keyway_wire::{CidSequence, DATA_HEADER_LEN};

use crate::{Amount, Meter};

const HEADER: [u8; DATA_HEADER_LEN] = [9; DATA_HEADER_LEN];
const SEQUENCE: CidSequence = CidSequence(0);

/// Packets of the first size that every path carries, of the one that most carry, and of jumbo frames.
pub(crate) fn packets(meter: &mut impl Meter) {
    for packet in [1_200, 1_452, 8_900] {
        let name = |operation: &str| format!("record layer/{packet} octets/{operation}");
        let amount = Amount::Octets(packet);
        let mut buffer = vec![0x5a; packet - DATA_HEADER_LEN];
        let mut sealed = buffer.clone();
        session(Role::Initiator)
            .seal(&HEADER, SEQUENCE, 1, &mut sealed)
            .expect("the first");

        let (mut sender, mut number) = (session(Role::Initiator), 0);
        meter.measure(&name("seal"), amount, || {
            number += 1;
            if sender.ratchet_due() {
                sender.ratchet();
            }
            sender.seal(&HEADER, SEQUENCE, number, black_box(&mut buffer))
        });
        let mut receiver = session(Role::Responder);
        meter.measure(&name("open, and a copy"), amount, || {
            buffer.copy_from_slice(black_box(&sealed));
            receiver
                .open(false, &HEADER, SEQUENCE, 1, &mut buffer)
                .expect("authentic")
                .payload[0]
        });
        let mut receiver = session(Role::Responder);
        meter.measure(&name("refuse a forged one, and a copy"), amount, || {
            buffer.copy_from_slice(black_box(&sealed));
            receiver
                .open(false, &HEADER, SEQUENCE, 2, &mut buffer)
                .is_err()
        });
    }
}

/// The next keys of one direction.
pub(crate) fn ratchet(meter: &mut impl Meter) {
    let mut session = session(Role::Initiator);
    meter.measure("record layer/ratchet", Amount::One, || session.ratchet());
}

fn session(role: Role) -> Session {
    Session::dangerous_from_split(role, [0; 32], ([1; 32], [2; 32]))
}
