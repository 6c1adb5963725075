//! The command line: `variants`, `serve`, `measure`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::measure::{self, Plan, Workload};
use crate::report::{Figures, Report};
use crate::{Peer, Variant, process};

/// What a measured program can be told.
#[derive(Parser)]
struct Arguments {
    /// The role
    #[command(subcommand)]
    command: Command,
}

/// The roles.
#[derive(clap::Subcommand)]
enum Command {
    /// Print the rows that this program fills, as JSON
    Variants,
    /// Wait for the other role, until standard input ends
    Serve {
        /// The row
        variant: String,
        /// The core to run on
        #[arg(long)]
        core: usize,
    },
    /// Measure one workload against the other role
    Measure {
        /// The row
        variant: String,
        /// What to measure
        #[arg(value_enum)]
        workload: Workload,
        /// The core to run on
        #[arg(long)]
        core: usize,
        /// The server's process
        #[arg(long)]
        server: u32,
        /// What the server said when it was ready
        #[arg(long)]
        address: String,
        /// How much to measure
        #[command(flatten)]
        plan: Plan,
    },
}

/// Says that the server can be connected to, and ends the process when whoever started it has gone.
pub fn announce(address: &str) {
    Report::Ready(address.to_owned()).print();
    std::thread::spawn(|| {
        // Nothing is ever written there: the end of it is the end of the other process.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

/// Runs the program of a [`Peer`]: parses the command line, pins the process, plays the role, and prints the report.
#[must_use]
pub fn run<P: Peer>() -> ExitCode {
    run_with(
        P::VARIANTS,
        |variant| runtime()?.block_on(P::serve(variant, announce)),
        |variant, workload, server, address, plan| {
            runtime()?.block_on(async {
                let client = P::client(variant, address).await?;
                measure::measure(client, workload, server, plan).await
            })
        },
    )
}

/// As [`run`], for a program with roles of its own.
pub fn run_with(
    variants: &'static [Variant],
    serve: impl FnOnce(&'static str) -> Result<()>,
    measure: impl FnOnce(&'static str, Workload, u32, &str, &Plan) -> Result<Figures>,
) -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Variants => print_variants(variants).map(|()| None),
        Command::Serve { variant, core } => prepare(variants, &variant, core)
            .and_then(serve)
            .map(|()| None),
        Command::Measure {
            variant,
            workload,
            core,
            server,
            address,
            plan,
        } => prepare(variants, &variant, core)
            .and_then(|variant| measure(variant, workload, server, &address, &plan))
            .map(Some),
    };
    match outcome {
        Ok(figures) => {
            if let Some(figures) = figures {
                Report::Figures(figures).print();
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            Report::Failed(format!("{error:#}")).print();
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "standard output is what was asked for")]
fn print_variants(variants: &[Variant]) -> Result<()> {
    println!("{}", serde_json::to_string(variants)?);
    Ok(())
}

fn prepare(variants: &[Variant], name: &str, core: usize) -> Result<&'static str> {
    process::pin(core)?;
    process::raise_file_limit()?;
    let variant = variants.iter().find(|variant| variant.name == name);
    Ok(variant.with_context(|| format!("no row `{name}`"))?.name)
}

/// One thread, since there is one core: with more, every library loses.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime)
}
