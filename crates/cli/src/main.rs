//! The `keyway` command: sidecar, server and tools over the `keyway` library.
//!
//! `arguments` says what can be said, `usage` what was said wrongly, `commands` has one file for each command, `bridge` joins local
//! sockets with streams of peers, `reach` says why nobody answers, and `exit` how a command ends.

mod arguments;
mod bridge;
mod commands;
mod duration;
mod ending;
mod exit;
mod forwarding;
mod identity;
mod output;
mod reach;
mod service;
mod signals;
mod usage;

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, PanicHookInfo};

use tracing_subscriber::EnvFilter;

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
    log_to_stderr();
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

/// Warnings and errors, unless `RUST_LOG` asks for more.
fn log_to_stderr() {
    let usual = || EnvFilter::new("warn");
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.trim().is_empty() => {
            EnvFilter::try_new(&directives).unwrap_or_else(|error| {
                output::note(format_args!(
                    "RUST_LOG={directives}: {error}; write RUST_LOG=keyway=debug, for instance; showing warnings alone"
                ));
                usual()
            })
        }
        Ok(_) | Err(_) => usual(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // Its own complaint about a closed stderr would go to stderr, and end the process.
        .log_internal_errors(false)
        .init();
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
