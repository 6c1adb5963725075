//! Runs one case so that callgrind can count its instructions: `counts NAME REPEATS`. Without arguments, prints the names.
//!
//! `cargo xtask bench counts` runs this under callgrind, which counts only inside of [`counted`]: neither the start of the process nor
//! what an operation is prepared with is in the count.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use keyway_benches::{Amount, Meter, measure_all};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut meter = match arguments.as_slice() {
        [] => Repeats {
            name: None,
            repeats: 0,
            found: true,
        },
        [name, repeats] => Repeats {
            name: Some(name.clone()),
            repeats: repeats.parse().unwrap_or(0),
            found: false,
        },
        _ => return usage(),
    };
    measure_all(&mut meter);
    if meter.found {
        ExitCode::SUCCESS
    } else {
        usage()
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: counts [NAME REPEATS]");
    ExitCode::FAILURE
}

/// The one function that callgrind counts in, by its name. It must be a function of its own in the program as built.
#[inline(never)]
fn counted(operations: &mut dyn FnMut()) {
    operations();
}

/// Runs the case with this name, or prints all names.
struct Repeats {
    name: Option<String>,
    repeats: u32,
    found: bool,
}

impl Repeats {
    fn wants(&mut self, name: &str) -> bool {
        let Some(wanted) = &self.name else {
            println!("{name}");
            return false;
        };
        let wants = wanted == name;
        self.found |= wants;
        wants
    }
}

impl Meter for Repeats {
    fn measure<T>(&mut self, name: &str, _: Amount, mut operation: impl FnMut() -> T) {
        if !self.wants(name) {
            return;
        }
        // The first one pays for what a process does once, such as choosing code for this processor.
        black_box(operation());
        counted(&mut || {
            for _ in 0..self.repeats {
                black_box(operation());
            }
        });
    }

    fn measure_prepared<S, I, T>(
        &mut self,
        name: &str,
        _: Amount,
        make: impl Fn() -> S,
        mut prepare: impl FnMut(&mut S) -> I,
        mut operation: impl FnMut(&mut S, I) -> T,
    ) {
        if !self.wants(name) {
            return;
        }
        let mut state = make();
        let first = prepare(&mut state);
        black_box(operation(&mut state, first));
        for _ in 0..self.repeats {
            let mut input = Some(prepare(&mut state));
            let mut output = None;
            counted(&mut || {
                output = input
                    .take()
                    .map(|input| black_box(operation(&mut state, input)))
            });
        }
    }
}
