//! This node's static key, and what it has agreed on with the static keys of peers.
//!
//! `ss`, the Diffie–Hellman result of both static keys, is the same at each handshake with a peer, and the node id that it belongs to
//! has to be checked only once. Both are kept for the peers of late. What an ephemeral key has a part in is never kept.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use keyway_identity::NodeId;
use zeroize::Zeroizing;

use super::x25519::{KeyPair, X25519_LEN};

/// Peers that are kept, some 300 octets each: more than most nodes have, few enough to be nothing in the memory of one that
/// has many. Who came first goes first.
const ACQUAINTANCES_MAX: usize = 1024;

/// What two keys agree on. It stays where it is while its owner moves, so that wiping it wipes all there is.
pub(super) type Shared = Box<Zeroizing<[u8; X25519_LEN]>>;

/// The static key pair of this node.
pub(crate) struct StaticKey {
    pub(super) pair: KeyPair,
    acquaintances: Mutex<Acquaintances>,
}

/// By static key, which two node ids may have in common (Noise knows no other name): the one that came first has the place.
#[derive(Default)]
struct Acquaintances {
    by_key: BTreeMap<[u8; X25519_LEN], Acquaintance>,
    keys: BTreeMap<NodeId, [u8; X25519_LEN]>,
    oldest_first: VecDeque<[u8; X25519_LEN]>,
}

struct Acquaintance {
    node_id: NodeId,
    shared: Shared,
}

impl StaticKey {
    /// The static key with this private half, which knows nobody.
    pub(crate) fn new(private: &[u8; X25519_LEN]) -> Self {
        Self {
            pair: KeyPair::new(private),
            acquaintances: Mutex::default(),
        }
    }

    /// What this key agrees on with another one, from memory where that is the static key of a peer.
    pub(super) fn agree(&self, public: &[u8]) -> Result<Shared, snow::Error> {
        if let Some(known) = self.known().find(public) {
            return Ok(known.shared.clone());
        }
        self.pair.agree(public)
    }

    /// The static key of a node: from memory, or converted.
    pub(super) fn public_of(&self, node_id: &NodeId) -> [u8; X25519_LEN] {
        let known = self.known().keys.get(node_id).copied();
        known.unwrap_or_else(|| node_id.to_x25519())
    }

    /// The node id with this static key that was checked before, if there is one.
    pub(crate) fn node_id_of(&self, public: &[u8]) -> Option<NodeId> {
        self.known().find(public).map(|known| known.node_id)
    }

    /// Keeps what was agreed on with a peer's static key, `shared`.
    pub(super) fn remember(&self, node_id: NodeId, public: [u8; X25519_LEN], shared: Shared) {
        let mut known = self.known();
        if known.by_key.contains_key(&public) {
            return;
        }
        if known.oldest_first.len() >= ACQUAINTANCES_MAX
            && let Some(oldest) = known.oldest_first.pop_front()
        {
            known.forget(&oldest);
        }
        known.oldest_first.push_back(public);
        known.keys.insert(node_id, public);
        known
            .by_key
            .insert(public, Acquaintance { node_id, shared });
    }

    /// Each change is complete before anything can panic, so that a poisoned lock holds nothing worse than another one.
    fn known(&self) -> MutexGuard<'_, Acquaintances> {
        self.acquaintances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acquaintances {
    fn find(&self, public: &[u8]) -> Option<&Acquaintance> {
        self.by_key.get(public.first_chunk::<X25519_LEN>()?)
    }

    fn forget(&mut self, public: &[u8; X25519_LEN]) {
        if let Some(acquaintance) = self.by_key.remove(public) {
            self.keys.remove(&acquaintance.node_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use keyway_identity::SecretKey;

    use super::*;

    fn shared(fill: u8) -> Shared {
        Box::new(Zeroizing::new([fill; X25519_LEN]))
    }

    fn peer(number: u32) -> (NodeId, [u8; X25519_LEN]) {
        let mut seed = [0; X25519_LEN];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let node_id = SecretKey::from_bytes(seed).node_id();
        (node_id, node_id.to_x25519())
    }

    #[test]
    fn what_was_agreed_on_is_what_is_remembered() {
        let (key, (node_id, public)) = (StaticKey::new(&[1; 32]), peer(1));
        let computed = key.agree(&public).unwrap();
        assert_eq!(
            (key.node_id_of(&public), key.public_of(&node_id)),
            (None, public)
        );
        key.remember(node_id, public, computed.clone());
        assert_eq!(key.agree(&public).unwrap(), computed);
        assert_eq!(key.node_id_of(&public), Some(node_id));
        assert_eq!(key.public_of(&node_id), public);
        assert_eq!(key.node_id_of(&peer(2).1), None);
        assert_eq!(key.node_id_of(&[9; 31]), None);
    }

    #[test]
    fn nothing_is_remembered_by_itself() {
        let (key, other) = (StaticKey::new(&[1; 32]), KeyPair::new(&[2; 32]));
        key.agree(other.public()).unwrap();
        assert!(key.known().by_key.is_empty());
    }

    #[test]
    fn who_came_first_goes_first_and_the_number_is_bounded() {
        let key = StaticKey::new(&[1; 32]);
        for number in 0..2 * 1024 {
            let (node_id, public) = peer(number);
            key.remember(node_id, public, shared(0));
        }
        assert_eq!(key.known().by_key.len(), ACQUAINTANCES_MAX);
        assert_eq!(key.known().keys.len(), ACQUAINTANCES_MAX);
        assert_eq!(key.known().oldest_first.len(), ACQUAINTANCES_MAX);
        assert_eq!(key.node_id_of(&peer(1023).1), None);
        assert!(key.node_id_of(&peer(1024).1).is_some());
    }

    #[test]
    fn of_two_node_ids_with_one_static_key_the_first_keeps_its_place() {
        let key = StaticKey::new(&[1; 32]);
        let (first, public) = peer(1);
        let second = SecretKey::from_bytes([8; 32]).node_id();
        key.remember(first, public, shared(1));
        key.remember(second, public, shared(2));
        assert_eq!(key.node_id_of(&public), Some(first));
        assert_eq!(key.known().keys.len(), 1);
        assert_eq!(**key.agree(&public).unwrap(), [1; 32]);
    }
}
