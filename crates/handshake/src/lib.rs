//! The Noise handshake of Keyway and its record layer.

mod session;

pub use self::session::{
    FAILED_OPENS, Limits, OpenError, Opened, PACKETS_PER_PHASE, PACKETS_PER_PHASE_MAX, Role,
    SealError, Session,
};
