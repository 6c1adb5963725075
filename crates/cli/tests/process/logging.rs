//! The log of a command that others do not leave alone.

use std::io::Read;
use std::time::Instant;

use crate::service::connect;
use crate::world::World;

/// Connections that nothing takes, made one after another.
const REFUSED: usize = 200;

/// Lines of one kind that may come at once.
const BURST: usize = 20;

// F8
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how many lines there may be depends on the time that they take"
)]
fn connections_without_end_to_a_dead_target_are_not_told_without_end() {
    let world = World::new();
    let (mut expose, id) = world.expose(&format!("gone=unix:{}", world.text("nobody.sock")));
    let (mut forward, address) = world.forward(&format!("{id}/gone"));
    let start = Instant::now();
    for _ in 0..REFUSED {
        // It breaks, or ends: what was refused is told by its own side's log.
        let _ = connect(address).read(&mut [0; 1]);
    }
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 1;
    for running in [&mut expose, &mut forward] {
        let said = running.all_that_was_said();
        let lines = said.lines().filter(|line| line.contains(" WARN ")).count();
        assert!(lines >= BURST, "{said}");
        assert!(lines <= BURST + seconds, "{lines} in {seconds} s: {said}");
    }
}
