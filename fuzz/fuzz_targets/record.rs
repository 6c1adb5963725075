//! See `keyway_fuzz::record`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(record);
