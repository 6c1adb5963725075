//! What the tests of the command share: processes with deadlines, a world of a server and nodes, and local services.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod command;
pub(crate) mod service;
pub(crate) mod world;
