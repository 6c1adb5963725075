//! Starting other programs: always in the root folder, never with our standard input.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// `program`, to be run in the root folder and without standard input (CI has none).
pub(crate) fn program(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// The cargo that started us, so that one toolchain does everything.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Says what is run, and runs it.
///
/// # Errors
/// If the program cannot be started or does not end with success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// What the program prints.
///
/// # Errors
/// If the program cannot be started, does not end with success, or prints something else than UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    command.stderr(Stdio::inherit());
    let output = command.output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", line(command), output.status);
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something else than text", line(command)))
}

/// Whether the program can be started and ends with success; what it prints is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Prints the command line about to be run.
pub(crate) fn announce(command: &Command) {
    eprintln!("  $ {}", line(command));
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    let settings = command
        .get_envs()
        .filter_map(|(key, value)| Some(format!("{}={:?}", key.to_string_lossy(), value?)));
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    settings
        .chain([name])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = program("/usr/bin/cargo");
        command
            .args(["doc", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            line(&command),
            r#"RUSTDOCFLAGS="-D warnings" cargo doc --no-deps"#
        );
    }

    #[test]
    fn failure_to_start_and_failure_to_succeed_are_told_apart() {
        let missing = run(&mut program("no-such-program-anywhere")).unwrap_err();
        assert!(missing.to_string().starts_with("cannot start"));
        let failing = run(cargo().arg("no-such-subcommand").stderr(Stdio::null())).unwrap_err();
        assert!(failing.to_string().contains("ended with"));
    }
}
