use std::fmt;
use std::net::IpAddr;

use crate::Route;

/// Room for the packets of one system call: segments of equal size, of which the last may be shorter.
///
/// One is enough for a whole worker: it is filled by [`Association::poll_transmit`](crate::Association::poll_transmit),
/// sent, and filled again.
pub struct Batch {
    octets: Box<[u8]>,
    len: usize,
}

impl Batch {
    /// Octets that a batch has room for.
    pub const CAPACITY: usize = 65_536;

    /// The most that is put into one batch: what UDP over IPv6 carries in one send with segmentation offload
    /// (65,535 octets of IP payload, less 40 for an IPv6 and 8 for a UDP header, which fits IPv4 as well).
    pub const LEN_MAX: usize = 65_487;

    /// The most segments in one batch. Linux accepts 64 in one call; from 45 on, more bring nothing that was measurable.
    pub const SEGMENTS_MAX: usize = 45;

    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self {
            octets: vec![0; Self::CAPACITY].into_boxed_slice(),
            len: 0,
        }
    }

    /// Forgets what was in it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The packets, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.octets[..self.len]
    }

    /// Fills the batch with packets that were made elsewhere, and returns how many octets that are. What does not fit is cut off.
    pub fn load(&mut self, parts: &[&[u8]]) -> usize {
        self.clear();
        for part in parts {
            let len = part.len().min(Self::LEN_MAX - self.len);
            self.octets[self.len..self.len + len].copy_from_slice(&part[..len]);
            self.len += len;
        }
        self.len
    }

    /// Octets filled.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Room for one more segment of at most `size` octets, or `None` when the batch is full.
    #[inline]
    pub(crate) fn room(&mut self, size: usize) -> Option<&mut [u8]> {
        let end = self.len + size;
        if end > Self::LEN_MAX {
            return None;
        }
        Some(&mut self.octets[self.len..end])
    }

    /// Keeps the first `size` octets of the room that was given last.
    #[inline]
    pub(crate) fn push(&mut self, size: usize) {
        debug_assert!(
            self.len + size <= Self::CAPACITY,
            "a segment is written into the room that was given"
        );
        self.len += size;
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// The mark of explicit congestion notification in an IP header (RFC 3168, 5).
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub enum Ecn {
    /// Not congested, the mark that senders use.
    Ect0,
    /// Not congested, the other mark.
    Ect1,
    /// A router on the way is congested.
    Ce,
}

/// Where the packets of a [`Batch`] go.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Transmit {
    /// The way to the peer. On a relayed route each segment starts with the relay header.
    pub route: Route,
    /// Octets of each segment but the last, which may be shorter.
    pub segment_size: usize,
    /// Octets in the batch.
    pub len: usize,
    /// Whether it is one packet that asks for an answer: an acknowledgement at least.
    pub is_question: bool,
    /// The mark to send with.
    pub ecn: Option<Ecn>,
    /// The address to send from, where the peer's packets arrived at one of several.
    pub local: Option<IpAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_follow_each_other_until_the_batch_is_full() {
        let mut batch = Batch::new();
        let mut segments = 0;
        while let Some(room) = batch.room(1452) {
            room.fill(segments);
            batch.push(1452);
            segments += 1;
        }
        assert_eq!(usize::from(segments), Batch::SEGMENTS_MAX);
        assert_eq!(batch.len(), 45 * 1452);
        assert_eq!(batch.bytes()[44 * 1452], 44);
    }

    #[test]
    fn a_cleared_batch_is_empty() {
        let mut batch = Batch::new();
        assert!(batch.room(10).is_some());
        batch.push(10);
        batch.clear();
        assert!(batch.bytes().is_empty());
    }

    #[test]
    fn only_what_was_kept_of_a_segment_counts() {
        let mut batch = Batch::new();
        batch.room(1200).expect("an empty batch has room").fill(9);
        batch.push(40);
        assert_eq!(batch.bytes(), [9; 40]);
    }
}
