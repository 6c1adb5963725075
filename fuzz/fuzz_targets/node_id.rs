//! See `keyway_fuzz::node_id`.
#![cfg_attr(fuzzing, no_main)]

keyway_fuzz::main!(node_id);
