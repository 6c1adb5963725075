//! What bytes on the wire mean: packet headers, frames, varints, and time. No I/O, no cryptography, no allocation to parse.
