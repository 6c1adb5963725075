//! Reading the command line, and saying in one line what is wrong with it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "clap's kinds of errors may grow, and most of them are told in its own words"
)]

use std::error::Error;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use crate::arguments::Arguments;
use crate::exit::Failure;

/// Why there is nothing to run.
pub(crate) enum Refused {
    /// Help or version were asked for, and shown on stdout.
    Shown,
    /// Nothing was asked for, and help was shown on stderr instead.
    HelpInstead,
    /// What was asked for cannot be understood.
    Mistake(Failure),
}

/// What the command line and the environment say.
pub(crate) fn parse() -> Result<Arguments, Refused> {
    let command = command();
    let matched = command.clone().try_get_matches();
    matched
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| refuse(&command, &error))
}

/// Whether errors should be JSON where the command line could not be read. Guessed from its words.
pub(crate) fn wants_json() -> bool {
    let said = std::env::args_os()
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    let variable = std::env::var("KEYWAY_JSON").unwrap_or_default();
    let no = ["", "0", "n", "no", "f", "false", "off"];
    said || !no.contains(&variable.trim().to_lowercase().as_str())
}

/// The description of the command line, without the variables that are set to nothing: a template whose variable was empty means no
/// flag, not an empty one.
fn command() -> Command {
    let without_blank = |argument: Arg| {
        let blank = argument
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()));
        if blank {
            argument.env(None::<&'static str>)
        } else {
            argument
        }
    };
    Arguments::command().mut_subcommands(|command| command.mut_args(without_blank))
}

fn refuse(command: &Command, error: &clap::Error) -> Refused {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Whoever stopped reading had enough.
            let _ = error.print();
            Refused::Shown
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Refused::HelpInstead
        }
        ErrorKind::ValueValidation => Refused::Mistake(Failure::usage(wrong_value(command, error))),
        _ => Refused::Mistake(Failure::usage(in_one_line(error))),
    }
}

/// `--server nonsense: what is wrong with it`, or with the name of the variable that said so.
fn wrong_value(command: &Command, error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let name = argument
        .split(' ')
        .next()
        .unwrap_or_default()
        .trim_matches(['<', '>', '[', ']', '.']);
    let name = variable_of(command, name).unwrap_or_else(|| name.to_owned());
    let reason = error
        .source()
        .map_or_else(|| "not understood".to_owned(), ToString::to_string);
    format!("{name} `{value}`: {reason}")
}

/// The variable that stands for the flag `--name`, where the flag itself is not on the command line.
fn variable_of(command: &Command, flag: &str) -> Option<String> {
    let argument = command
        .find_subcommand(subcommand()?)?
        .get_arguments()
        .find(|argument| argument.get_long() == flag.strip_prefix("--"))?;
    let is_said = |word: String| {
        let short = argument
            .get_short()
            .is_some_and(|short| word.starts_with(&format!("-{short}")));
        short || word == flag || word.starts_with(&format!("{flag}="))
    };
    if std::env::args().any(is_said) {
        return None;
    }
    Some(argument.get_env()?.to_string_lossy().into_owned())
}

fn subcommand() -> Option<String> {
    std::env::args().skip(1).find(|word| !word.starts_with('-'))
}

/// What clap says on several lines, less the usage, which `--help` has in full.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    let help = match subcommand() {
        Some(name) if error.kind() != ErrorKind::InvalidSubcommand => {
            format!("keyway {name} --help")
        }
        _ => "keyway --help".to_owned(),
    };
    let said = said.join(" ").replace(" tip: ", "; ");
    format!("{said}; `{help}` says more")
}
