//! What a node says in public about itself.

use std::time::Duration;

use keyway_identity::{NodeId, NodeIdError, Signable};
use prost::Message;

use crate::edition::Edition;
use crate::generated;
use crate::wall::Wall;

/// The longest that a record may live. It is refreshed well before: a server that lost its state has it back
/// within one refresh, and a node that died is forgotten soon.
pub const RECORD_LIFETIME_MAX: Duration = Duration::from_secs(300);

/// By how much the clock of whoever issued a record may differ from that of its reader.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(60);

/// Versions that a record may list.
pub const RECORD_VERSIONS_MAX: usize = 16;

/// Servers that a record may list.
pub const RECORD_SERVERS_MAX: usize = 8;

/// The record of a node: that it is there, what it speaks, and where it can be met. It holds no addresses.
///
/// Worth anything only as a [`keyway_identity::Signed`] one, signed by the node itself.
///
/// ```
/// use std::time::Duration;
///
/// use keyway_identity::{SecretKey, Signed};
/// use keyway_rendezvous::{Record, Wall};
///
/// let key = SecretKey::from_bytes([7; 32]);
/// let issued = Wall(1_800_000_000);
/// let record = Record {
///     node: key.node_id(),
///     versions: vec![1],
///     epoch: 1,
///     instance: 2,
///     sequence: 3,
///     servers: Vec::new(),
///     issued,
///     expiry: issued.saturating_add(Duration::from_secs(300)),
/// };
/// let signed = Signed::sign(record, &key).unwrap();
/// let heard = Signed::<Record>::verify(signed.bytes(), signed.signature()).unwrap();
/// assert!(heard.value().check_time(issued).is_ok());
/// assert!(heard.value().check_time(Wall(issued.0 + 1_000)).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    pub node: NodeId,
    /// Protocol versions that the node speaks; at most [`RECORD_VERSIONS_MAX`].
    pub versions: Vec<u32>,
    /// Grows with every start of the identity.
    pub epoch: u64,
    /// Random; tells two processes with one epoch apart.
    pub instance: u64,
    /// Grows with every record of an instance.
    pub sequence: u64,
    /// Where the node can be met; at most [`RECORD_SERVERS_MAX`].
    pub servers: Vec<NodeId>,
    /// When it was made, by the clock of the node.
    pub issued: Wall,
    /// Until when it holds; at most [`RECORD_LIFETIME_MAX`] after it was issued.
    pub expiry: Wall,
}

impl Record {
    /// What orders this record among those of the same node.
    pub const fn edition(&self) -> Edition {
        Edition {
            epoch: self.epoch,
            instance: self.instance,
            sequence: self.sequence,
        }
    }

    /// Whether the record holds at `wall`, give or take [`CLOCK_SKEW_MAX`].
    ///
    /// # Errors
    ///
    /// Says on which side of its lifetime `wall` is. Nothing is wrong with the record itself.
    pub fn check_time(&self, wall: Wall) -> Result<(), OutOfTime> {
        if self.issued > wall.saturating_add(CLOCK_SKEW_MAX) {
            Err(OutOfTime::FromTheFuture)
        } else if self.expiry.saturating_add(CLOCK_SKEW_MAX) < wall {
            Err(OutOfTime::Expired)
        } else {
            Ok(())
        }
    }
}

impl Signable for Record {
    const CONTEXT: &'static str = "keyway record v1";
    // Enough for what later versions add (services, tags); a reader keeps what it does not know.
    const LEN_MAX: usize = 2048;

    type Error = RecordError;

    fn signer(&self) -> NodeId {
        self.node
    }

    fn to_bytes(&self) -> Vec<u8> {
        let message = generated::Record {
            node: self.node.as_bytes().to_vec(),
            versions: self.versions.clone(),
            epoch: self.epoch,
            instance: self.instance,
            sequence: self.sequence,
            servers: self
                .servers
                .iter()
                .map(|server| server.as_bytes().to_vec())
                .collect(),
            issued: self.issued.0,
            expiry: self.expiry.0,
        };
        message.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let message = generated::Record::decode(bytes).map_err(|_| RecordError::Malformed)?;
        let too_many = message.versions.len() > RECORD_VERSIONS_MAX
            || message.servers.len() > RECORD_SERVERS_MAX;
        if too_many {
            return Err(RecordError::TooMany);
        }
        let lifetime = Wall(message.expiry).saturating_since(Wall(message.issued));
        if lifetime.is_zero() || lifetime > RECORD_LIFETIME_MAX {
            return Err(RecordError::Lifetime { lifetime });
        }
        Ok(Self {
            node: node_id(&message.node)?,
            versions: message.versions,
            epoch: message.epoch,
            instance: message.instance,
            sequence: message.sequence,
            servers: message
                .servers
                .iter()
                .map(|id| node_id(id))
                .collect::<Result<_, _>>()?,
            issued: Wall(message.issued),
            expiry: Wall(message.expiry),
        })
    }
}

fn node_id(bytes: &[u8]) -> Result<NodeId, RecordError> {
    let bytes = bytes.try_into().map_err(|_| RecordError::Malformed)?;
    Ok(NodeId::from_bytes(bytes)?)
}

/// Why octets are not a record. Whoever made them is broken or hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not the protobuf message, or a field of the wrong length.
    #[error("not a record")]
    Malformed,
    /// A node id in it is none.
    #[error("record names an invalid node id: {0}")]
    NodeId(#[from] NodeIdError),
    /// More versions or servers than a record may list.
    #[error("record lists more versions or servers than it may")]
    TooMany,
    /// It lives for no time, or for too long.
    #[error("record lives for {} s", lifetime.as_secs())]
    Lifetime {
        /// From its issue to its expiry.
        lifetime: Duration,
    },
}

/// Why a sound record does not hold at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfTime {
    /// The node has not refreshed it: it is gone, or the clocks differ.
    #[error("record has expired")]
    Expired,
    /// It was issued later than it can have been: the clocks differ.
    #[error("record was issued in the future")]
    FromTheFuture,
}

#[cfg(test)]
pub(crate) mod tests {
    use keyway_identity::{SecretKey, Signed};
    use proptest::prelude::*;

    use super::*;

    pub(crate) const NOW: Wall = Wall(1_800_000_000);

    pub(crate) fn key(number: u8) -> SecretKey {
        SecretKey::from_bytes([number; 32])
    }

    pub(crate) fn record(number: u8, epoch: u64, sequence: u64) -> Record {
        Record {
            node: key(number).node_id(),
            versions: vec![1],
            epoch,
            instance: 77,
            sequence,
            servers: vec![key(200).node_id()],
            issued: NOW,
            expiry: NOW.saturating_add(RECORD_LIFETIME_MAX),
        }
    }

    pub(crate) fn signed(number: u8, record: Record) -> Signed<Record> {
        Signed::sign(record, &key(number)).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let mut record = record(1, 300, 2);
        record.servers.clear();
        let node = key(1).node_id();
        let expected = [
            &[0x0a, 32][..],
            node.as_bytes(),
            &[0x12, 1, 1],
            &[0x18, 0xac, 0x02],
            &[0x21, 77, 0, 0, 0, 0, 0, 0, 0],
            &[0x28, 2],
            &[0x38, 0x80, 0xa4, 0xa7, 0xda, 0x06],
            &[0x40, 0xac, 0xa6, 0xa7, 0xda, 0x06],
        ]
        .concat();
        assert_eq!(record.to_bytes(), expected);
        assert_eq!(Record::from_bytes(&expected), Ok(record));
    }

    #[test]
    fn a_field_of_a_later_version_is_skipped_but_stays_signed() {
        let mut bytes = record(1, 1, 1).to_bytes();
        bytes.extend([0x7a, 3, b'n', b'e', b'w']);
        let signature = key(1).sign(Record::CONTEXT, &bytes);
        let read = Signed::<Record>::verify(&bytes, &signature).unwrap();
        assert_eq!(*read.value(), record(1, 1, 1));
        assert_eq!(read.bytes(), bytes);
    }

    // V1, R10.3
    #[test]
    fn a_record_signed_by_another_key_is_refused() {
        let bytes = record(1, 1, 1).to_bytes();
        let forged = key(2).sign(Record::CONTEXT, &bytes);
        assert!(Signed::<Record>::verify(&bytes, &forged).is_err());
    }

    // V1, P4
    #[test]
    fn every_truncation_of_a_signed_record_is_refused() {
        let signed = signed(1, record(1, 1, 1));
        for length in 0..signed.bytes().len() {
            let refused = Signed::<Record>::verify(&signed.bytes()[..length], signed.signature());
            assert!(refused.is_err(), "{length} octets");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let mut many = record(1, 1, 1);
        many.versions = vec![1; RECORD_VERSIONS_MAX];
        many.servers = vec![key(2).node_id(); RECORD_SERVERS_MAX];
        assert_eq!(Record::from_bytes(&many.to_bytes()), Ok(many.clone()));
        assert!(many.to_bytes().len() < Record::LEN_MAX);
        let mut more = many.clone();
        more.versions.push(1);
        assert_eq!(
            Record::from_bytes(&more.to_bytes()),
            Err(RecordError::TooMany)
        );
        many.servers.push(key(2).node_id());
        assert_eq!(
            Record::from_bytes(&many.to_bytes()),
            Err(RecordError::TooMany)
        );
    }

    // R10.3
    #[test]
    fn lifetimes_are_bounded_on_both_sides() {
        for (lifetime, accepted) in [
            (0, false),
            (1, true),
            (300, true),
            (301, false),
            (u64::MAX, false),
        ] {
            let mut record = record(1, 1, 1);
            record.expiry = Wall(NOW.0.saturating_add(lifetime));
            assert_eq!(
                Record::from_bytes(&record.to_bytes()).is_ok(),
                accepted,
                "{lifetime} s"
            );
        }
        let mut backwards = record(1, 1, 1);
        backwards.expiry = Wall(0);
        assert!(Record::from_bytes(&backwards.to_bytes()).is_err());
    }

    // R10.3
    #[test]
    fn a_record_holds_for_its_lifetime_and_a_minute_around_it() {
        let record = record(1, 1, 1);
        for (wall, expected) in [
            (NOW.0 - 61, Err(OutOfTime::FromTheFuture)),
            (NOW.0 - 60, Ok(())),
            (NOW.0 + 360, Ok(())),
            (NOW.0 + 361, Err(OutOfTime::Expired)),
            (u64::MAX, Err(OutOfTime::Expired)),
            (0, Err(OutOfTime::FromTheFuture)),
        ] {
            assert_eq!(record.check_time(Wall(wall)), expected, "{wall}");
        }
    }

    // A2, R3.1
    #[test]
    fn a_weak_node_id_anywhere_in_a_record_is_refused() {
        let weak = {
            let mut identity = [0; 32];
            identity[0] = 1;
            identity
        };
        let sound = record(1, 1, 1).to_bytes();
        let mut as_node = generated::Record::decode(sound.as_slice()).unwrap();
        as_node.node = weak.to_vec();
        let mut as_server = generated::Record::decode(sound.as_slice()).unwrap();
        as_server.servers = vec![weak.to_vec()];
        for message in [as_node, as_server] {
            let refused = Record::from_bytes(&message.encode_to_vec());
            assert_eq!(refused, Err(RecordError::NodeId(NodeIdError::SmallOrder)));
        }
    }

    proptest! {
        #[test]
        fn every_record_survives_its_encoding(
            numbers in any::<[u64; 3]>(),
            versions in proptest::collection::vec(any::<u32>(), 0..=RECORD_VERSIONS_MAX),
            servers in proptest::collection::vec(any::<u8>(), 0..=RECORD_SERVERS_MAX),
            issued in 0..u64::MAX - 300,
            lifetime in 1u64..=300,
        ) {
            let record = Record {
                node: key(1).node_id(),
                versions,
                epoch: numbers[0],
                instance: numbers[1],
                sequence: numbers[2],
                servers: servers.into_iter().map(|number| key(number).node_id()).collect(),
                issued: Wall(issued),
                expiry: Wall(issued + lifetime),
            };
            prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }

        #[test]
        fn no_octets_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::from_bytes(&bytes);
        }
    }
}
