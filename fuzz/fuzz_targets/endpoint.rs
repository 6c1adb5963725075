//! See `keyway_fuzz::endpoint`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(endpoint);
