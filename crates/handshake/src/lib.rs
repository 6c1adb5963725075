//! The Noise handshake of Keyway and its record layer.
