//! What can be wrong with a key file, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::load::LEN_MAX;
use crate::PemError;

/// A key file could not be used. The message names the file and the next step; the file is as it was.
///
/// ```
/// use keyway_identity::key_file::{self, KeyFileCause};
///
/// let error = key_file::load("no/such.key".as_ref()).unwrap_err();
/// assert!(matches!(error.cause(), KeyFileCause::Missing));
/// assert!(error.to_string().starts_with("key file no/such.key: does not exist"));
/// ```
#[derive(Debug)]
pub struct KeyFileError {
    path: PathBuf,
    cause: KeyFileCause,
}

impl KeyFileError {
    pub(super) fn new(path: &Path, cause: KeyFileCause) -> Self {
        Self {
            path: path.to_owned(),
            cause,
        }
    }

    /// The file that was asked for.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn cause(&self) -> &KeyFileCause {
        &self.cause
    }
}

/// What is wrong with a key file.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyFileCause {
    /// There is nothing of that name.
    Missing,
    /// There is something of that name already; it was not touched.
    Exists,
    /// The name is a symbolic link.
    Symlink,
    /// A directory, a pipe, a device or a socket.
    NotAFile,
    /// Others than the owner have access.
    Mode {
        /// The permission bits of the file.
        mode: u32,
    },
    /// The file belongs to somebody else, who could exchange it.
    Owner {
        /// User id of the file's owner.
        owner: u32,
        /// Effective user id of this process.
        user: u32,
    },
    /// Larger than any key file, so that it was not read.
    TooLarge,
    /// The content is not a key, or a damaged one.
    Key(PemError),
    /// The system refused.
    Io {
        /// What was tried, as the end of "cannot …".
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl KeyFileCause {
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { action, error }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "key file {path}: ")?;
        match &self.cause {
            KeyFileCause::Missing => {
                f.write_str("does not exist; check the path, or let a new key be created there")
            }
            KeyFileCause::Exists => f.write_str(
                "exists already and is not overwritten; move it away, or use another path",
            ),
            KeyFileCause::Symlink => f.write_str(
                "is a symbolic link, which could be pointed elsewhere; name its target instead",
            ),
            KeyFileCause::NotAFile => f.write_str("is not a regular file; check the path"),
            KeyFileCause::Mode { mode } => {
                write!(
                    f,
                    "others have access to it (mode {mode:04o}); run `chmod 600 {path}`"
                )
            }
            KeyFileCause::Owner { owner, user } => write!(
                f,
                "belongs to user {owner}, but this process runs as user {user}; run it as that user, \
                 or run `chown {user} {path}`"
            ),
            KeyFileCause::TooLarge => {
                write!(
                    f,
                    "has more than {LEN_MAX} octets, so it is no key; check the path"
                )
            }
            KeyFileCause::Key(error @ PemError::Several) => {
                write!(f, "{error}; leave the private key in it, and nothing else")
            }
            KeyFileCause::Key(error @ (PemError::Label { .. } | PemError::Algorithm { .. })) => {
                write!(
                    f,
                    "{error}; use another path: where there is no file, a key is made"
                )
            }
            KeyFileCause::Key(error) => {
                write!(
                    f,
                    "{error}; restore it from a backup, or move it away to become a new node"
                )
            }
            KeyFileCause::Io { action, error } => {
                write!(f, "cannot {action}: {error}; {}", next_step(error))
            }
        }
    }
}

/// What helps against an error of the system.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has errors that nothing can be said about but their own words"
)]
fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "make the folder first, or check the path",
        io::ErrorKind::NotADirectory => "the path leads through something that is no folder",
        io::ErrorKind::PermissionDenied => {
            "run this as the user whom the file and its folder belong to, or use another path"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "no key was made: make room there, or use another path"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "no key was made: use a path that can be written, or KEYWAY_SECRET_KEY"
        }
        _ => "check the path",
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            KeyFileCause::Key(error) => Some(error),
            KeyFileCause::Io { error, .. } => Some(error),
            KeyFileCause::Missing
            | KeyFileCause::Exists
            | KeyFileCause::Symlink
            | KeyFileCause::NotAFile
            | KeyFileCause::Mode { .. }
            | KeyFileCause::Owner { .. }
            | KeyFileCause::TooLarge => None,
        }
    }
}
