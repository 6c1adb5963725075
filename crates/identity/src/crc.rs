//! The check sum inside the text form of a node id.

/// The generator x^16 + x^12 + x^5 + 1 of ITU-T V.41 (CRC-16/CCITT), most significant bit first.
///
/// Any CRC of 16 bits finds every burst of up to 16 bits, which covers what a hand does to characters of five bits: one
/// wrong character, two swapped or two wrong neighbours. But the text form puts the check sum before the version octet,
/// so that some of these are no bursts for the polynomial. Chosen because with this one, all of them are found
/// nevertheless, and also two swapped characters at any distance and three neighbours in rotated order; CRC-16/IBM, for
/// example, misses some rotations. The tests of [`crate::text`] go through every case.
const GENERATOR: u16 = 0x1021;

/// The register before the first octet; not zero, so that leading zero octets count.
const INITIAL: u16 = 0xffff;

/// The CRC of the concatenation of `parts`, without final inversion (CRC-16/IBM-3740).
pub(crate) fn crc16(parts: &[&[u8]]) -> u16 {
    let octets = parts.iter().copied().flatten();
    octets.fold(INITIAL, |register, octet| {
        let mixed = register ^ (u16::from(*octet) << 8);
        (0..8).fold(mixed, |register, _| match register & 0x8000 {
            0 => register << 1,
            _ => (register << 1) ^ GENERATOR,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        assert_eq!(crc16(&[b"123456789"]), 0x29b1);
    }

    #[test]
    fn cutting_the_input_into_parts_changes_nothing() {
        assert_eq!(crc16(&[b"1234", b"", b"56789"]), crc16(&[b"123456789"]));
    }

    #[test]
    fn a_leading_zero_octet_counts() {
        assert_ne!(crc16(&[&[0, 1]]), crc16(&[&[1]]));
    }
}
