//! Datagrams one after the other, each in one piece.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::ChunkQueue;

/// A queue of datagrams, oldest first, that share pieces of memory: a datagram costs a copy of its octets, and no allocation
/// of its own.
///
/// ```
/// use keyway_transport::DatagramBuffer;
///
/// let mut buffer = DatagramBuffer::default();
/// buffer.push(b"first");
/// buffer.push(b"");
/// assert_eq!((buffer.len(), buffer.octets()), (2, 5));
/// assert_eq!(buffer.front(), Some(&b"first"[..]));
/// assert_eq!(buffer.pop().as_deref(), Some(&b"first"[..]));
/// assert_eq!(buffer.pop().as_deref(), Some(&b""[..]));
/// assert_eq!(buffer.pop(), None);
/// ```
///
/// Memory is at most twice what waits, a piece of up to 64 KiB at each end, and 4 octets for each datagram. A datagram that was taken
/// out keeps its piece alive as long as it lives itself.
#[derive(Default)]
pub struct DatagramBuffer {
    octets: ChunkQueue,
    lengths: VecDeque<u32>,
}

impl DatagramBuffer {
    /// Datagrams that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Octets of all that wait.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Appends a copy of a datagram.
    ///
    /// # Panics
    /// If it has 4 GiB or more.
    pub fn push(&mut self, datagram: &[u8]) {
        let length = u32::try_from(datagram.len()).expect("a datagram is shorter than 64 KiB");
        self.octets.write_whole(datagram);
        self.lengths.push_back(length);
    }

    /// Appends all that another buffer holds, without copying but little ones.
    pub fn append(&mut self, other: &mut Self) {
        self.octets.append(&mut other.octets);
        self.lengths.append(&mut other.lengths);
        other.clear();
    }

    /// The oldest.
    #[must_use]
    pub fn front(&self) -> Option<&[u8]> {
        let length = usize::try_from(*self.lengths.front()?).ok()?;
        self.octets.front().get(..length)
    }

    /// Takes the oldest out.
    pub fn pop(&mut self) -> Option<Bytes> {
        let length = self.pop_length()?;
        Some(self.octets.pop(length).unwrap_or_default())
    }

    /// Forgets the oldest, and returns how long it was: cheaper than [`pop`](Self::pop) for whoever has looked at it.
    pub fn discard(&mut self) -> Option<usize> {
        let length = self.pop_length()?;
        self.octets.forget(length);
        Some(length)
    }

    fn pop_length(&mut self) -> Option<usize> {
        let length = self.lengths.pop_front()?;
        if self.lengths.is_empty() {
            self.lengths = VecDeque::new();
        }
        usize::try_from(length).ok()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Without the octets: they are the application's, and no log's.
impl fmt::Debug for DatagramBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramBuffer")
            .field("waiting", &self.len())
            .field("octets", &self.octets())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_shows_no_octets() {
        let mut buffer = DatagramBuffer::default();
        buffer.push(&[173; 36]);
        let shown = "DatagramBuffer { waiting: 1, octets: 36 }";
        assert_eq!(format!("{buffer:?}"), shown);
    }

    #[test]
    fn each_comes_out_whole_whatever_lengths_they_have_and_however_many_wait() {
        let length = |number: u32| (number * number * 7 % 66_000) as usize;
        let content = |number: u32| vec![number.to_le_bytes()[0]; length(number)];
        let mut buffer = DatagramBuffer::default();
        let (mut pushed, mut popped) = (0, 0);
        for burst in [1, 1, 2, 3, 50, 1, 200, 7] {
            for _ in 0..burst {
                buffer.push(&content(pushed));
                pushed += 1;
            }
            // Some are left for the next burst.
            while buffer.len() > burst / 3 {
                assert_eq!(buffer.front(), Some(&content(popped)[..]));
                assert_eq!(buffer.pop(), Some(content(popped).into()));
                popped += 1;
            }
        }
        assert!(popped + 10 > pushed && buffer.len() == (pushed - popped) as usize);
        buffer.clear();
        assert_eq!((buffer.octets(), buffer.pop()), (0, None));
    }

    #[test]
    fn what_another_buffer_holds_is_appended_each_in_one_piece() {
        let length = |number: u32| (number * number * 7 % 3_000) as usize;
        let content = |number: u32| vec![number.to_le_bytes()[0]; length(number)];
        let (mut here, mut there) = (DatagramBuffer::default(), DatagramBuffer::default());
        let (mut pushed, mut taken) = (0, 0);
        for burst in [1, 0, 2, 40, 1, 100, 3] {
            for _ in 0..burst {
                there.push(&content(pushed));
                pushed += 1;
            }
            // Some were taken out of it before.
            if burst > 2 {
                assert_eq!(there.front(), Some(&content(pushed - burst)[..]));
            }
            here.append(&mut there);
            assert_eq!((there.len(), there.octets()), (0, 0));
            while here.len() > burst as usize / 2 {
                assert_eq!(here.front(), Some(&content(taken)[..]));
                assert_eq!(here.discard(), Some(length(taken)));
                taken += 1;
            }
        }
        let octets: usize = (taken..pushed).map(length).sum();
        assert_eq!(here.octets(), octets);
        while let Some(datagram) = here.pop() {
            assert_eq!(datagram, content(taken));
            taken += 1;
        }
        assert_eq!((taken, here.discard()), (pushed, None));
    }

    #[test]
    fn a_few_little_ones_take_little_memory() {
        let mut buffer = DatagramBuffer::default();
        for _ in 0..1_000 {
            buffer.push(&[1; 100]);
            buffer.push(&[2; 100]);
            assert!(buffer.octets.memory() <= 2_048);
            assert!(buffer.pop().is_some() && buffer.pop().is_some());
        }
    }
}
