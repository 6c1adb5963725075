//! What one operation of each layer costs: the operations, one file for each layer. Each file says which question it answers, and
//! with what input.
//!
//! An operation is written once and measured by whoever is a [`Meter`]: `benches/layers.rs` takes the time, with criterion
//! (`cargo xtask bench`), and `src/bin/counts.rs` runs one case so often that callgrind can count its instructions (`cargo xtask bench
//! counts`). Seeds are fixed, and time is virtual, so that each run does the same.

mod handshake;
mod record_layer;
mod transport;
mod wire;

/// What one operation gets through, where that can be told in a number: a meter of time shows its rate.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// Nothing that has a number.
    One,
    /// Octets of a packet, or of an application.
    Octets(usize),
    /// Frames or ranges.
    Items(usize),
}

/// Somebody who runs operations and measures them.
///
/// The name of a case is its group and its own, with the last `/` between them. What an operation returns is dropped outside of what is measured.
pub trait Meter {
    /// Measures an operation that can be repeated as it is.
    fn measure<T>(&mut self, name: &str, amount: Amount, operation: impl FnMut() -> T);

    /// Measures an operation on what `prepare` gives each time, and on a state that all of them share and `make` begins.
    /// Neither is part of what is measured.
    fn measure_prepared<S, I, T>(
        &mut self,
        name: &str,
        amount: Amount,
        make: impl Fn() -> S,
        prepare: impl FnMut(&mut S) -> I,
        operation: impl FnMut(&mut S, I) -> T,
    );
}

/// Every operation, from the lowest layer up.
///
/// # Panics
/// If an operation does not do what it is measured for.
pub fn measure_all(meter: &mut impl Meter) {
    wire::bulk(meter);
    wire::small_frames(meter);
    wire::acks(meter);
    handshake::steps(meter);
    record_layer::packets(meter);
    record_layer::ratchet(meter);
    transport::flights(meter);
    transport::bulk(meter);
}
