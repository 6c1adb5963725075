//! What each side accepts from the other.

use std::time::Duration;

use keyway_wire::VarInt;

use crate::{error::PayloadError, generated};

/// The smallest `max_udp_payload` there is: every path carries it (RFC 9000, 14).
pub const UDP_PAYLOAD_MIN: u64 = 1_200;

/// `max_ack_delay` stays below this (RFC 9000, 18.2).
pub const ACK_DELAY_LIMIT: Duration = Duration::from_millis(1 << 14);

/// What the sender of these accepts from its peer (RFC 9000, 18.2). All numbers are below 2^62.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportParameters {
    /// Octets in all streams together, until MAX_DATA says more.
    pub max_data: u64,
    /// Octets in each stream, until MAX_STREAM_DATA says more.
    pub max_stream_data: u64,
    /// Streams that the peer may open, until MAX_STREAMS says more.
    pub max_streams: u64,
    /// Octets of payload in one datagram; 0 means that it takes none.
    pub max_datagram: u64,
    /// Octets of payload in one UDP datagram, at least [`UDP_PAYLOAD_MIN`].
    pub max_udp_payload: u64,
    /// For how long it may delay an ACK: below [`ACK_DELAY_LIMIT`], in whole microseconds on the wire.
    pub max_ack_delay: Duration,
}

impl TransportParameters {
    pub(crate) fn to_message(self) -> Result<generated::TransportParameters, PayloadError> {
        let message = generated::TransportParameters {
            max_data: self.max_data,
            max_stream_data: self.max_stream_data,
            max_streams: self.max_streams,
            max_datagram: self.max_datagram,
            max_udp_payload: self.max_udp_payload,
            max_ack_delay_us: u64::try_from(self.max_ack_delay.as_micros()).unwrap_or(u64::MAX),
        };
        check(&message)?;
        Ok(message)
    }

    pub(crate) fn from_message(
        message: Option<generated::TransportParameters>,
    ) -> Result<Self, PayloadError> {
        let message = message.ok_or(PayloadError::NoParameters)?;
        check(&message)?;
        Ok(Self {
            max_data: message.max_data,
            max_stream_data: message.max_stream_data,
            max_streams: message.max_streams,
            max_datagram: message.max_datagram,
            max_udp_payload: message.max_udp_payload,
            max_ack_delay: Duration::from_micros(message.max_ack_delay_us),
        })
    }
}

fn check(message: &generated::TransportParameters) -> Result<(), PayloadError> {
    let delay_max = u64::try_from(ACK_DELAY_LIMIT.as_micros()).unwrap_or(u64::MAX) - 1;
    let bounds = [
        ("max_data", message.max_data, 0, VarInt::MAX.value()),
        (
            "max_stream_data",
            message.max_stream_data,
            0,
            VarInt::MAX.value(),
        ),
        ("max_streams", message.max_streams, 0, VarInt::MAX.value()),
        ("max_datagram", message.max_datagram, 0, VarInt::MAX.value()),
        (
            "max_udp_payload",
            message.max_udp_payload,
            UDP_PAYLOAD_MIN,
            VarInt::MAX.value(),
        ),
        ("max_ack_delay", message.max_ack_delay_us, 0, delay_max),
    ];
    match bounds
        .into_iter()
        .find(|(_, value, minimum, maximum)| value < minimum || value > maximum)
    {
        Some((name, value, ..)) => Err(PayloadError::Parameter { name, value }),
        None => Ok(()),
    }
}
