//! See `keyway_fuzz::rendezvous`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(rendezvous);
