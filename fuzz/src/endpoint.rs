use keyway_sim::Scenario;

/// A scenario: whatever nodes and their network do, the simulator's invariants hold.
///
/// Octets choose what happens, not what packets say: those are made, and changed, by a world that knows how to.
pub fn endpoint(data: &[u8]) {
    let scenario = Scenario::from_bytes(data);
    if let Err(failure) = scenario.play(false) {
        panic!("{failure}\n\n{}", scenario.to_text());
    }
}
