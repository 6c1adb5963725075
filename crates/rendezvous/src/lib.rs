//! Signed records, look-up and relay channels: the client half and the server half, without I/O.
