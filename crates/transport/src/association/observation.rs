use std::net::SocketAddr;

use keyway_wire::{Frame, ObservedAddressFrame};

/// Where the peer's packets on one path come from, and whether the peer knows: OBSERVED_ADDRESS, said once for each
/// address and repeated until it arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observation {
    address: Option<SocketAddr>,
    sequence: u64,
    waiting: bool,
}

impl Observation {
    /// The peer is seen at `address`; `sequence` grows with each address that is seen anywhere.
    pub(crate) fn set(&mut self, address: SocketAddr, sequence: &mut u64) {
        if self.address == Some(address) {
            return;
        }
        *sequence = sequence.saturating_add(1);
        *self = Self {
            address: Some(address),
            sequence: *sequence,
            waiting: true,
        };
    }

    /// Whether it waits to be said.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Writes the frame if it waits and fits, and says which it is.
    pub(crate) fn write(&mut self, out: &mut [u8]) -> Option<(usize, u64)> {
        let address = self.address.filter(|_| self.waiting)?;
        let frame = Frame::ObservedAddress(ObservedAddressFrame {
            sequence: self.sequence,
            address,
        });
        if frame.len() > out.len() {
            return None;
        }
        self.waiting = false;
        Some((frame.emit(out), self.sequence))
    }

    /// The frame of that sequence was lost: say it again, unless something newer was said since.
    pub(crate) fn on_lost(&mut self, sequence: u64) {
        self.waiting |= self.address.is_some() && self.sequence == sequence;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_said_once_and_again_when_it_was_lost() {
        let (mut observation, mut sequence) = (Observation::default(), 6);
        let mut out = [0; 32];
        let first: SocketAddr = "192.0.2.1:4100".parse().unwrap();
        observation.set(first, &mut sequence);
        observation.set(first, &mut sequence);
        assert_eq!(observation.write(&mut [0; 4]), None, "no room");
        assert_eq!(
            observation.write(&mut out).map(|(_, sequence)| sequence),
            Some(7)
        );
        assert_eq!(observation.write(&mut out), None);
        observation.on_lost(7);
        assert_eq!(
            observation.write(&mut out).map(|(_, sequence)| sequence),
            Some(7)
        );
        observation.set("192.0.2.1:4101".parse().unwrap(), &mut sequence);
        observation.on_lost(7);
        assert_eq!(
            observation.write(&mut out).map(|(_, sequence)| sequence),
            Some(8)
        );
        observation.on_lost(7);
        assert!(!observation.is_waiting());
    }
}
