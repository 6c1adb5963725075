use std::fmt;

use super::{FrameError, kind};
use crate::address;
use crate::candidate::{Candidate, CandidateKind};
use crate::codec::{Reader, Writer, varint_len};

/// Candidates that one frame lists at most. With IPv6 addresses throughout they fit the smallest packet.
pub const CANDIDATES_MAX: usize = 32;

/// CANDIDATES: where the sender may be reached. The list replaces the previous one; it may be empty.
///
/// | octets  | field    | meaning                                             |
/// |---------|----------|-----------------------------------------------------|
/// | 0       | kind     | 0x21                                                |
/// | varint  | sequence | grows with each list: the highest is the newest     |
/// | varint  | count    | candidates that follow, at most 32                  |
/// | count × |          |                                                     |
/// | 1       | how      | 0: host, 1: reflexive, 2: mapped                    |
/// | 1       | family   | 4 or 6                                              |
/// | 4 or 16 | ip       | not unspecified, not IPv4 inside IPv6               |
/// | 2       | port     | not 0                                               |
///
/// ```
/// use keyway_wire::{Candidate, CandidateKind, Frame, Frames, emit_candidates};
///
/// let host = Candidate { kind: CandidateKind::Host, address: "192.0.2.7:4100".parse().unwrap() };
/// let mut out = [0; 64];
/// let length = emit_candidates(&mut out, 1, &[host]);
/// let Some(Ok(Frame::Candidates(frame))) = Frames::new(&out[..length]).next() else { panic!() };
/// assert_eq!(frame.candidates.iter().collect::<Vec<_>>(), [host]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidatesFrame<'a> {
    /// Grows with each list: the highest is the newest.
    pub sequence: u64,
    /// The list.
    pub candidates: CandidateList<'a>,
}

impl<'a> CandidatesFrame<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        Ok(Self {
            sequence: reader.varint()?,
            candidates: CandidateList::parse(reader)?,
        })
    }

    /// Octets that [`CandidatesFrame::emit`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        1 + varint_len(self.sequence)
            + varint_len(self.candidates.count as u64)
            + self.candidates.encoded.len()
    }

    /// Writes the frame and returns its length. [`emit_candidates`] writes one from candidates that were not parsed.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`CandidatesFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        writer
            .octet(kind::CANDIDATES)
            .varint(self.sequence)
            .varint(self.candidates.count as u64);
        writer.bytes(self.candidates.encoded).finish()
    }
}

/// Writes a CANDIDATES frame and returns its length.
///
/// Candidates beyond [`CANDIDATES_MAX`], or beyond what fits into `out`, are left out from the end of the list: put the
/// best in front. 0 where not even an empty list fits.
pub fn emit_candidates(out: &mut [u8], sequence: u64, candidates: &[Candidate]) -> usize {
    // The count takes one octet, since it is below 64.
    let start = 1 + varint_len(sequence) + 1;
    let Some(mut room) = out.len().checked_sub(start) else {
        return 0;
    };
    let fitting = candidates
        .iter()
        .take(CANDIDATES_MAX)
        .take_while(|candidate| {
            let len = 1 + address::len(candidate.address);
            let fits = len <= room;
            room = room.saturating_sub(len);
            fits
        });
    let count = fitting.count();
    let mut writer = Writer::new(out);
    writer
        .octet(kind::CANDIDATES)
        .varint(sequence)
        .varint(count as u64);
    for candidate in candidates.iter().take(count) {
        writer.octet(candidate.kind.octet());
        address::write(&mut writer, candidate.address);
    }
    writer.finish()
}

/// The candidates of a frame: checked when it was parsed, decoded when they are iterated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CandidateList<'a> {
    count: usize,
    /// There is one spelling of each candidate, so equal lists have equal octets.
    encoded: &'a [u8],
}

impl<'a> CandidateList<'a> {
    fn parse(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let count = reader.varint()?;
        let count = match usize::try_from(count) {
            Ok(count @ ..=CANDIDATES_MAX) => count,
            _ => return Err(FrameError::TooManyCandidates { count }),
        };
        let start = reader.clone();
        for _ in 0..count {
            parse_one(reader)?;
        }
        Ok(Self {
            count,
            encoded: reader.taken_since(&start),
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The candidates, in order.
    #[must_use]
    pub const fn iter(&self) -> CandidateIter<'a> {
        CandidateIter {
            reader: Reader::new(self.encoded),
        }
    }
}

impl<'a> IntoIterator for CandidateList<'a> {
    type Item = Candidate;
    type IntoIter = CandidateIter<'a>;

    fn into_iter(self) -> CandidateIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for CandidateList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Candidates of a [`CandidateList`].
#[derive(Clone, Debug)]
pub struct CandidateIter<'a> {
    reader: Reader<'a>,
}

impl Iterator for CandidateIter<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        // All of them were read once already, so an error means the end.
        parse_one(&mut self.reader).ok()
    }
}

fn parse_one(reader: &mut Reader<'_>) -> Result<Candidate, FrameError> {
    let octet = reader.octet()?;
    let kind =
        CandidateKind::from_octet(octet).ok_or(FrameError::UnknownCandidateKind { kind: octet })?;
    Ok(Candidate {
        kind,
        address: address::read(reader)?,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use proptest::prelude::*;

    use super::*;
    use crate::address::AddressError;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};
    use crate::frame::{Frame, Frames};

    fn candidate(kind: CandidateKind, address: &str) -> Candidate {
        Candidate {
            kind,
            address: address.parse().unwrap(),
        }
    }

    fn parse(bytes: &[u8]) -> CandidatesFrame<'_> {
        match Frames::new(bytes).next() {
            Some(Ok(Frame::Candidates(frame))) => frame,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn golden_bytes() {
        let bytes = [
            0x21, 0x40, 0x40, 0x03, // sequence 64, three
            0, 4, 192, 0, 2, 7, 0x10, 0x04, // host
            1, 6, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff,
            0xff, // reflexive
            2, 4, 198, 51, 100, 1, 0x00, 0x01, // mapped
        ];
        let candidates = [
            candidate(CandidateKind::Host, "192.0.2.7:4100"),
            candidate(CandidateKind::Reflexive, "[2001:db8::1]:65535"),
            candidate(CandidateKind::Mapped, "198.51.100.1:1"),
        ];
        let frame = parse(&bytes);
        assert_eq!(frame.sequence, 64);
        assert_eq!(frame.candidates.len(), 3);
        assert_eq!(frame.candidates.iter().collect::<Vec<_>>(), candidates);
        assert_golden(Frame::Candidates(frame), &bytes);
        let mut out = [0xa5; 40];
        assert_eq!(emit_candidates(&mut out, 64, &candidates), bytes.len());
        assert_eq!(out[..bytes.len()], bytes);
        assert!(out[bytes.len()..].iter().all(|octet| *octet == 0xa5));
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let frame = parse(&[0x21, 0x00, 0x00]);
        assert!(frame.candidates.is_empty());
        assert_golden(Frame::Candidates(frame), &[0x21, 0x00, 0x00]);
    }

    // L6, L9, R6.4, R6.13
    #[test]
    fn more_candidates_than_allowed_are_refused() {
        for (count, encoded) in [(33, vec![33]), ((1 << 62) - 1, vec![0xff; 8])] {
            let bytes = [
                &[0x21, 0x00],
                &encoded[..],
                &[0, 4, 192, 0, 2, 7, 1, 1].repeat(40),
            ]
            .concat();
            assert_eq!(refusal(&bytes), FrameError::TooManyCandidates { count });
        }
    }

    // R6.13
    #[test]
    fn what_is_no_candidate_is_refused() {
        assert_eq!(
            refusal(&[0x21, 0, 1, 3]),
            FrameError::UnknownCandidateKind { kind: 3 }
        );
        let last_is_wrong = [0x21, 0, 2, 0, 4, 192, 0, 2, 7, 1, 1, 0, 4, 0, 0, 0, 0, 1, 1];
        assert_eq!(
            refusal(&last_is_wrong),
            FrameError::Address(AddressError::Unspecified)
        );
    }

    // L9
    #[test]
    fn candidates_that_do_not_fit_are_left_out_from_the_end() {
        let many = [candidate(CandidateKind::Host, "192.0.2.7:4100"); 40];
        let mut out = [0; 1_200];
        let len = emit_candidates(&mut out, 0, &many);
        assert_eq!(parse(&out[..len]).candidates.len(), 32);
        for (room, count) in [(3, 0), (10, 0), (11, 1), (26, 2), (27, 3)] {
            let len = emit_candidates(&mut out[..room], 0, &many);
            assert_eq!(parse(&out[..len]).candidates.len(), count, "{room}");
        }
        assert_eq!(emit_candidates(&mut out[..2], 0, &many), 0);
    }

    #[test]
    fn the_longest_list_fits_the_smallest_packet() {
        let longest = [candidate(CandidateKind::Host, "[2001:db8::1]:1"); 32];
        let mut out = [0; 1_200 - 32 - 9];
        let len = emit_candidates(&mut out, (1 << 62) - 1, &longest);
        assert_eq!(parse(&out[..len]).candidates.len(), 32);
    }

    fn candidates() -> impl Strategy<Value = Candidate> {
        (0u8..3, any::<IpAddr>(), 1u16..)
            .prop_filter("canonical", |(_, ip, _)| {
                !ip.is_unspecified() && ip.to_canonical() == *ip
            })
            .prop_map(|(kind, ip, port)| Candidate {
                kind: CandidateKind::from_octet(kind).unwrap(),
                address: SocketAddr::new(ip, port),
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            sequence in 0u64..1 << 62, list in proptest::collection::vec(candidates(), 0..=32),
        ) {
            let mut out = [0xa5; 1_200];
            let len = emit_candidates(&mut out, sequence, &list);
            let frame = parse(&out[..len]);
            prop_assert_eq!(frame.sequence, sequence);
            prop_assert_eq!(frame.candidates.iter().collect::<Vec<_>>(), list);
            assert_round_trip(Frame::Candidates(frame));
        }
    }
}
