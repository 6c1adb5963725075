//! Which port a new mapping gets.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use keyway_wire::Time;

use super::config::Allocation;
use crate::random::{Chance, Random};

/// How often chance is asked for a free port before all are looked through.
const DRAWS_MAX: u32 = 64;

/// The ports of a NAT, of which its mappings know which are taken.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    allocation: Allocation,
    /// The lowest one.
    first: u16,
    /// The last one that was given away in sequence, and when.
    last: Option<(u16, Time)>,
    /// Whose block is which.
    blocks: BTreeMap<IpAddr, u16>,
    random: Random,
}

impl Ports {
    pub(super) const fn new(allocation: Allocation, first: u16, random: Random) -> Self {
        Self {
            allocation,
            first,
            last: None,
            blocks: BTreeMap::new(),
            random,
        }
    }

    /// Hosts that had blocks may get others; a sequence goes on where it was.
    pub(super) fn forget_blocks(&mut self) {
        self.blocks.clear();
    }

    /// A port for a socket behind the NAT; nothing if there is none left for it.
    pub(super) fn choose(
        &mut self,
        now: Time,
        inside: SocketAddr,
        is_taken: &dyn Fn(u16) -> bool,
    ) -> Option<u16> {
        match self.allocation {
            Allocation::Preserving if !is_taken(inside.port()) => Some(inside.port()),
            Allocation::Preserving | Allocation::Random => self.any(is_taken),
            Allocation::Sequential {
                step,
                others_per_second,
            } => self.next(now, step, others_per_second, is_taken),
            Allocation::Block { size } => self.of_block(inside.ip(), size, is_taken),
        }
    }

    fn any(&mut self, is_taken: &dyn Fn(u16) -> bool) -> Option<u16> {
        let mut port = self.first;
        for _ in 0..DRAWS_MAX {
            port = self.draw(u16::MAX - self.first);
            if !is_taken(port) {
                return Some(port);
            }
        }
        (0..=u16::MAX)
            .map(|distance| self.after(port, distance))
            .find(|port| !is_taken(*port))
    }

    fn next(
        &mut self,
        now: Time,
        step: u16,
        others_per_second: u32,
        is_taken: &dyn Fn(u16) -> bool,
    ) -> Option<u16> {
        let others = self.taken_by_others(now, others_per_second);
        let last = match self.last {
            Some((last, _)) => last,
            None => self.draw(u16::MAX - self.first),
        };
        let mut port = self.after(last, step.wrapping_mul(others));
        for _ in 0..=u16::MAX {
            port = self.after(port, step);
            if !is_taken(port) {
                self.last = Some((port, now));
                return Some(port);
            }
        }
        None
    }

    /// How many ports other hosts have taken since the last one was given away: what is no whole number is a chance.
    fn taken_by_others(&mut self, now: Time, per_second: u32) -> u16 {
        let Some((_, given)) = self.last.filter(|_| per_second > 0) else {
            return 0;
        };
        let micros = u64::try_from(now.saturating_since(given).as_micros()).unwrap_or(u64::MAX);
        let millionths = micros.saturating_mul(u64::from(per_second));
        let rest = u32::try_from(millionths % 1_000_000).unwrap_or(0);
        let one_more = u64::from(self.random.happens(Chance::millionths(rest)));
        u16::try_from(millionths / 1_000_000 + one_more).unwrap_or(u16::MAX)
    }

    fn of_block(&mut self, host: IpAddr, size: u16, is_taken: &dyn Fn(u16) -> bool) -> Option<u16> {
        let blocks = u16::try_from(self.blocks.len()).ok()?;
        let number = *self.blocks.entry(host).or_insert(blocks);
        let begin = number.checked_mul(size)?.checked_add(self.first)?;
        // All of the block, or none of it.
        begin.checked_add(size.checked_sub(1)?)?;
        let offset = u16::try_from(self.random.below(u64::from(size))).unwrap_or(0);
        (0..size)
            .map(|distance| {
                let place = (u32::from(offset) + u32::from(distance)) % u32::from(size);
                begin + u16::try_from(place).unwrap_or(0)
            })
            .find(|port| !is_taken(*port))
    }

    /// One of so many, from the first one on.
    fn draw(&mut self, count: u16) -> u16 {
        let offset = self.random.below(u64::from(count));
        self.first
            .saturating_add(u16::try_from(offset).unwrap_or(0))
    }

    /// The port so far after another. After the last comes the first.
    fn after(&self, port: u16, distance: u16) -> u16 {
        let count = u32::from(u16::MAX - self.first) + 1;
        let offset = u32::from(port.saturating_sub(self.first)) + u32::from(distance);
        self.first + u16::try_from(offset % count).unwrap_or(0)
    }
}
