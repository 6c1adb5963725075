//! See `keyway_fuzz::association`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(association);
