//! Numbers that tell a peer why a stream was given up.
//!
//! Those below [`APPLICATION`] have a meaning that all nodes share; from there on they are the application's own.
//!
//! ```
//! use keyway::codes;
//!
//! const TOO_LARGE: u64 = codes::APPLICATION + 1;
//! # async fn run(stream: keyway::Stream) {
//! stream.reset(TOO_LARGE);
//! # }
//! ```

/// Nothing is wrong: the work is done, or nobody needs it any more. What a dropped reader says.
pub const NONE: u64 = keyway_node::codes::NONE;
/// There is no such service, or not for this peer: the two look alike. Its user sees
/// [`ReadError::Refused`](crate::ReadError::Refused).
pub const UNKNOWN_SERVICE: u64 = keyway_node::codes::UNKNOWN_SERVICE;
/// The application let go of the stream before it was done. What a writer that panics says, and a stream whose patience ran out.
pub const ABANDONED: u64 = keyway_node::codes::ABANDONED;
/// Too much of the same is waiting. What a listener says whose backlog is full.
pub const OVERLOADED: u64 = keyway_node::codes::OVERLOADED;
/// The service is there, but what stands behind it takes no connections.
pub const TARGET_REFUSED: u64 = 6;
/// The first code that is the application's own.
pub const APPLICATION: u64 = keyway_node::codes::APPLICATION;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_codes_are_the_same() {
        use keyway_node::codes::{SHUTDOWN, SUPERSEDED};
        let all = [
            NONE,
            UNKNOWN_SERVICE,
            ABANDONED,
            OVERLOADED,
            TARGET_REFUSED,
            APPLICATION,
            SHUTDOWN,
            SUPERSEDED,
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
    }
}
