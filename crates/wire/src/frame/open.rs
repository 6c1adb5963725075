use super::{FrameError, kind};
use crate::codec::{Reader, Writer, prefixed_len, varint_len};
use crate::service_name::{self, SERVICE_NAME_LEN_MAX};
use crate::stream_id::StreamId;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Octets, in order, none lost: STREAM frames.
    Bytes,
    /// Messages that may be lost or overtake each other: DATAGRAM frames.
    Datagrams,
}

impl StreamKind {
    const fn octet(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Datagrams => 1,
        }
    }
}

/// OPEN: announces a stream and the service that it is for. It goes out before anything else of the stream, and again
/// until it is acknowledged.
///
/// | octets | field   | meaning                                                     |
/// |--------|---------|-------------------------------------------------------------|
/// | 0      | kind    | 0x06                                                        |
/// | varint | stream  | the stream                                                  |
/// | 1      | carries | 0: octets, 1: datagrams                                     |
/// | varint | length  | octets of the name, 1..=64                                  |
/// | length | service | `a`-`z`, `0`-`9`, `.`, `_`, `-`; first a letter or a digit  |
///
/// ```
/// use keyway_wire::{Frame, Frames, OpenFrame, StreamId, StreamKind};
///
/// let frame = OpenFrame { stream: StreamId::new(4).unwrap(), kind: StreamKind::Bytes, service: "http" };
/// let octets = [0x06, 0x04, 0x00, 0x04, b'h', b't', b't', b'p'];
/// assert_eq!(Frames::new(&octets).next(), Some(Ok(Frame::Open(frame))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFrame<'a> {
    /// The stream.
    pub stream: StreamId,
    /// What it carries.
    pub kind: StreamKind,
    /// What it is for: text that [`crate::ServiceName`] accepts. Another text is written as it is and refused by the
    /// receiver.
    pub service: &'a str,
}

impl<'a> OpenFrame<'a> {
    /// Octets of the largest.
    pub const LEN_MAX: usize = 1 + 8 + 1 + prefixed_len(SERVICE_NAME_LEN_MAX);

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, FrameError> {
        let stream = reader.stream()?;
        let kind = match reader.octet()? {
            0 => StreamKind::Bytes,
            1 => StreamKind::Datagrams,
            kind => return Err(FrameError::UnknownStreamKind { kind }),
        };
        let service = service_name::check(reader.prefixed()?).map_err(FrameError::ServiceName)?;
        Ok(Self {
            stream,
            kind,
            service,
        })
    }

    /// Octets that [`OpenFrame::emit`] writes.
    #[must_use]
    pub const fn len(&self) -> usize {
        1 + varint_len(self.stream.value()) + 1 + prefixed_len(self.service.len())
    }

    /// Writes the frame and returns its length.
    ///
    /// # Panics
    ///
    /// If `out` is shorter than [`OpenFrame::len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(out);
        writer
            .octet(kind::OPEN)
            .varint(self.stream.value())
            .octet(self.kind.octet());
        writer.prefixed(self.service.as_bytes()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Frame;
    use crate::frame::testing::{assert_golden, assert_round_trip, refusal};
    use crate::service_name::ServiceNameError;

    #[test]
    fn golden_bytes() {
        let stream = StreamId::new(4).unwrap();
        let frame = OpenFrame {
            stream,
            kind: StreamKind::Bytes,
            service: "http",
        };
        assert_golden(
            Frame::Open(frame),
            &[0x06, 0x04, 0x00, 0x04, b'h', b't', b't', b'p'],
        );
        let frame = OpenFrame {
            stream,
            kind: StreamKind::Datagrams,
            service: "0",
        };
        assert_golden(Frame::Open(frame), &[0x06, 0x04, 0x01, 0x01, b'0']);
    }

    // R6.8
    #[test]
    fn streams_of_unknown_kind_are_refused() {
        assert_eq!(
            refusal(&[0x06, 0x04, 0x02, 0x01, b'a']),
            FrameError::UnknownStreamKind { kind: 2 }
        );
    }

    // R6.8
    #[test]
    fn what_is_no_service_name_is_refused() {
        let refused = |name: &[u8]| {
            let mut bytes = vec![0x06, 0x04, 0x00];
            let mut length = [0; 8];
            let written = crate::VarInt::saturating(name.len() as u64).emit(&mut length);
            bytes.extend(&length[..written]);
            bytes.extend(name);
            refusal(&bytes)
        };
        assert_eq!(
            refused(b""),
            FrameError::ServiceName(ServiceNameError::Empty)
        );
        assert_eq!(
            refused(b"-a"),
            FrameError::ServiceName(ServiceNameError::First { octet: b'-' })
        );
        let not_utf8 = ServiceNameError::Octet {
            position: 1,
            octet: 0xff,
        };
        assert_eq!(refused(b"a\xff"), FrameError::ServiceName(not_utf8));
        assert_eq!(
            refused(&[b'a'; 65]),
            FrameError::ServiceName(ServiceNameError::TooLong { length: 65 })
        );
    }

    // L6, L10: a length that no packet has.
    #[test]
    fn an_extreme_length_is_refused() {
        let bytes = [
            0x06, 0x04, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a',
        ];
        assert!(matches!(
            refusal(&bytes),
            FrameError::Truncated { remaining: 1, .. }
        ));
    }

    #[test]
    fn the_largest_is_as_long_as_announced() {
        let service = "x".repeat(64);
        let stream = StreamId::new((1 << 62) - 1).unwrap();
        let frame = OpenFrame {
            stream,
            kind: StreamKind::Bytes,
            service: &service,
        };
        assert_eq!(frame.len(), OpenFrame::LEN_MAX);
        assert_round_trip(Frame::Open(frame));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            stream in 0u64..1 << 62, datagrams: bool, service in "[a-z0-9][a-z0-9._-]{0,63}",
        ) {
            let kind = if datagrams { StreamKind::Datagrams } else { StreamKind::Bytes };
            let stream = StreamId::new(stream).unwrap();
            assert_round_trip(Frame::Open(OpenFrame { stream, kind, service: &service }));
        }
    }
}
