//! See `keyway_fuzz::frames`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(frames);
