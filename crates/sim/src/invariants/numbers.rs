//! No nonce seals two packets.
//!
//! A nonce is the packet number under the issue sequence of a CID, and the same CID stands for the same sequence in every
//! session. So it is enough that numbers grow under each CID, which everybody can see who has no key: had a number come twice,
//! a key had sealed two packets with one nonce, or the same packet had been sent twice, which is not allowed either.

use std::collections::BTreeMap;

use crate::network::HostId;

/// The last number that was sealed under each CID.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By CID: who seals under it, and the last number. Others who send it pass it on.
    last: BTreeMap<[u8; 7], (HostId, u64)>,
}

impl Numbers {
    /// Another process has come up at a host, with keys of its own. It may be given a CID that the one before it had.
    pub(super) fn forget(&mut self, host: HostId) {
        self.last.retain(|_, (owner, _)| *owner != host);
    }

    pub(super) fn sent(&mut self, host: HostId, packet: &[u8]) -> Option<String> {
        let (cid, number) = cid_and_number(packet)?;
        let (owner, last) = match self.last.get_mut(&cid) {
            None => {
                self.last.insert(cid, (host, number));
                return None;
            }
            Some(known) => known,
        };
        if *owner != host {
            return Some(format!("CID {cid:02x?} is used by two hosts"));
        }
        if number <= *last {
            return Some(format!(
                "number {number} was sealed under CID {cid:02x?} after {last}"
            ));
        }
        *last = number;
        None
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
