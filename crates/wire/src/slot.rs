/// Which of the sessions that two nodes keep beside each other a data packet belongs to: 0 to 3.
///
/// The receiver of the packets assigned it, inside the handshake: four are enough for the current session, the previous
/// one, a handshake of one's own and one that is answered (section 5).
///
/// ```
/// use keyway_wire::Slot;
///
/// assert_eq!(Slot::new(3).map(Slot::index), Some(3));
/// assert_eq!(Slot::new(4), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u8);

impl Slot {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// The slot of that number, `None` above 3.
    #[must_use]
    pub const fn new(index: u8) -> Option<Self> {
        if index < 4 { Some(Self(index)) } else { None }
    }

    /// 0 to 3, for an array of four.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) const fn octet(self) -> u8 {
        self.0
    }

    /// The slot in the two lowest bits.
    pub(crate) const fn from_low_bits(octet: u8) -> Self {
        Self(octet & 0b11)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_four() {
        for (index, slot) in Slot::ALL.into_iter().enumerate() {
            assert_eq!(slot.index(), index);
            assert_eq!(Slot::new(u8::try_from(index).unwrap()), Some(slot));
        }
        assert_eq!(Slot::new(4), None);
        assert_eq!(Slot::new(u8::MAX), None);
    }
}
