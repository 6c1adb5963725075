//! How a command ends: one message on stderr that says the next step, and a code for scripts.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors may grow, and what this command does not know is a plain failure"
)]

use std::fmt;

use keyway::{
    BindError, CloseError, ConnectError, DatagramError, ListenError, LookupError, Lost, ReadError,
    WriteError, codes,
};

/// Exit codes, as the README promises them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    Refused = 4,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.to_string(),
        }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.to_string(),
        }
    }

    pub(crate) fn unreachable(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Unreachable,
            message: message.to_string(),
        }
    }

    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Refused,
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn exit_of_lost(lost: &Lost) -> Exit {
    match lost {
        Lost::TimedOut { .. } => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

impl From<Lost> for Failure {
    fn from(error: Lost) -> Self {
        Self {
            exit: exit_of_lost(&error),
            message: error.to_string(),
        }
    }
}

/// What it means that the peer gave up a stream with this code.
fn given_up(code: u64) -> Option<Failure> {
    match code {
        codes::TARGET_REFUSED => Some(Failure::refused(
            "the peer has the service, but what stands behind it takes no connections: is its program running?",
        )),
        codes::OVERLOADED => Some(Failure::refused(
            "the peer refused: too many connections to the service wait already, try again later",
        )),
        codes::ABANDONED => Some(Failure::new(
            "the peer broke the stream off: not everything has arrived",
        )),
        _ => None,
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::NoRoute { peer } => {
                return Self::unreachable(format!(
                    "no way to {peer} is known: give --server ID@HOST:PORT, or the peer's address, as in {peer}@HOST:PORT"
                ));
            }
            ConnectError::Service(_) | ConnectError::Myself { .. } => Exit::Usage,
            ConnectError::Lost(lost) => exit_of_lost(lost),
            _ => Exit::Unreachable,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        if let ReadError::Reset { code } = &error
            && let Some(failure) = given_up(*code)
        {
            return failure;
        }
        let exit = match &error {
            ReadError::Refused => Exit::Refused,
            ReadError::Lost(lost) => exit_of_lost(lost),
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        if let WriteError::Stopped { code } = &error
            && let Some(failure) = given_up(*code)
        {
            return failure;
        }
        let exit = match &error {
            WriteError::Refused => Exit::Refused,
            WriteError::Lost(lost) => exit_of_lost(lost),
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<DatagramError> for Failure {
    fn from(error: DatagramError) -> Self {
        let exit = match &error {
            DatagramError::Refused => Exit::Refused,
            DatagramError::Lost(lost) => exit_of_lost(lost),
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        let exit = match &error {
            LookupError::NoServer => {
                return Self::usage("there is no server to ask: give --server ID@HOST:PORT");
            }
            LookupError::Lost(lost) => exit_of_lost(lost),
            _ => Exit::Unreachable,
        };
        Self {
            exit,
            message: error.to_string(),
        }
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let in_use = matches!(&error, BindError::Socket { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse);
        let hint = if in_use {
            "; another program has this port: choose another, or port 0 for a free one"
        } else {
            ""
        };
        Self::new(format!("{error}{hint}"))
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        Self::usage(error)
    }
}

impl From<CloseError> for Failure {
    fn from(error: CloseError) -> Self {
        Self::unreachable(error)
    }
}

/// An error of `AsyncRead` or `AsyncWrite` carries ours inside.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(read) = inner.and_then(|inner| inner.downcast_ref::<ReadError>()) {
            return read.clone().into();
        }
        if let Some(write) = inner.and_then(|inner| inner.downcast_ref::<WriteError>()) {
            return write.clone().into();
        }
        Self::new(error)
    }
}
