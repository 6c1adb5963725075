//! No nonce seals two packets.
//!
//! A nonce is the packet number under the issue sequence of a CID, and the key is that of the session whose slot the packet names.
//! So it is enough that numbers grow under each CID and slot, which everybody can see who has no key, until a handshake may have
//! put another session into the slot. Had a number come twice, a key had sealed two packets with one nonce, or the same packet
//! had been sent twice, which is not allowed either.

use std::collections::BTreeMap;

use crate::network::HostId;

/// A CID, and the slot of a session.
type Under = ([u8; 7], u8);

/// The last number that was sealed under each CID in each slot.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Who seals there, the last number, and how many handshakes its host had made by then. Others who send it pass it on.
    last: BTreeMap<Under, (HostId, u64, u64)>,
    /// How many handshakes each host has made.
    handshakes: BTreeMap<HostId, u64>,
}

impl Numbers {
    /// A host sent or received the answer to a handshake, or another process with keys of its own has come up there.
    pub(super) fn has_new_keys(&mut self, host: HostId) {
        *self.handshakes.entry(host).or_default() += 1;
    }

    pub(super) fn sent(&mut self, host: HostId, packet: &[u8]) -> Option<String> {
        let (cid, number) = cid_and_number(packet)?;
        let slot = packet.first()? >> 1 & 3;
        let handshakes = self.handshakes.get(&host).copied().unwrap_or(0);
        let now = (host, number, handshakes);
        let (owner, last, before) = self.last.insert((cid, slot), now)?;
        if owner != host {
            return Some(format!("CID {cid:02x?} is used by two hosts"));
        }
        (number <= last && handshakes == before)
            .then(|| format!("number {number} was sealed under CID {cid:02x?} after {last}"))
    }
}

/// What the header of a sealed packet says.
pub(super) fn cid_and_number(packet: &[u8]) -> Option<([u8; 7], u64)> {
    let first = packet.first()?;
    if !(8..=15).contains(first) {
        return None;
    }
    let cid = packet.get(1..8)?.try_into().ok()?;
    let number = packet.get(8..16)?.try_into().ok()?;
    Some((cid, u64::from_be_bytes(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(cid: u8, number: u64) -> Vec<u8> {
        let mut packet = vec![8, cid, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(&number.to_be_bytes());
        packet
    }

    #[test]
    fn a_number_that_comes_twice_or_goes_back_is_noticed() {
        let mut numbers = Numbers::default();
        let host = HostId(0);
        assert_eq!(numbers.sent(host, &packet(1, 0)), None);
        assert_eq!(numbers.sent(host, &packet(1, 5)), None);
        assert_eq!(numbers.sent(host, &packet(2, 5)), None);
        assert!(numbers.sent(host, &packet(1, 5)).is_some());
        assert!(numbers.sent(host, &packet(1, 4)).is_some());
        assert_eq!(numbers.sent(host, &packet(1, 6)), None);
        numbers.has_new_keys(host);
        assert_eq!(numbers.sent(host, &packet(1, 0)), None);
        assert!(numbers.sent(host, &packet(1, 0)).is_some());
        assert!(numbers.sent(HostId(1), &packet(1, 7)).is_some());
    }

    #[test]
    fn handshakes_have_no_number() {
        let mut numbers = Numbers::default();
        for _ in 0..2 {
            assert_eq!(numbers.sent(HostId(0), &[4; 1120]), None);
        }
    }
}
