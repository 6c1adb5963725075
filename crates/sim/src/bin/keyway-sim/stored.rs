//! Scenarios in files: played again, and written when one fails.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use keyway_sim::{Failure, Scenario};

/// How many smaller scenarios are tried at most: a minute or so.
const TRIES: usize = 600;

/// Plays the scenario of a file, and tells how it went.
pub(crate) fn play(file: &Path, trace: bool) -> ExitCode {
    let shown = file.display();
    let scenario = fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| Scenario::from_text(&text).map_err(|error| error.to_string()));
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("error: {shown}: {error}");
            return ExitCode::from(2);
        }
    };
    match scenario.play(trace) {
        Ok(played) => {
            let (seconds, packets) = (played.time.as_secs_f64(), played.packets);
            println!(
                "{shown}: {seconds:.3} s, {packets} packets, trace {:016x}; {} errands",
                played.trace_hash, played.errands
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("FAILED {shown} {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Makes a scenario that fails as small as it can be, and writes it into a folder; gives the file's name.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn shrink_and_store(seed: u64, folder: &Path) -> io::Result<PathBuf> {
    let scenario = Scenario::from_seed(seed);
    let smallest = scenario.shrink(TRIES, |candidate| failure(candidate).is_some());
    let why = failure(&smallest).map_or_else(String::new, |failure| failure.to_string());
    let file = folder.join(format!("seed-{seed}.toml"));
    fs::create_dir_all(folder)?;
    fs::write(&file, smallest.to_kept_text(&why))?;
    Ok(file)
}

/// Why a scenario fails, if it does.
fn failure(scenario: &Scenario) -> Option<Failure> {
    let result = catch_unwind(AssertUnwindSafe(|| scenario.play(false)));
    match result {
        Ok(result) => result.err(),
        Err(_) => Some(Failure::panicked()),
    }
}
