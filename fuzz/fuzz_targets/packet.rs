//! See `keyway_fuzz::packet`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(packet);
