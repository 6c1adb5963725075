//! Whose node this is: a key file, a key in the environment, or nobody's for longer than this process.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use keyway::{NodeBuilder, SecretKey};
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroizing;

use crate::arguments::Identity;
use crate::exit::Failure;
use crate::output;

/// The variable that holds the content of a key file.
const SECRET_KEY: &str = "KEYWAY_SECRET_KEY";

impl Identity {
    /// Whether this node will be somebody else at its next start.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.key.is_none() && variable().is_none()
    }

    /// Gives the builder its key. An ephemeral identity is said on stderr, together with what it means.
    pub(crate) fn apply(
        &self,
        builder: NodeBuilder,
        meaning: &str,
    ) -> Result<NodeBuilder, Failure> {
        if let Some(path) = &self.key {
            claim(path)?;
            return Ok(builder.key_file(path));
        }
        if let Some(key) = from_environment()? {
            return Ok(builder.secret_key(key));
        }
        output::note(format_args!("no --key FILE: {meaning}"));
        Ok(builder)
    }
}

/// How long another process that has the key file gets to end: one that was told to end does so within this time.
const ENDING_MAX: Duration = Duration::from_secs(5);

/// Makes sure that no other command runs with the same key file, which is made if it is not there. To peers and servers two nodes
/// with one key are one node that restarts again and again: each would end the other's connections.
fn claim(path: &Path) -> Result<(), Failure> {
    /// The system keeps the lock for as long as the file is open: until this process ends, however it does.
    static CLAIMED: OnceLock<File> = OnceLock::new();
    keyway::key_file_id(path)?;
    let failed = |error: io::Error| {
        Failure::new(format_args!(
            "key file {}: cannot read it: {error}",
            path.display()
        ))
    };
    let file = File::open(path).map_err(failed)?;
    // The system tells nobody when waiting for a lock has taken too long, so a thread waits that nobody has to wait for.
    let (sender, locked) = mpsc::channel();
    std::thread::spawn(move || {
        // Where the file system knows no locks there is nothing to be held, and nothing to be said.
        let _ = flock(&file, FlockOperation::LockExclusive);
        sender.send(file)
    });
    match locked.recv_timeout(ENDING_MAX) {
        Ok(file) => {
            let _ = CLAIMED.set(file);
            Ok(())
        }
        Err(_) => Err(Failure::new(format_args!(
            "key file {}: another keyway command runs with it, and one key is one node; give each command its own with --key FILE",
            path.display()
        ))),
    }
}

/// The key in the environment, where there is one.
pub(crate) fn from_environment() -> Result<Option<SecretKey>, Failure> {
    let Some(octets) = variable() else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&octets)
        .map_err(|_| wrong("not text, but it should be the content of a key file"))?;
    SecretKey::from_variable(text).map(Some).map_err(wrong)
}

/// What the variable holds, where that is more than white space. This copy is wiped; the environment itself stays where the kernel
/// put it, for this user and root to read.
fn variable() -> Option<Zeroizing<Vec<u8>>> {
    let octets = Zeroizing::new(std::env::var_os(SECRET_KEY)?.into_encoded_bytes());
    let is_blank = octets.iter().all(u8::is_ascii_whitespace);
    (!is_blank).then_some(octets)
}

fn wrong(reason: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!(
        "{SECRET_KEY}: {reason}; it takes the content of a key file, as in {SECRET_KEY}=\"$(cat agent.key)\""
    ))
}
