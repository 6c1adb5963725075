//! How a command ends: one message on stderr that says the next step, and a code for scripts.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors may grow, and what this command does not know is a plain failure"
)]

use std::fmt;
use std::io;

use keyway::{
    BindError, CloseError, ConnectError, ConnectionError, DatagramError, ListenError, LookupError,
    ReadError, WriteError, codes,
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

impl Exit {
    /// The word that scripts find in the object of `--json`.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
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

    /// The same failure, with a next step that only the command knows, where the peer said no.
    pub(crate) fn if_refused(mut self, next_step: &str) -> Self {
        if self.exit == Exit::Refused {
            self.message.push_str(next_step);
        }
        self
    }

    /// A node that was asked to reach itself.
    pub(crate) fn one_key_for_two(id: impl fmt::Display) -> Self {
        Self::usage(format_args!(
            "{id} is this node itself: both ends have the same key; give each its own with --key FILE"
        ))
    }
}

/// What helps where the system refuses a local socket, as the end of a message.
pub(crate) fn socket_next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program has it: choose another, or port 0 for a free one"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this machine has this address: take one that `ip addr` lists, or 0.0.0.0 or [::] for all"
        }
        io::ErrorKind::PermissionDenied => {
            "; choose one that this user may open, such as a port from 1024 on"
        }
        io::ErrorKind::AlreadyExists => "; it is not a socket: choose another path",
        io::ErrorKind::NotFound => "; make its folder first, or check the path",
        io::ErrorKind::NotADirectory => "; the path leads through something that is no folder",
        // The resolver's own errors have no number.
        _ if error.raw_os_error().is_none() => {
            "; write an address of this machine, such as 127.0.0.1"
        }
        _ => "",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn exit_of_lost(lost: &ConnectionError) -> Exit {
    match lost {
        ConnectionError::TimedOut { .. } | ConnectionError::Displaced => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        let message = match &error {
            ConnectionError::PeerClosed { reason, .. } if reason.is_empty() => {
                "the peer ended: connect again once its program runs".to_owned()
            }
            _ => error.to_string(),
        };
        Self {
            exit: exit_of_lost(&error),
            message,
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
            ConnectError::Myself { peer } => return Self::one_key_for_two(peer),
            ConnectError::Service(_) => Exit::Usage,
            ConnectError::Resolve { .. } => {
                return Self::unreachable(format_args!(
                    "{error}; check the name, or write the address in numbers"
                ));
            }
            ConnectError::Lost(lost) => return lost.clone().into(),
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
            ReadError::Lost(lost) => return lost.clone().into(),
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
            WriteError::Lost(lost) => return lost.clone().into(),
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
            DatagramError::Lost(lost) => return lost.clone().into(),
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
            LookupError::Lost(lost) => return lost.clone().into(),
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
        match &error {
            BindError::Socket { source, .. } => {
                Self::new(format!("{error}{}", socket_next_step(source)))
            }
            _ => Self::new(error),
        }
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
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
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
