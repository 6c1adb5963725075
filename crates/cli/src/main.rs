//! The `keyway` command: sidecar, server and tools over the `keyway` library.
//!
//! `arguments` says what can be said, `commands` has one file for each command, `bridge` joins local sockets with streams of
//! peers, and `exit` says how a command ends.

mod arguments;
mod bridge;
mod commands;
mod duration;
mod ending;
mod exit;
mod forwarding;
mod identity;
mod output;
mod service;
mod signals;

use std::io::IsTerminal;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::Arguments;
use crate::exit::Exit;

fn main() {
    let arguments = Arguments::parse();
    log_to_stderr();
    let exit = match run(arguments) {
        Ok(exit) => exit,
        Err(failure) => {
            let (style, reset) = (anstyle::AnsiColor::Red.on_default().bold(), anstyle::Reset);
            anstream::eprintln!("{style}error:{reset} {failure}");
            failure.exit
        }
    };
    std::process::exit(exit as i32);
}

fn run(arguments: Arguments) -> Result<Exit, exit::Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| exit::Failure::new(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(async {
        signals::listen()
            .map_err(|error| exit::Failure::new(format!("cannot listen for signals: {error}")))?;
        commands::run(arguments.command).await
    });
    // Dropping it would wait for a thread that waits for stdin.
    runtime.shutdown_background();
    outcome
}

/// Warnings and errors, unless `RUST_LOG` asks for more.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
