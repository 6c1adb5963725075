//! The Noise handshake of Keyway and its record layer.

mod dial;
mod error;
mod generated;
mod incoming;
mod local;
mod mac;
mod noise;
mod parameters;
mod payload;
mod session;

pub use self::{
    dial::Dial,
    error::{HandshakeError, PayloadError},
    incoming::{Incoming, read_init},
    local::{LocalIdentity, check_mac1},
    parameters::{ACK_DELAY_LIMIT, TransportParameters, UDP_PAYLOAD_MIN},
    payload::{InitPayload, RespPayload, VERSIONS_MAX},
    session::{
        FAILED_OPENS, Limits, OpenError, Opened, PACKETS_PER_PHASE, PACKETS_PER_PHASE_MAX, Role,
        SealError, Session,
    },
};
