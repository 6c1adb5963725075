//! The command as a user without privileges runs it.

use std::process::Command;

use crate::command::{keyway, run};

/// The user that owns nothing.
const NOBODY: &str = "65534";

/// The command with these arguments, as somebody who is not root. None, told aloud, where that cannot be tried.
pub(super) fn without_privileges(arguments: &[&str]) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(keyway(arguments));
    }
    if std::fs::exists("/usr/bin/setpriv").unwrap_or(false)
        && run(&mut as_nobody(&["--version"])).code == Some(0)
    {
        return Some(as_nobody(arguments));
    }
    eprintln!("skipped: there is no setpriv, or nobody but root may run the command");
    None
}

fn as_nobody(arguments: &[&str]) -> Command {
    let plain = keyway(arguments);
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, _) in plain.get_envs() {
        command.env_remove(name);
    }
    command
}
