//! Keyway's own tasks, in plain Rust: `cargo xtask` lists them.
//!
//! One file per command. What several commands need is here too: [`step`] announces steps and keeps their times,
//! [`process`] starts other programs, [`workspace`] knows where things are.

mod bench;
mod ci;
mod flood;
mod fuzz;
mod process;
mod proto;
mod requirements;
mod sim;
mod soak;
mod step;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Keyway's own tasks. `cargo xtask test` is where to begin.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test of the workspace; needs nothing but rustup and a C compiler
    Test,
    /// Run all that CI runs: the tests, then every other check, each of which can be named to run alone
    Ci(ci::Arguments),
    /// Write the Rust of proto/*.proto into the crates, or check that it is current
    Proto(proto::Arguments),
    /// Tell which test shows which rule of proto/PROTOCOL.md, and which rules have none
    Requirements,
    /// Run the simulator's properties over seeds that nobody has tried, replay one, hunt for planted faults, or print the matrix of NATs
    Sim(sim::Arguments),
    /// Run the fuzz targets, each for some seconds
    Fuzz(fuzz::Arguments),
    /// Send junk to a node that others use, and measure what is left for them
    Flood(flood::Arguments),
    /// Run the micro-benchmarks
    Bench(bench::Arguments),
    /// Run mixed traffic for long, and fail if any process grows
    Soak(soak::Arguments),
}

fn main() -> ExitCode {
    let Some(command) = Arguments::parse().command else {
        // Nothing was asked for: tell what there is. A failure to print is nothing that we could report either.
        return match Arguments::command().print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    };
    let result = match command {
        Command::Test => test::run(),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Proto(arguments) => proto::run(&arguments),
        Command::Requirements => requirements::run(),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Flood(arguments) => flood::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
