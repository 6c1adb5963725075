//! The worker owns associations: it finds the one that a packet is for, keeps their timers, and lets them send in turn.

use std::collections::{BTreeMap, VecDeque};

use keyway_transport::{Association, AssociationEvent, Batch, Transmit};
use keyway_wire::{Cid, Time};

use crate::census::Census;
use crate::directory::{Addressee, Directory};
use crate::keys::AssociationKey;
use crate::timers::Timers;

/// One association, and whether it waits in the worker's two queues.
#[derive(Debug)]
struct Entry {
    association: Association,
    /// The CIDs that lead to it.
    cids: Vec<Cid>,
    in_senders: bool,
    in_speakers: bool,
}

/// Associations and their CIDs. Decides nothing about peers: that is control's part.
pub(crate) struct Worker {
    /// Each apart from the map: half of the places in its nodes are free, since keys only grow, and an entry is large.
    entries: BTreeMap<AssociationKey, Box<Entry>>,
    pub(crate) directory: Directory,
    timers: Timers<AssociationKey>,
    /// Associations that may have packets to send, each at most once, served in turn.
    senders: VecDeque<AssociationKey>,
    /// Associations that may have events, each at most once.
    speakers: VecDeque<AssociationKey>,
    next_key: u64,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("associations", &self.entries.len())
            .field("cids", &self.directory.len())
            .field("timers", &self.timers.len())
            .finish_non_exhaustive()
    }
}

impl Worker {
    pub(crate) fn new(index: u8) -> Self {
        Self {
            entries: BTreeMap::new(),
            directory: Directory::new(index),
            timers: Timers::default(),
            senders: VecDeque::new(),
            speakers: VecDeque::new(),
            next_key: 0,
        }
    }

    pub(crate) fn insert(&mut self, association: Association) -> AssociationKey {
        let key = AssociationKey(self.next_key);
        self.next_key += 1;
        let entry = Entry {
            association,
            cids: Vec::new(),
            in_senders: false,
            in_speakers: false,
        };
        self.entries.insert(key, Box::new(entry));
        self.wake(key);
        key
    }

    pub(crate) fn remove(&mut self, key: AssociationKey) {
        self.timers.set(key, None);
        self.retire_cids(key);
        self.entries.remove(&key);
    }

    /// Lets a CID lead to the association from here on.
    pub(crate) fn enter_cid(&mut self, key: AssociationKey, cid: Cid) {
        self.directory.point(cid, Addressee::Association(key));
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.cids.push(cid);
        }
    }

    pub(crate) fn retire_cid(&mut self, key: AssociationKey, cid: &Cid) {
        self.directory.retire(cid);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.cids.retain(|known| known != cid);
        }
    }

    /// No packet reaches the association from here on.
    pub(crate) fn retire_cids(&mut self, key: AssociationKey) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        for cid in entry.cids.drain(..) {
            self.directory.retire(&cid);
        }
    }

    pub(crate) fn get(&self, key: AssociationKey) -> Option<&Association> {
        self.entries.get(&key).map(|entry| &entry.association)
    }

    /// The association, to be changed: afterwards it may have packets, events and another deadline.
    pub(crate) fn touch(&mut self, key: AssociationKey) -> Option<&mut Association> {
        self.wake(key);
        self.get_mut(key)
    }

    /// The association, without a sign that it was changed: [`wake`](Self::wake) gives that.
    pub(crate) fn get_mut(&mut self, key: AssociationKey) -> Option<&mut Association> {
        self.entries
            .get_mut(&key)
            .map(|entry| &mut entry.association)
    }

    /// The association may have packets, events and another deadline.
    pub(crate) fn wake(&mut self, key: AssociationKey) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if !entry.in_senders {
            entry.in_senders = true;
            self.senders.push_back(key);
        }
        if !entry.in_speakers {
            entry.in_speakers = true;
            self.speakers.push_back(key);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(association) = self.touch(key) {
                association.handle_timeout(now);
            }
        }
    }

    /// One batch of the association whose turn it is. An association with more to send goes to the end of the queue.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Time,
        batch: &mut Batch,
    ) -> Option<(AssociationKey, Transmit)> {
        while let Some(key) = self.senders.pop_front() {
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            let transmit = entry.association.poll_transmit(now, batch);
            // Sending may be news as well, and so may that nothing can be sent: with the answer to a CLOSE the association is
            // over, and a CLOSE for which there is no path left is not waited for.
            if !entry.in_speakers {
                entry.in_speakers = true;
                self.speakers.push_back(key);
            }
            if let Some(transmit) = transmit {
                self.senders.push_back(key);
                return Some((key, transmit));
            }
            entry.in_senders = false;
            self.timers.set(key, entry.association.poll_timeout());
        }
        None
    }

    /// Adds what this worker holds.
    pub(crate) fn count(&self, census: &mut Census) {
        census.associations += self.entries.len();
        census.connection_ids += self.directory.len();
        census.timers += self.timers.len();
    }

    pub(crate) fn poll_event(&mut self) -> Option<(AssociationKey, AssociationEvent)> {
        while let Some(key) = self.speakers.front().copied() {
            if let Some(entry) = self.entries.get_mut(&key) {
                if let Some(event) = entry.association.poll_event() {
                    return Some((key, event));
                }
                entry.in_speakers = false;
            }
            self.speakers.pop_front();
        }
        None
    }

    /// The earliest deadline of any association; `now` while one has yet to say what it wants to send.
    pub(crate) fn poll_timeout(&self, now: Time) -> Option<Time> {
        if self.senders.is_empty() {
            self.timers.next()
        } else {
            Some(now)
        }
    }
}
