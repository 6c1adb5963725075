//! What is measured runs: a bench that panics is found here, where no bench and no valgrind is needed.

use std::collections::BTreeSet;

use keyway_benches::{Amount, Meter, measure_all};

#[test]
fn each_case_can_be_repeated_and_has_a_name_of_its_own() {
    let mut names = Twice::default();
    measure_all(&mut names);
    assert!(names.0.len() > 20, "{:?}", names.0);
}

/// Does everything twice: the second time meets what the first has left behind.
#[derive(Default)]
struct Twice(BTreeSet<String>);

impl Twice {
    fn note(&mut self, name: &str) {
        let (group, own) = name.rsplit_once('/').expect("a group and a name");
        assert!(!group.is_empty() && !own.is_empty(), "{name}");
        // A table has them in cells.
        assert!(!name.contains('|'), "{name}");
        assert!(self.0.insert(name.to_owned()), "there are two `{name}`");
    }
}

impl Meter for Twice {
    fn measure<T>(&mut self, name: &str, _: Amount, mut operation: impl FnMut() -> T) {
        self.note(name);
        operation();
        operation();
    }

    fn measure_prepared<S, I, T>(
        &mut self,
        name: &str,
        _: Amount,
        make: impl Fn() -> S,
        mut prepare: impl FnMut(&mut S) -> I,
        mut operation: impl FnMut(&mut S, I) -> T,
    ) {
        self.note(name);
        let mut state = make();
        for _ in 0..2 {
            let input = prepare(&mut state);
            operation(&mut state, input);
        }
    }
}
