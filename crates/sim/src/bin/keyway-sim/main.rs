//! Runs the simulator's properties over many seeds, or one seed again: `cargo xtask sim`.

mod arguments;
mod runner;

use std::process::ExitCode;

use arguments::{Arguments, HELP};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => runner::run(&arguments),
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
