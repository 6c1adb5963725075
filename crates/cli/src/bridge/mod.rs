//! Between local sockets and services of peers.

pub(crate) mod datagrams;
pub(crate) mod listen;
pub(crate) mod streams;
pub(crate) mod target;
