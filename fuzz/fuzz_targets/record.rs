//! See `keyway_fuzz::record`.
#![no_main]

keyway_fuzz::main!(record);
