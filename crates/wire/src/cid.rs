use std::fmt;

/// A connection id: 7 octets, issued by the receiver of the packets that carry it.
///
/// It names a path of an association there, and a packet number space of its own. The first octet names the worker that
/// owns the association, so that a packet finds its thread by one look; the others are random, so that nobody guesses it.
///
/// ```
/// use keyway_wire::Cid;
///
/// let cid = Cid::new([2, 0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a]);
/// assert_eq!(cid.worker(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid([u8; Self::LEN]);

impl Cid {
    /// Octets of a CID.
    pub const LEN: usize = 7;

    /// The CID of these octets, worker first.
    #[must_use]
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// The octets, as on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The worker that issued it. Meaningful to its issuer only.
    #[must_use]
    pub const fn worker(self) -> u8 {
        self.0[0]
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cid(")?;
        self.0
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

/// Under which number its issuer issued a CID: counts up from 0 within one association and is never reused.
///
/// It is the part of the nonce that keeps packet numbers of different CIDs apart (section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CidSequence(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_octet_names_the_worker() {
        let cid = Cid::new([3, 1, 4, 1, 5, 9, 0xfe]);
        assert_eq!(cid.worker(), 3);
        assert_eq!(cid.as_bytes(), &[3, 1, 4, 1, 5, 9, 0xfe]);
        assert_eq!(format!("{cid:?}"), "Cid(030104010509fe)");
    }
}
