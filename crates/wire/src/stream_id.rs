use std::fmt;

use crate::varint::VarInt;

/// Names a stream, or a flow of datagrams, within an association: below 2^62.
///
/// The node with the smaller node id opens the even ones, the other the odd ones, whoever dialled. Ids count up by two
/// and are never reused.
///
/// ```
/// use keyway_wire::StreamId;
///
/// assert!(StreamId::new(4).unwrap().is_even()); // opened by the smaller node id
/// assert_eq!(StreamId::new(1 << 62), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    /// The id of that number, `None` from 2^62 on.
    #[inline]
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value > VarInt::MAX.value() {
            None
        } else {
            Some(Self(value))
        }
    }

    /// The number.
    #[inline]
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Whether the node with the smaller node id opens it.
    #[must_use]
    pub const fn is_even(self) -> bool {
        self.0 & 1 == 0
    }
}

impl From<VarInt> for StreamId {
    fn from(value: VarInt) -> Self {
        Self(value.value())
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({})", self.0)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_end_below_2_to_the_62() {
        assert_eq!(
            StreamId::new((1 << 62) - 1).map(StreamId::value),
            Some((1 << 62) - 1)
        );
        assert_eq!(StreamId::new(1 << 62), None);
        assert_eq!(StreamId::new(u64::MAX), None);
    }

    // R9.1
    #[test]
    fn the_lowest_bit_says_who_opens() {
        assert!(StreamId::new(0).unwrap().is_even());
        assert!(!StreamId::new(7).unwrap().is_even());
    }
}
