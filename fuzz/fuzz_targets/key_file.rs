//! See `keyway_fuzz::key_file`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(key_file);
