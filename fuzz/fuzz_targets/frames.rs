//! See `keyway_fuzz::frames`.
#![no_main]

keyway_fuzz::main!(frames);
