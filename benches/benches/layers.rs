//! What the operations of each layer cost in time, by criterion.

use std::cell::RefCell;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use keyway_benches::{Amount, Meter, measure_all};

struct Time<'a>(&'a mut Criterion);

impl Meter for Time<'_> {
    fn measure<T>(&mut self, name: &str, amount: Amount, mut operation: impl FnMut() -> T) {
        self.bench(name, amount, |bencher| bencher.iter(&mut operation));
    }

    fn measure_prepared<S, I, T>(
        &mut self,
        name: &str,
        amount: Amount,
        make: impl Fn() -> S,
        mut prepare: impl FnMut(&mut S) -> I,
        mut operation: impl FnMut(&mut S, I) -> T,
    ) {
        self.bench(name, amount, |bencher| {
            let state = RefCell::new(make());
            bencher.iter_batched(
                || prepare(&mut state.borrow_mut()),
                |input| operation(&mut state.borrow_mut(), input),
                // What is prepared may follow from what the operation before has done.
                BatchSize::PerIteration,
            );
        });
    }
}

impl Time<'_> {
    fn bench(
        &mut self,
        name: &str,
        amount: Amount,
        routine: impl FnMut(&mut criterion::Bencher<'_>),
    ) {
        let (group, name) = name.rsplit_once('/').expect("a group and a name");
        let mut group = self.0.benchmark_group(group);
        match amount {
            Amount::One => {}
            Amount::Octets(octets) => _ = group.throughput(Throughput::Bytes(octets as u64)),
            Amount::Items(items) => _ = group.throughput(Throughput::Elements(items as u64)),
        }
        group.bench_function(name, routine);
        group.finish();
    }
}

fn layers(criterion: &mut Criterion) {
    measure_all(&mut Time(criterion));
}

criterion_group!(benches, layers);
criterion_main!(benches);
