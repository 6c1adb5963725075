//! The node without I/O: everything that a Keyway node decides.
