use keyway_handshake::SealError;
use keyway_wire::{DATA_HEADER_LEN, DataHeader, Frame, RelayHeader, TAG_LEN};

use super::path::PACKET_OVERHEAD;
use super::remote_cids::RemoteCid;
use super::sessions::LiveSession;
use crate::Route;

/// A packet that is being written where it will be sent from.
///
/// ```text
/// | relay header (9, relayed routes only) | header (16) | frames | tag (16) |
/// ```
///
/// Frames are written first, since whether there is anything to say decides whether there is a packet at all; the headers
/// and the seal follow.
pub(crate) struct PacketWriter<'a> {
    room: &'a mut [u8],
    route: Route,
    frames: usize,
}

impl<'a> PacketWriter<'a> {
    /// `room` is what the whole packet may take; `None` if not even an empty one fits.
    #[inline]
    pub(crate) fn new(room: &'a mut [u8], route: Route) -> Option<Self> {
        (room.len() >= route.overhead() + PACKET_OVERHEAD).then_some(Self {
            room,
            route,
            frames: 0,
        })
    }

    /// Room for further frames.
    #[inline]
    pub(crate) fn free(&mut self) -> &mut [u8] {
        let start = self.start() + self.frames;
        let end = self.room.len() - TAG_LEN;
        self.room.get_mut(start..end).unwrap_or_default()
    }

    /// So many octets of the free room were written.
    #[inline]
    pub(crate) fn advance(&mut self, octets: usize) {
        self.frames =
            (self.start() + self.frames + octets).min(self.room.len() - TAG_LEN) - self.start();
    }

    /// Writes a frame if it fits.
    pub(crate) fn frame(&mut self, frame: &Frame<'_>) -> bool {
        let fits = frame.len() <= self.free().len();
        if fits {
            let written = frame.emit(self.free());
            self.advance(written);
        }
        fits
    }

    /// Octets of frames so far.
    #[inline]
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Adds PADDING until the packet, with everything, has `size` octets.
    pub(crate) fn pad_to(&mut self, size: usize) {
        let missing = size.saturating_sub(self.len()).min(self.free().len());
        if let Some(padding) = self.free().get_mut(..missing) {
            padding.fill(0);
        }
        self.advance(missing);
    }

    /// Octets of the packet as it stands.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.start() + self.frames + TAG_LEN
    }

    /// Writes the headers and seals. The length of the packet.
    ///
    /// # Errors
    /// The key is used up; nothing may be sent.
    pub(crate) fn seal(
        self,
        session: &mut LiveSession,
        id: RemoteCid,
        number: u64,
    ) -> Result<usize, SealError> {
        let len = self.len();
        let overhead = self.route.overhead();
        if let Route::Relay { channel } = self.route {
            RelayHeader {
                token: channel.token,
            }
            .emit(self.room);
        }
        let Some(packet) = self.room.get_mut(overhead..len) else {
            return Err(SealError::Exhausted);
        };
        let (slot, phase) = session.header_bits();
        DataHeader {
            slot,
            phase,
            cid: id.cid,
            number,
        }
        .emit(packet);
        let (header, payload) = packet.split_at_mut(DATA_HEADER_LEN);
        session.seal(header, id.sequence, number, payload)?;
        Ok(len)
    }

    #[inline]
    fn start(&self) -> usize {
        self.route.overhead() + DATA_HEADER_LEN
    }
}
