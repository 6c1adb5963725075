//! What hosts do over their streams: small state machines that notice every octet that is wrong.

mod content;
mod datagrams;
mod echo;
mod exchange;

pub use content::Content;
pub use datagrams::{DatagramPlan, Datagrams};
pub use echo::Echo;
pub use exchange::Exchange;

use keyway_node::{Node, StreamKey};
use keyway_wire::{StreamKind, Time};

/// What is to be done over a stream once it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Send one content and expect another.
    Exchange {
        /// What to send.
        outgoing: Content,
        /// What has to come.
        incoming: Content,
    },
    /// Give back what comes.
    Echo,
    /// Send and receive datagrams.
    Datagrams(DatagramPlan),
}

impl Plan {
    /// The kind of stream that the plan needs.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        match self {
            Self::Exchange { .. } | Self::Echo => StreamKind::Bytes,
            Self::Datagrams(_) => StreamKind::Datagrams,
        }
    }

    pub(crate) fn start(&self, now: Time) -> Application {
        match *self {
            Self::Exchange { outgoing, incoming } => {
                Application::Exchange(Exchange::new(now, outgoing, incoming))
            }
            Self::Echo => Application::Echo(Echo::default()),
            Self::Datagrams(plan) => Application::Datagrams(Datagrams::new(now, plan)),
        }
    }
}

/// What is being done over a stream.
#[derive(Clone, Debug)]
pub enum Application {
    /// See [`Exchange`].
    Exchange(Exchange),
    /// See [`Echo`].
    Echo(Echo),
    /// See [`Datagrams`].
    Datagrams(Datagrams),
}

impl Application {
    /// Goes on as far as the stream lets it.
    pub(crate) fn go_on(
        &mut self,
        now: Time,
        node: &mut Node,
        stream: StreamKey,
    ) -> Result<(), String> {
        match self {
            Self::Exchange(exchange) => {
                exchange.write(node, stream)?;
                exchange.read_all(now, node, stream)
            }
            Self::Echo(echo) => echo.pass(node, stream),
            Self::Datagrams(datagrams) => {
                datagrams.send(now, node, stream)?;
                datagrams.receive(node, stream)
            }
        }
    }

    /// Everything sent, and the end, has arrived.
    pub(crate) fn delivered(&mut self) {
        if let Self::Exchange(exchange) = self {
            exchange.delivered();
        }
    }

    /// When it has something to do by itself.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        match self {
            Self::Exchange(_) | Self::Echo(_) => None,
            Self::Datagrams(datagrams) => datagrams.due(),
        }
    }
}
