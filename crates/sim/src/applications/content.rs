//! Bytes that both sides know without having met: each octet follows from its place, so that one that is lost, repeated or out of
//! place is noticed where it happens.

/// A run of octets, named by a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Which one of all contents.
    pub name: u64,
    /// How many octets it has.
    pub length: u64,
}

impl Content {
    /// Fills `out` with what is to be found from `offset` on; gives how much that was: less than all only at the end.
    #[must_use]
    pub fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(out.len());
        self.pieces(offset, length, |place, piece| {
            out[place..place + piece.len()].copy_from_slice(piece);
            true
        });
        length
    }

    /// Whether `octets` are what is to be found from `offset` on.
    #[must_use]
    pub fn matches(&self, offset: u64, octets: &[u8]) -> bool {
        let end = offset.saturating_add(octets.len() as u64);
        end <= self.length
            && self.pieces(offset, octets.len(), |place, piece| {
                octets[place..place + piece.len()] == *piece
            })
    }

    /// Gives `length` octets from `offset` on, piece by piece with its place, as long as the receiver says that it wants more.
    fn pieces(
        &self,
        offset: u64,
        length: usize,
        mut take: impl FnMut(usize, &[u8]) -> bool,
    ) -> bool {
        let mut place = 0;
        while place < length {
            let at = offset + place as u64;
            let word = self.word(at / 8).to_le_bytes();
            let skip = usize::try_from(at % 8).unwrap_or(0);
            let piece = &word[skip..(skip + length - place).min(8)];
            if !take(place, piece) {
                return false;
            }
            place += piece.len();
        }
        true
    }

    /// SplitMix64 (Steele, Lea and Flood 2014): every word is unlike its neighbours.
    fn word(&self, index: u64) -> u64 {
        let mut word = self
            .name
            .wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: Content = Content {
        name: 7,
        length: 1_003,
    };

    fn whole() -> Vec<u8> {
        let mut whole = vec![0; 2_000];
        let length = CONTENT.read(0, &mut whole);
        whole.truncate(length);
        whole
    }

    #[test]
    fn it_is_the_same_however_it_is_cut() {
        assert_eq!(whole().len(), 1_003);
        let mut pieces = Vec::new();
        for size in [1, 7, 8, 9, 64, 333, 1_000].into_iter().cycle() {
            let mut piece = vec![0; size];
            let length = CONTENT.read(pieces.len() as u64, &mut piece);
            if length == 0 {
                break;
            }
            assert!(CONTENT.matches(pieces.len() as u64, &piece[..length]));
            pieces.extend_from_slice(&piece[..length]);
        }
        assert_eq!(pieces, whole());
    }

    #[test]
    fn whatever_is_changed_moved_or_added_is_noticed() {
        let whole = whole();
        let mut changed = whole.clone();
        changed[1_002] ^= 1;
        assert!(!CONTENT.matches(0, &changed));
        assert!(!CONTENT.matches(1, &whole[..100]));
        assert!(!CONTENT.matches(8, &whole[..100]));
        assert!(!CONTENT.matches(1_003, &[0]));
        assert!(!Content { name: 8, ..CONTENT }.matches(0, &whole));
        assert!(CONTENT.matches(1_003, &[]));
    }
}
