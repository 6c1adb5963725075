//! Runs the simulator's properties over many seeds, one seed again, or the matrix of NATs: `cargo xtask sim`.

mod arguments;
mod faults;
mod matrix;
mod runner;
mod stored;

use std::process::ExitCode;

use arguments::{Arguments, HELP};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => run(&arguments),
        Ok(None) => {
            print!("{HELP}");
            for property in keyway_sim::PROPERTIES {
                println!("  {:<16} {}", property.name, property.promise);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> ExitCode {
    if let Some(matrix) = &arguments.matrix {
        return matrix::run(matrix, &arguments.seeds, arguments.trace);
    }
    match (&arguments.hunt, &arguments.scenario) {
        (Some(hunt), _) => faults::run(hunt, arguments.seeds.end),
        (None, Some(file)) => stored::play(file, arguments.trace),
        (None, None) => runner::run(arguments),
    }
}
