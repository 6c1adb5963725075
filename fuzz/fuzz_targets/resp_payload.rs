//! See `keyway_fuzz::resp_payload`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(resp_payload);
