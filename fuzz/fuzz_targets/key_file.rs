//! See `keyway_fuzz::key_file`.
#![no_main]

keyway_fuzz::main!(key_file);
