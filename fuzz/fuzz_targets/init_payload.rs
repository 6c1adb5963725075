//! See `keyway_fuzz::init_payload`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(init_payload);
