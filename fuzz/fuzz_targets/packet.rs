//! See `keyway_fuzz::packet`.
#![no_main]

keyway_fuzz::main!(packet);
