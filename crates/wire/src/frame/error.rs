use crate::address::{AddressError, ReadError};
use crate::codec::Truncated;
use crate::service_name::ServiceNameError;

/// Why an authentic packet does not hold frames. Its sender is broken or hostile: the association is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The packet ends inside a frame.
    #[error("the packet ends inside a frame: {needed} octets needed, {remaining} left")]
    Truncated {
        /// Octets that the next field takes.
        needed: usize,
        /// Octets that are left.
        remaining: usize,
    },
    /// No frame begins with that octet.
    #[error("unknown frame kind {kind:#04x}")]
    UnknownKind {
        /// The octet.
        kind: u8,
    },
    /// The issue sequence of a CID has 32 bits.
    #[error("CID sequence {value} needs more than 32 bits")]
    CidSequenceTooLarge {
        /// The number.
        value: u64,
    },
    /// NEW_CID retires what it issues.
    #[error("NEW_CID retires CIDs before {retire_prior_to}, but issues {sequence}")]
    RetiresItself {
        /// The sequence that it issues.
        sequence: u32,
        /// All sequences below this are retired.
        retire_prior_to: u32,
    },
    /// A range of an ACK would begin below packet number 0.
    #[error("an ACK range of {length} below packet number {below}")]
    AckRangeUnderflow {
        /// The packet number from which is counted down.
        below: u64,
        /// How far is counted down.
        length: u64,
    },
    /// More ranges than [`crate::ACK_RANGES_MAX`].
    #[error(
        "an ACK of more than {} ranges: {count} after the first",
        crate::ACK_RANGES_MAX
    )]
    TooManyAckRanges {
        /// Ranges after the first.
        count: u64,
    },
    /// OPEN of a kind of stream that does not exist.
    #[error("unknown kind of stream {kind}")]
    UnknownStreamKind {
        /// The octet.
        kind: u8,
    },
    /// OPEN for something that is not a service name.
    #[error("not a service name: {0}")]
    ServiceName(ServiceNameError),
    /// The data of a STREAM frame end above the largest offset, 2^62 - 1.
    #[error("{length} octets at offset {offset} end above the largest offset")]
    OffsetTooLarge {
        /// Where the data begin.
        offset: u64,
        /// Octets of data.
        length: usize,
    },
    /// More streams than there are ids: [`crate::STREAMS_MAX`].
    #[error("{count} streams are more than there are ids")]
    TooManyStreams {
        /// The number.
        count: u64,
    },
    /// An address that cannot be one.
    #[error("not an address: {0}")]
    Address(AddressError),
    /// More candidates than [`crate::CANDIDATES_MAX`].
    #[error("{count} candidates are more than {}", crate::CANDIDATES_MAX)]
    TooManyCandidates {
        /// The number.
        count: u64,
    },
    /// A candidate of a kind that does not exist.
    #[error("unknown kind of candidate {kind}")]
    UnknownCandidateKind {
        /// The octet.
        kind: u8,
    },
    /// A reason for closing that is longer than [`crate::CLOSE_REASON_LEN_MAX`].
    #[error(
        "a reason of {length} octets is longer than {}",
        crate::CLOSE_REASON_LEN_MAX
    )]
    ReasonTooLong {
        /// Octets of the reason.
        length: usize,
    },
    /// A reason for closing that is not UTF-8.
    #[error("the reason is not UTF-8 after {valid} octets")]
    ReasonNotText {
        /// Octets that are UTF-8.
        valid: usize,
    },
}

impl From<Truncated> for FrameError {
    fn from(Truncated { needed, remaining }: Truncated) -> Self {
        Self::Truncated { needed, remaining }
    }
}

impl From<ReadError> for FrameError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Truncated(truncated) => truncated.into(),
            ReadError::Invalid(error) => Self::Address(error),
        }
    }
}
