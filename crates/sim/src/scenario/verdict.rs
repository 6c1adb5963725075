//! Whether what became of an errand is what may become of it.

use std::time::Duration;

use keyway_wire::Time;

use super::assigned::Assigned;
use super::errand::{Kind, Progress};
use super::stage::Stage;

/// How long the worst of a bad network is felt: for 30 s, a relay does not say that nobody wanted to hear of a channel.
const HEALING: Duration = Duration::from_secs(30);

impl Stage<'_> {
    /// Whether nothing more is to be expected of an errand.
    pub(super) fn is_settled(&self, assigned: &Assigned) -> Result<bool, String> {
        let Assigned {
            errand, from, to, ..
        } = *assigned;
        let name = errand.name;
        let [caller, called] = [from, to].map(|host| &self.seats[host]);
        if caller.ends != assigned.ends[0] {
            return Ok(true);
        }
        let permitted = self.permits(from, to);
        let actor = self.world.program(caller.host);
        let is_welcome = permitted || self.scenario.wants(to, from);
        if !is_welcome && actor.has_association_with(&called.id) {
            return Err(format!(
                "host {to} let host {from} in, whom it neither serves nor wants"
            ));
        }
        let there = self.world.program(caller.host).progress(name);
        match there {
            Progress::Absent if assigned.given_up => Ok(true),
            Progress::Absent => Ok(!permitted),
            // Who came back without its state does not answer those whom it does not serve: it waits in vain.
            Progress::Running(_) => Ok(!permitted && self.has_lost_state(to)),
            Progress::Broken(_) if self.may_break(assigned) => Ok(true),
            Progress::Broken(why) => Err(format!("errand {name} of host {from} broke: {why}")),
            Progress::Done if matches!(errand.kind, Kind::Flow(_)) => Ok(true),
            Progress::Done if !permitted => Err(format!(
                "host {to} ran errand {name} of host {from}, whom it may not serve"
            )),
            Progress::Done => match self.world.program(called.host).progress(name) {
                Progress::Done => Ok(true),
                Progress::Running(_) => Ok(false),
                Progress::Absent | Progress::Broken(_) if called.ends != assigned.ends[1] => {
                    Ok(true)
                }
                there @ (Progress::Absent | Progress::Broken(_)) => Err(format!(
                    "errand {name} is done at host {from}, and at host {to}: {there:?}"
                )),
            },
        }
    }

    /// Whether there is a reason for which an errand may break.
    fn may_break(&self, assigned: &Assigned) -> bool {
        // Whoever answers an INIT and hears nothing more for a while forgets it. The caller had taken the answer for an
        // association, and its first streams end with it; nobody has heard of them.
        let [_, there] = self.both_sides(assigned);
        let unheard_of = there == Progress::Absent && self.world.now() <= self.healed_at();
        unheard_of
            || assigned.given_up
            || !self.permits(assigned.from, assigned.to)
            || self.has_lost_state(assigned.from)
            || self.has_lost_state(assigned.to)
    }

    /// When everything is healed, and some seconds more, for what was lost before.
    fn healed_at(&self) -> Time {
        Time::ZERO + Duration::from_millis(self.scenario.safety_ms) + HEALING
    }

    /// Whether a process ever ended at a host.
    pub(super) fn has_lost_state(&self, host: usize) -> bool {
        self.seats[host].ends > 0
    }

    /// How far an errand has come at both ends.
    pub(super) fn both_sides(&self, assigned: &Assigned) -> [Progress; 2] {
        [assigned.from, assigned.to].map(|host| {
            let actor = self.world.program(self.seats[host].host);
            actor.progress(assigned.errand.name)
        })
    }

    pub(super) fn progress(&self, assigned: &Assigned) -> Progress {
        let host = self.seats[assigned.from].host;
        self.world.program(host).progress(assigned.errand.name)
    }
}
