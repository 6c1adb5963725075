//! The `keyway` command: sidecar, server and tools over the `keyway` library.
//!
//! `arguments` says what can be said, `usage` what was said wrongly, `commands` has one file for each command, `bridge` joins local
//! sockets with streams of peers, `reach` says why nobody answers, and `exit` how a command ends.

mod admission;
mod arguments;
mod bridge;
mod commands;
mod duration;
mod ending;
mod exit;
mod forwarding;
mod identity;
mod listed;
mod log;
mod output;
mod reach;
mod service;
mod signals;
mod usage;

use std::panic::{AssertUnwindSafe, PanicHookInfo};

use crate::arguments::Arguments;
use crate::exit::{Exit, Failure};

fn main() {
    std::panic::set_hook(Box::new(tell_of_bug));
    let exit = match std::panic::catch_unwind(AssertUnwindSafe(run_and_tell)) {
        Ok(exit) => exit,
        // The hook has said it.
        Err(_) => Exit::Failed,
    };
    std::process::exit(exit as i32);
}

fn run_and_tell() -> Exit {
    let (outcome, json) = match usage::parse() {
        Ok(arguments) => {
            let json = arguments.command.json();
            (run(arguments), json)
        }
        Err(usage::Refused::Shown) => return Exit::Done,
        Err(usage::Refused::HelpInstead) => return Exit::Usage,
        Err(usage::Refused::Mistake(failure)) => (Err(failure), usage::wants_json()),
    };
    outcome.unwrap_or_else(|failure| {
        output::last_words(&failure, json);
        failure.exit
    })
}

fn run(arguments: Arguments) -> Result<Exit, Failure> {
    log::to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(async {
        signals::listen()
            .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
        commands::run(arguments.command).await
    });
    // Dropping it would wait for a thread that waits for stdin.
    runtime.shutdown_background();
    outcome
}

/// A panic is a bug of ours, and is told as one: in one line, with the place.
fn tell_of_bug(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("no words");
    let place = panic
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    output::note(format_args!(
        "this is a bug in keyway, please report it: {said} (at {place})"
    ));
}
