//! What one host wants of another: one stream, or one flow of datagrams.

use std::time::Duration;

use keyway_wire::{ServiceName, StreamKind};

use crate::applications::Content;

/// An errand, as whoever runs it knows it. The other side learns all it needs from the first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// No two errands of a run have the same one.
    pub(super) name: u64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call(CallPlan),
    Flow(FlowPlan),
}

/// Octets there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallPlan {
    pub(super) length: u64,
    pub(super) answer: u64,
}

/// So many datagrams each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowPlan {
    pub(super) count: u64,
    pub(super) period: Duration,
    pub(super) size: usize,
}

/// Which way a content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    There,
    Back,
}

impl Direction {
    pub(super) fn other(self) -> Self {
        match self {
            Self::There => Self::Back,
            Self::Back => Self::There,
        }
    }

    /// What a name stands for in this direction: nothing that goes there is like what comes back.
    pub(super) fn content(self, name: u64, length: u64) -> Content {
        let name = match self {
            Self::There => name,
            Self::Back => !name,
        };
        Content { name, length }
    }
}

impl Errand {
    pub(super) fn stream_kind(&self) -> StreamKind {
        match self.kind {
            Kind::Call(_) => StreamKind::Bytes,
            Kind::Flow(_) => StreamKind::Datagrams,
        }
    }
}

/// The only service of these worlds.
pub(super) fn service() -> ServiceName {
    "errands".parse().expect("a valid service name")
}

/// How far an errand has come, as one of its sides sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nobody has heard of it, or has reached the other side.
    Absent,
    /// And how far that is.
    Running(String),
    Done,
    Broken(String),
}
