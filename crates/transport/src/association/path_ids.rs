//! Which path sends under which of the peer's ids.

use keyway_wire::{CidSequence, Time};

use super::Association;
use super::path::{Health, Path};
use super::remote_cids::RemoteCid;
use crate::AssociationEvent;
use crate::recovery::Recovery;
use crate::sent_frame::SentFrames;

/// The id of a path that is gone while there was no other, with the state of its number space.
#[derive(Debug)]
pub(super) struct Heritage {
    cid: RemoteCid,
    recovery: Recovery<SentFrames>,
}

impl Association {
    /// Paths whose id the peer wants back get another.
    pub(super) fn renew_cids(&mut self, now: Time) {
        let unwanted = |path: &&Path| {
            path.cid
                .is_some_and(|cid| self.cids.is_unwanted(cid.sequence))
        };
        let Some(id) = self.paths.iter().find(unwanted).map(|path| path.id) else {
            self.reselect();
            return self.settle_heritage(now);
        };
        if let Some(path) = self.paths.get_mut(id)
            && let Some(cid) = path.cid.take()
        {
            let route = path.route;
            path.recovery.abandon(now, &mut self.outcome);
            self.settle(now, route);
            self.retire(now, cid.sequence);
        }
        self.renew_cids(now);
    }

    /// Asks the node for ids that the peer may need.
    pub(super) fn ask_for_cids(&mut self) {
        for _ in 0..self.issued.take_wanted() {
            self.events.push(AssociationEvent::CidWanted);
        }
    }

    pub(super) fn bury(&mut self, now: Time, mut path: Path) {
        path.recovery.abandon(now, &mut self.outcome);
        self.settle(now, path.route);
        self.validations.remove_path(path.id);
        let Some(cid) = path.cid else { return };
        if self.cids.has_spare() || self.heritage.is_some() || self.cids.is_unwanted(cid.sequence) {
            return self.retire(now, cid.sequence);
        }
        // Without an id nothing can be sent, not even what would make the peer issue others: the next path goes on with this
        // one, and with its numbers.
        self.heritage = Some(Box::new(Heritage {
            cid,
            recovery: path.recovery,
        }));
    }

    fn retire(&mut self, now: Time, sequence: CidSequence) {
        if let Err(violation) = self.cids.retire(sequence) {
            self.violate(now, violation);
        }
    }

    pub(super) fn assign_cids(&mut self) {
        let (cids, heritage) = (&mut self.cids, &mut self.heritage);
        for path in self
            .paths
            .iter_mut()
            .filter(|path| path.cid.is_none() && path.health != Health::Dead)
        {
            path.cid = cids.take();
            if path.cid.is_none()
                && let Some(heritage) = heritage.take()
            {
                let Heritage { cid, recovery } = *heritage;
                path.cid = Some(cid);
                path.recovery = recovery;
            }
        }
        self.paths.take_over_cids();
    }

    /// Gives the id of a path that is gone back, once there are others or the peer wants it.
    fn settle_heritage(&mut self, now: Time) {
        let cids = &self.cids;
        let needless = |heritage: &mut Box<Heritage>| {
            cids.has_spare() || cids.is_unwanted(heritage.cid.sequence)
        };
        if let Some(heritage) = self.heritage.take_if(needless) {
            self.retire(now, heritage.cid.sequence);
        }
    }
}
