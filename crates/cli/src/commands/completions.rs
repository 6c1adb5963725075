//! `keyway completions`

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) fn run(arguments: &Completions) -> Result<Exit, Failure> {
    // Into memory first: writing to a closed pipe, the generator would panic.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "keyway",
        &mut script,
    );
    output::octets(&script)?;
    Ok(Exit::Done)
}
