//! Results go to stdout, one line each, at once; everything else to stderr. Somebody who has read enough ends the command quietly.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Writes one line of results.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    check(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// Writes one result as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(Failure::new)?)
}

/// Writes octets as they are.
pub(crate) fn octets(octets: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    check(stdout.write_all(octets).and_then(|()| stdout.flush()))
}

fn check(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            std::process::exit(Exit::Done as i32)
        }
        Err(error) => Err(Failure::new(format!(
            "cannot write to stdout: {error}; where it leads to is full or gone"
        ))),
    }
}

/// Tells people something that is neither a result nor the end. Nobody may be listening any more, which stops nothing.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "keyway: {text}");
}

/// The object that takes the place of the last words where `--json` is given.
#[derive(Serialize)]
struct LastWords<'a> {
    error: String,
    kind: &'a str,
    exit: i32,
}

/// Tells why the command failed: one line on stderr, for people or as one JSON object.
pub(crate) fn last_words(failure: &Failure, json: bool) {
    let mut stderr = anstream::stderr().lock();
    let message = in_one_line(&failure.to_string());
    let object = LastWords {
        error: message.clone(),
        kind: failure.exit.kind(),
        exit: failure.exit as i32,
    };
    // If this cannot be written there is nobody left to tell; the exit code says it still.
    let _ = match serde_json::to_string(&object) {
        Ok(object) if json => writeln!(stderr, "{object}"),
        Ok(_) | Err(_) => {
            let (style, reset) = (anstyle::AnsiColor::Red.on_default().bold(), anstyle::Reset);
            writeln!(stderr, "{style}error:{reset} {message}")
        }
    };
}

/// What was given by others may contain line breaks, and what would move a terminal's cursor.
fn in_one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for character in message.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_steers_no_terminal() {
        assert_eq!(in_one_line("a\nb\u{1b}[2J é"), "a\\nb\\u{1b}[2J é");
    }
}
