//! `keyway completions`

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;

pub(crate) fn run(arguments: &Completions) -> Exit {
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "keyway",
        &mut std::io::stdout(),
    );
    Exit::Done
}
