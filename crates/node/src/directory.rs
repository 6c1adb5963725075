//! Which association, or which pending handshake, a connection id of ours names.

use std::collections::HashMap;

use keyway_identity::NodeId;
use keyway_wire::Cid;
use rand_core::Rng;

use crate::keys::AssociationKey;

/// What a packet with one of our CIDs is for.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Addressee {
    /// A packet of this association.
    Association(AssociationKey),
    /// The first CID that we gave this peer for an association that is not confirmed yet.
    Pending(NodeId),
}

/// Every CID that this node issued and has not retired. A CID starts with the worker's octet; the rest is random, so that
/// nobody can guess one.
///
/// An association has nine as a rule, and a pending handshake one: two maps, so that those many take 16 octets each rather than
/// the 48 that the name of a node takes.
#[derive(Debug)]
pub(crate) struct Directory {
    worker: u8,
    // Looked up for each batch, never iterated, so their order cannot be seen.
    associations: HashMap<Cid, AssociationKey>,
    pending: HashMap<Cid, NodeId>,
}

impl Directory {
    pub(crate) fn new(worker: u8) -> Self {
        Self {
            worker,
            associations: HashMap::new(),
            pending: HashMap::new(),
        }
    }

    /// Draws a CID that is not in use and enters it.
    pub(crate) fn issue(&mut self, rng: &mut impl Rng, addressee: Addressee) -> Cid {
        loop {
            let mut octets = [0; Cid::LEN];
            rng.fill_bytes(&mut octets);
            octets[0] = self.worker;
            let cid = Cid::new(octets);
            // 48 random bits: with a million CIDs in use, one draw in 280 million is taken.
            if self.find(&cid).is_none() {
                self.point(cid, addressee);
                return cid;
            }
        }
    }

    /// Lets a CID lead there from here on, wherever it led before.
    pub(crate) fn point(&mut self, cid: Cid, addressee: Addressee) {
        self.retire(&cid);
        match addressee {
            Addressee::Association(key) => drop(self.associations.insert(cid, key)),
            Addressee::Pending(peer) => drop(self.pending.insert(cid, peer)),
        }
    }

    pub(crate) fn retire(&mut self, cid: &Cid) {
        self.associations.remove(cid);
        self.pending.remove(cid);
    }

    pub(crate) fn len(&self) -> usize {
        self.associations.len() + self.pending.len()
    }

    pub(crate) fn find(&self, cid: &Cid) -> Option<Addressee> {
        let association = self.associations.get(cid).copied();
        association
            .map(Addressee::Association)
            .or_else(|| self.pending.get(cid).copied().map(Addressee::Pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyway_identity::SecretKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    // R5.5
    #[test]
    fn an_issued_cid_names_its_worker_and_is_found_until_it_is_retired() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut directory = Directory::new(3);
        let addressee = Addressee::Association(AssociationKey(9));
        let cid = directory.issue(&mut rng, addressee);
        assert_eq!(cid.worker(), 3);
        assert_eq!(directory.find(&cid), Some(addressee));
        directory.retire(&cid);
        assert_eq!(directory.find(&cid), None);
        assert_eq!(directory.len(), 0);
    }

    #[test]
    fn a_cid_leads_to_one_place_at_a_time() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut directory = Directory::new(3);
        let peer = SecretKey::from_bytes([7; 32]).node_id();
        let cid = directory.issue(&mut rng, Addressee::Pending(peer));
        assert_eq!(directory.find(&cid), Some(Addressee::Pending(peer)));
        let association = Addressee::Association(AssociationKey(9));
        directory.point(cid, association);
        assert_eq!(
            (directory.find(&cid), directory.len()),
            (Some(association), 1)
        );
        directory.retire(&cid);
        assert_eq!((directory.find(&cid), directory.len()), (None, 0));
    }
}
