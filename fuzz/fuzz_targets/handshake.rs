//! See `keyway_fuzz::handshake`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(handshake);
