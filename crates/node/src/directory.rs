//! Which association, or which pending handshake, a connection id of ours names.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
#[derive(Debug)]
pub(crate) struct Directory {
    worker: u8,
    // Looked up for each batch, never iterated, so its order cannot be seen.
    entries: HashMap<Cid, Addressee>,
}

impl Directory {
    pub(crate) fn new(worker: u8) -> Self {
        Self {
            worker,
            entries: HashMap::new(),
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
            if let Entry::Vacant(free) = self.entries.entry(cid) {
                free.insert(addressee);
                return cid;
            }
        }
    }

    pub(crate) fn point(&mut self, cid: Cid, addressee: Addressee) {
        self.entries.insert(cid, addressee);
    }

    pub(crate) fn retire(&mut self, cid: &Cid) {
        self.entries.remove(cid);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find(&self, cid: &Cid) -> Option<Addressee> {
        self.entries.get(cid).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert!(directory.entries.is_empty());
    }
}
