/// The rest of an input, from which steps are read. What it lacks at its end is zeros, or nothing.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Two octets, big-endian.
    pub(super) fn short(&mut self) -> u16 {
        let high = self.octet().unwrap_or(0);
        let low = self.octet().unwrap_or(0);
        u16::from_be_bytes([high, low])
    }

    /// A length and as many octets, if there are so many.
    pub(super) fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.short()).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(length);
        self.rest = rest;
        octets
    }
}
