//! See `keyway_fuzz::rendezvous`.
#![no_main]

keyway_fuzz::main!(rendezvous);
