//! The same meeting twice, once undisturbed and once under fire from somebody who has no key. A packet that is not authentic may
//! change nothing: so the two have to be the same to the last octet of every packet that any node sends, and the moment of each.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keyway_node::{AssociationConfig, Config};

use super::{Report, exchange, report};
use crate::failure::Failure;
use crate::forger::{Forger, Stage, is_for_relay};
use crate::network::{HostId, Packet};
use crate::topology::{Layout, Meeting, Run, all_done};

/// Octets each way in each of many small exchanges.
const LENGTH: u64 = 20_000;

/// How many exchanges there are, and how many forgeries in each one's time.
const EXCHANGES: usize = 40;
const FORGERIES: u32 = 60;

/// So often come new keys: in the time of all exchanges some ten times, so that the first handshakes are long over and answers to
/// them are forgotten when their packets come again.
const REKEY_AFTER: Duration = Duration::from_secs(2);

/// Exact copies are sent of what is older than so many strikes: no handshake that old is pending, of which an INIT may come more
/// than once.
const PENDING: usize = 60;

/// The time between two forgeries.
const STEP: Duration = Duration::from_micros(8_191);

pub(super) fn check(run: Run) -> Result<Report, Failure> {
    let (undisturbed, _) = play(run, false)?;
    let (attacked, forgeries) = play(run, true)?;
    for (index, name) in ["a", "b", "the server"].into_iter().enumerate() {
        // In every other run, the relay is given packets that it has to pass on.
        let passes_on = index == 2 && relays(run);
        let same = undisturbed.sent_hash(index) == attacked.sent_hash(index);
        attacked.meeting.ensure(same || passes_on, || {
            format!("{name} sent other packets than if it had been left alone")
        })?;
    }
    Ok(report(&attacked.meeting, format!("{forgeries} forgeries")))
}

/// Whether packets are forged that a relay passes on to those who can tell.
fn relays(run: Run) -> bool {
    !run.seed.is_multiple_of(2)
}

struct Played {
    meeting: Meeting,
    hosts: [HostId; 3],
}

impl Played {
    fn sent_hash(&self, index: usize) -> u64 {
        self.meeting.world.sent_hash(self.hosts[index])
    }
}

/// Some exchanges, by relay at first and directly then, perhaps under fire; gives how many forgeries reached a host.
fn play(run: Run, attacked: bool) -> Result<(Played, u64), Failure> {
    let mut meeting = Meeting::new(run, Layout::PublicWithServer, config);
    let (a, b) = (meeting.a, meeting.b);
    let server = meeting
        .server
        .ok_or_else(|| meeting.failure("there is no server"))?;
    let hosts = [a, b, server];
    meeting.world.record();
    let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
    meeting.serve(b, theirs);
    meeting.await_registered(b)?;
    meeting.dial(a, ours);
    let mut attack = Attack {
        forger: Forger::new(run.seed),
        hosts,
        server,
        relays: relays(run),
        lengths: VecDeque::new(),
        count: 0,
    };
    for number in 1..=EXCHANGES {
        if number > 1 {
            meeting.open(a, ours)?;
        }
        for _ in 0..FORGERIES {
            meeting.run_for(STEP)?;
            if attacked {
                attack.strike(&mut meeting)?;
            }
        }
        let done = all_done(&meeting.world, a, number) && all_done(&meeting.world, b, number);
        meeting.ensure(done, || format!("exchange {number} is not done in time"))?;
    }
    Ok((Played { meeting, hosts }, attack.count))
}

struct Attack {
    forger: Forger,
    hosts: [HostId; 3],
    server: HostId,
    relays: bool,
    /// How much had been recorded at each of the latest strikes, the oldest first.
    lengths: VecDeque<usize>,
    count: u64,
}

fn config() -> Config {
    let association = AssociationConfig {
        rekey_after: REKEY_AFTER,
        rekey_after_as_responder: REKEY_AFTER + REKEY_AFTER / 4,
        ..AssociationConfig::default()
    };
    Config {
        association: Arc::new(association),
        ..Config::default()
    }
}

impl Attack {
    /// Sends one forgery, and sees to it that nobody answers.
    fn strike(&mut self, meeting: &mut Meeting) -> Result<(), Failure> {
        let addresses = self.hosts.map(|host| meeting.world.program(host).local());
        let relay = meeting.world.program(self.server).local().ip();
        let seen = meeting.world.recorded();
        self.lengths.push_back(seen.len());
        let old = if self.lengths.len() > PENDING {
            self.lengths.pop_front()
        } else {
            None
        };
        // In turn: anything, but changed; and what is old, perhaps as it was.
        let (models, stage) = match old {
            Some(old) if self.count.is_multiple_of(2) => (&seen[..old], Stage::Established),
            Some(_) | None => (seen, Stage::Handshake),
        };
        let Some(forged) = self.forger.forge(models, seen, &addresses, stage) else {
            return Ok(());
        };
        let passed_on = is_for_relay(&forged, seen, relay);
        if passed_on && !self.relays {
            return Ok(());
        }
        let allowed = u64::from(passed_on);
        let shown = show(&forged);
        let Some((_, answers)) = meeting.world.inject(forged) else {
            return Ok(());
        };
        self.count += 1;
        meeting.ensure(answers <= allowed, || {
            format!("{shown} was answered with {answers} packets")
        })
    }
}

fn show(packet: &Packet) -> String {
    let Packet {
        source,
        destination,
        payload,
    } = packet;
    let front = &payload[..payload.len().min(17)];
    format!(
        "a forgery from {source} to {destination} of {} octets, {front:02x?}",
        payload.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_would_be_noticed_and_would_make_a_difference() {
        // While a handshake is pending, an INIT may come twice and is answered twice. Sent by somebody else, it shows that an
        // answer does not escape.
        let run = Run {
            seed: 1,
            trace: false,
        };
        let answered = |copied: bool| {
            let mut meeting = Meeting::new(run, Layout::Public, Config::default);
            let (ours, theirs) = exchange(&mut meeting.world, LENGTH);
            meeting.world.record();
            meeting.serve(meeting.b, theirs);
            meeting.dial(meeting.a, ours);
            let arrived = meeting.run_until(STEP * 10, "INIT arrives", |world| {
                !world.recorded().is_empty()
            });
            assert_eq!(arrived, Ok(()));
            let copy = meeting.world.recorded()[0].clone();
            let b = meeting.b;
            let answers = copied.then(|| meeting.world.inject(copy));
            let answers = answers.map(|reached| reached.filter(|(host, _)| *host == b));
            (answers, meeting.world.sent_hash(meeting.b))
        };
        let (undisturbed, attacked) = (answered(false), answered(true));
        assert!(matches!(attacked.0, Some(Some((_, 1)))));
        assert_ne!(undisturbed.1, attacked.1);
    }
}
