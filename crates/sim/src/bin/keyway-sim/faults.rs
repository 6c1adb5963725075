//! The hunt for planted faults, as a table.

use std::process::ExitCode;

use crate::arguments::Hunt;

#[cfg(not(feature = "planted-faults"))]
pub(crate) fn run(_: &Hunt, _: u64) -> ExitCode {
    eprintln!("error: no faults are planted in this build; `cargo xtask sim --faults` makes one");
    ExitCode::from(2)
}

/// Hunts for the named faults in the first `seeds` seeds, and tells where each was found.
#[cfg(feature = "planted-faults")]
pub(crate) fn run(hunt: &Hunt, seeds: u64) -> ExitCode {
    let faults: Vec<keyway_sim::Fault> = keyway_sim::Fault::ALL
        .into_iter()
        .filter(|fault| match hunt {
            Hunt::All => true,
            Hunt::One(name) => format!("{fault:?}").eq_ignore_ascii_case(name),
        })
        .collect();
    if faults.is_empty() {
        eprintln!("error: there is no such fault");
        return ExitCode::from(2);
    }
    // Whoever breaks the code on purpose need not see where it breaks.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = 0;
    for fault in faults {
        let name = format!("{fault:?}");
        match keyway_sim::hunt(fault, seeds) {
            Some(found) => println!(
                "{name:<24} found by {} with seed {}: {}",
                found.property, found.seed, found.how
            ),
            None => {
                missed += 1;
                println!("{name:<24} NOT FOUND within {seeds} seeds");
            }
        }
    }
    if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
