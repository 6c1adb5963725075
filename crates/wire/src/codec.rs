//! Cursors over octets: one to read, one to write.

use crate::cid::CidSequence;
use crate::frame::FrameError;
use crate::stream_id::StreamId;
use crate::varint::VarInt;

/// Fewer octets were left than the next field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truncated {
    pub(crate) needed: usize,
    pub(crate) remaining: usize,
}

/// Reads fields from the start of what is left.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The octets that were taken since this was a copy of `earlier`.
    #[inline]
    pub(crate) fn taken_since(&self, earlier: &Self) -> &'a [u8] {
        let taken = earlier.rest.len().saturating_sub(self.rest.len());
        earlier.rest.get(..taken).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let truncated = Truncated {
            needed: length,
            remaining: self.rest.len(),
        };
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Truncated> {
        let truncated = Truncated {
            needed: N,
            remaining: self.rest.len(),
        };
        let (taken, rest) = self.rest.split_first_chunk().ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn octet(&mut self) -> Result<u8, Truncated> {
        self.array().map(|[octet]| *octet)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Truncated> {
        VarInt::read(self).map(VarInt::value)
    }

    #[inline]
    pub(crate) fn stream(&mut self) -> Result<StreamId, Truncated> {
        VarInt::read(self).map(StreamId::from)
    }

    #[inline]
    pub(crate) fn cid_sequence(&mut self) -> Result<CidSequence, FrameError> {
        let value = self.varint()?;
        let sequence =
            u32::try_from(value).map_err(|_| FrameError::CidSequenceTooLarge { value })?;
        Ok(CidSequence(sequence))
    }

    /// As many octets as the variable-length integer in front of them says.
    #[inline]
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], Truncated> {
        let length = self.varint()?;
        // A length that does not fit the address space is longer than any buffer.
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    #[inline]
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Writes fields one after the other. Panics where the buffer ends: every `emit` says how long a buffer it needs.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, written: 0 }
    }

    #[inline]
    pub(crate) fn octet(&mut self, octet: u8) -> &mut Self {
        self.bytes(&[octet])
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "whoever writes has promised enough room"
    )]
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out[self.written..self.written + bytes.len()].copy_from_slice(bytes);
        self.written += bytes.len();
        self
    }

    /// Numbers above [`VarInt::MAX`] are written as that.
    #[expect(
        clippy::indexing_slicing,
        reason = "whoever writes has promised enough room"
    )]
    #[inline]
    pub(crate) fn varint(&mut self, value: u64) -> &mut Self {
        self.written += VarInt::saturating(value).emit(&mut self.out[self.written..]);
        self
    }

    /// The length of `bytes`, then `bytes`.
    #[inline]
    pub(crate) fn prefixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.varint(bytes.len() as u64).bytes(bytes)
    }

    /// Writes again what was written at `position`.
    #[expect(
        clippy::indexing_slicing,
        reason = "whoever writes has promised enough room"
    )]
    #[inline]
    pub(crate) fn overwrite(&mut self, position: usize, octet: u8) -> &mut Self {
        self.out[position] = octet;
        self
    }

    /// Octets that there is room for.
    #[inline]
    pub(crate) const fn remaining(&self) -> usize {
        self.out.len() - self.written
    }

    /// How many octets were written.
    #[inline]
    pub(crate) const fn finish(&self) -> usize {
        self.written
    }
}

/// Octets that [`Writer::varint`] writes.
pub(crate) const fn varint_len(value: u64) -> usize {
    VarInt::saturating(value).len()
}

/// Octets that [`Writer::prefixed`] writes.
pub(crate) const fn prefixed_len(length: usize) -> usize {
    varint_len(length as u64) + length
}
