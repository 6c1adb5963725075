//! See `keyway_fuzz::node_id`.
#![no_main]

keyway_fuzz::main!(node_id);
