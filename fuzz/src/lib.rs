//! Fuzz targets for everything that reads what strangers send.
//!
//! A target is a plain function of octets that panics where a promise is broken. libFuzzer calls it from
//! `fuzz_targets/`, with nightly (`cargo xtask fuzz`); `tests/corpus.rs` calls it with every committed input, on stable.
//!
//! To add one: write its function in a file of its own, name it in [`TARGETS`], and give it a `[[bin]]` and a start in
//! `fuzz_targets/` like those that are there. The tests say what is missing.
#![forbid(unsafe_code)]

mod association;
mod endpoint;
mod frames;
mod handshake;
mod handshake_payloads;
mod key_file;
mod node_id;
mod packet;
mod record;
mod rendezvous;

pub use association::association;
pub use endpoint::endpoint;
pub use frames::frames;
pub use handshake::handshake;
pub use handshake_payloads::{init_payload, resp_payload};
pub use key_file::key_file;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;
pub use node_id::node_id;
pub use packet::packet;
pub use record::record;
pub use rendezvous::rendezvous;

/// What a target does with its input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("association", association),
    ("endpoint", endpoint),
    ("frames", frames),
    ("handshake", handshake),
    ("init_payload", init_payload),
    ("key_file", key_file),
    ("node_id", node_id),
    ("packet", packet),
    ("record", record),
    ("rendezvous", rendezvous),
    ("resp_payload", resp_payload),
];

/// Runs a target once with each file that the command line names: how one looks into what a fuzzer found, on stable and
/// with a debugger at hand.
///
/// # Errors
/// If a file cannot be read.
pub fn replay(target: Target) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path)?);
    }
    Ok(())
}

/// Makes a program out of one target: libFuzzer's where cargo-fuzz builds it, else one that replays files.
#[macro_export]
macro_rules! main {
    ($target:ident) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$target(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay($crate::$target)
        }
    };
}
