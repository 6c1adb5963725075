//! Datagrams of an errand: each says which one it is, may be lost, and may not come twice or changed.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_node::{Node, SendDatagramError, StreamKey};
use keyway_wire::Time;

use super::super::errand::{Direction, FlowPlan, Progress};

/// Octets that each datagram begins with: the errand's name, the plan, and its number.
const HEAD: usize = 32;

/// One side of a flow.
#[derive(Debug)]
pub(super) struct Flow {
    /// Known to the caller from the start, to the other side with the first datagram.
    errand: Option<(u64, FlowPlan)>,
    direction: Direction,
    next: u64,
    due: Time,
    received: BTreeSet<u64>,
    broken: Option<String>,
}

impl Flow {
    /// The side that begins.
    pub(super) fn calling(now: Time, name: u64, plan: FlowPlan) -> Self {
        Self {
            errand: Some((name, plan)),
            direction: Direction::There,
            ..Self::called(now)
        }
    }

    /// The other side.
    pub(super) fn called(now: Time) -> Self {
        Self {
            errand: None,
            direction: Direction::Back,
            next: 0,
            due: now,
            received: BTreeSet::new(),
            broken: None,
        }
    }

    pub(super) fn name(&self) -> Option<u64> {
        Some(self.errand?.0)
    }

    pub(super) fn progress(&self) -> Progress {
        match &self.broken {
            Some(why) => Progress::Broken(why.clone()),
            None if self.errand.is_some() && self.due().is_none() => Progress::Done,
            None => Progress::Running(format!("{} datagrams sent", self.next)),
        }
    }

    /// When the next one is to be sent.
    pub(super) fn due(&self) -> Option<Time> {
        let (_, plan) = self.errand?;
        (self.broken.is_none() && self.next < plan.count).then_some(self.due)
    }

    pub(super) fn give_up(&mut self, node: &mut Node, flow: StreamKey) {
        node.reset(flow, 0);
        node.stop(flow, 0);
        self.broken.get_or_insert("given up here".to_owned());
    }

    /// Takes what came, and sends what is due.
    pub(super) fn go_on(
        &mut self,
        now: Time,
        node: &mut Node,
        flow: StreamKey,
    ) -> Result<(), String> {
        while let Some(datagram) = node.recv_datagram(flow) {
            self.take(now, &datagram)?;
        }
        while let Some(due) = self.due().filter(|due| *due <= now)
            && let Some((name, plan)) = self.errand
        {
            match node.send_datagram(flow, &datagram(name, plan, self.direction, self.next)) {
                // What finds no room is lost, as on any link.
                Ok(()) | Err(SendDatagramError::QueueFull | SendDatagramError::TooLarge { .. }) => {
                }
                Err(error) => self.broken = Some(error.to_string()),
            }
            self.next += 1;
            self.due = due + plan.period;
        }
        Ok(())
    }

    fn take(&mut self, now: Time, came: &[u8]) -> Result<(), String> {
        let head = parse(came).ok_or("a datagram came that nobody sent")?;
        if self.errand.is_none() {
            self.errand = Some((head.name, head.plan));
            self.due = now;
        }
        let Some((name, plan)) = self.errand else {
            return Ok(());
        };
        let number = head.number;
        let sent = datagram(name, plan, self.direction.other(), number);
        if number >= plan.count || came != sent {
            return Err(format!("errand {name}: datagram {number} came changed"));
        }
        if !self.received.insert(number) {
            return Err(format!("errand {name}: datagram {number} came twice"));
        }
        Ok(())
    }
}

struct Head {
    name: u64,
    plan: FlowPlan,
    number: u64,
}

fn datagram(name: u64, plan: FlowPlan, direction: Direction, number: u64) -> Vec<u8> {
    let period = u64::try_from(plan.period.as_micros()).unwrap_or(u64::MAX);
    let mut datagram = [name, plan.count, period, number]
        .map(u64::to_be_bytes)
        .concat();
    let rest = plan.size.saturating_sub(HEAD);
    datagram.resize(HEAD + rest, 0);
    let content = direction.content(name.wrapping_add(number << 32), rest as u64);
    let _ = content.read(0, &mut datagram[HEAD..]);
    datagram
}

fn parse(datagram: &[u8]) -> Option<Head> {
    let mut words = datagram.get(..HEAD)?.chunks_exact(8).map(|word| {
        word.iter()
            .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
    });
    let (name, count, period) = (words.next()?, words.next()?, words.next()?);
    let plan = FlowPlan {
        count,
        period: Duration::from_micros(period),
        size: datagram.len(),
    };
    let number = words.next()?;
    Some(Head { name, plan, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: FlowPlan = FlowPlan {
        count: 10,
        period: Duration::from_millis(5),
        size: 100,
    };

    #[test]
    fn each_datagram_is_taken_once_and_only_as_it_was_sent() {
        let mut flow = Flow::called(Time::ZERO);
        let mut take = |datagram: &[u8]| flow.take(Time::ZERO, datagram);
        let third = datagram(4, PLAN, Direction::There, 3);
        assert_eq!(take(&third), Ok(()));
        assert!(take(&third).is_err());
        assert_eq!(take(&datagram(4, PLAN, Direction::There, 4)), Ok(()));
        for other in [
            datagram(4, PLAN, Direction::Back, 5),
            datagram(5, PLAN, Direction::There, 5),
            datagram(4, PLAN, Direction::There, 10),
            datagram(4, PLAN, Direction::There, 5)[..99].to_vec(),
            Vec::new(),
        ] {
            assert!(take(&other).is_err());
        }
    }
}
