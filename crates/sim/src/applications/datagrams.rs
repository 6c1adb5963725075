//! Numbered datagrams at a steady pace: each may be lost, none may come twice or changed.

use std::collections::BTreeSet;
use std::time::Duration;

use keyway_node::{Node, SendDatagramError, StreamKey};
use keyway_wire::Time;

use super::content::Content;

/// Octets of the number that each datagram begins with.
const NUMBER: usize = 8;

/// What a flow of datagrams is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramPlan {
    /// Which content the datagrams carry, beside their number; the same on both sides.
    pub name: u64,
    /// How many are sent.
    pub count: u64,
    /// How much time passes between two.
    pub period: Duration,
    /// Octets of each.
    pub size: usize,
}

/// One side of a flow.
#[derive(Clone, Debug)]
pub struct Datagrams {
    plan: DatagramPlan,
    next: u64,
    due: Time,
    received: BTreeSet<u64>,
}

impl Datagrams {
    /// Begins to send at once.
    #[must_use]
    pub fn new(now: Time, plan: DatagramPlan) -> Self {
        Self {
            plan,
            next: 0,
            due: now,
            received: BTreeSet::new(),
        }
    }

    /// How many different datagrams came.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received.len()
    }

    /// When the next one is to be sent.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        (self.next < self.plan.count).then_some(self.due)
    }

    /// Sends what is due. What finds no room is lost, as on any link.
    pub(super) fn send(
        &mut self,
        now: Time,
        node: &mut Node,
        flow: StreamKey,
    ) -> Result<(), String> {
        while self.due().is_some_and(|due| due <= now) {
            match node.send_datagram(flow, &self.datagram(self.next)) {
                Ok(()) | Err(SendDatagramError::QueueFull) => {}
                Err(error) => return Err(format!("cannot send datagram {}: {error}", self.next)),
            }
            self.next += 1;
            self.due += self.plan.period;
        }
        Ok(())
    }

    /// Takes what came, and compares it.
    pub(super) fn receive(&mut self, node: &mut Node, flow: StreamKey) -> Result<(), String> {
        while let Some(datagram) = node.recv_datagram(flow) {
            self.take(&datagram)?;
        }
        Ok(())
    }

    fn take(&mut self, datagram: &[u8]) -> Result<(), String> {
        let number = datagram
            .first_chunk::<NUMBER>()
            .map(|number| u64::from_be_bytes(*number));
        let Some(number) = number.filter(|number| *number < self.plan.count) else {
            return Err("a datagram came that was never sent".to_owned());
        };
        if datagram != self.datagram(number) {
            return Err(format!("datagram {number} came changed"));
        }
        if !self.received.insert(number) {
            return Err(format!("datagram {number} came twice"));
        }
        Ok(())
    }

    fn datagram(&self, number: u64) -> Vec<u8> {
        let mut datagram = vec![0; self.plan.size.max(NUMBER)];
        let (head, body) = datagram.split_at_mut(NUMBER);
        head.copy_from_slice(&number.to_be_bytes());
        let content = Content {
            name: self.plan.name ^ number,
            length: body.len() as u64,
        };
        let _ = content.read(0, body);
        datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Datagrams {
        let plan = DatagramPlan {
            name: 3,
            count: 10,
            period: Duration::from_millis(5),
            size: 100,
        };
        Datagrams::new(Time::ZERO, plan)
    }

    #[test]
    fn each_datagram_is_accepted_once() {
        let mut flow = flow();
        let datagram = flow.datagram(4);
        assert_eq!(flow.take(&datagram), Ok(()));
        assert_eq!(
            flow.take(&datagram),
            Err("datagram 4 came twice".to_owned())
        );
        assert_eq!(flow.received(), 1);
    }

    #[test]
    fn changed_shortened_and_invented_datagrams_are_noticed() {
        let mut flow = flow();
        let mut changed = flow.datagram(4);
        changed[99] ^= 1;
        assert!(flow.take(&changed).is_err());
        assert!(flow.take(&flow.datagram(4)[..99]).is_err());
        assert!(flow.take(&flow.datagram(10)).is_err());
        assert!(flow.take(&[]).is_err());
        assert_eq!(flow.received(), 0);
    }
}
