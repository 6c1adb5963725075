//! How often each source may do something, without remembering any for longer than it matters.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use keyway_identity::NodeId;
use keyway_rendezvous::Rate;
use keyway_wire::Time;

/// Who is counted.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub(crate) enum Source {
    /// An IPv4 address: what somebody has who has one.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: what every host has that has one (RFC 4291, 2.5.1).
    V6([u8; 8]),
    /// A node, named by the relay through which it speaks.
    Relayed(NodeId),
    /// A node that has proved its key.
    Peer(NodeId),
}

impl Source {
    pub(crate) fn of_address(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// One bucket for each source that did something lately.
///
/// Two generations: what is used moves into the younger one, and after the time in which an empty bucket fills, the older one is
/// dropped as a whole. All that it held were full buckets, which say nothing. So there is no work but one look-up for each
/// event, and nothing is remembered for longer than twice that time.
#[derive(Debug)]
pub(crate) struct Sources {
    rate: Rate,
    sources_max: usize,
    // Looked up, never iterated; hashed with a secret, since others choose the keys.
    younger: HashMap<Source, Time>,
    older: HashMap<Source, Time>,
    turned: Time,
}

impl Sources {
    pub(crate) fn new(rate: Rate, sources_max: usize) -> Self {
        Self {
            rate,
            sources_max,
            younger: HashMap::new(),
            older: HashMap::new(),
            turned: Time::ZERO,
        }
    }

    /// Whether this source may do it once more. Not if there are too many others at the same time.
    pub(crate) fn take(&mut self, now: Time, source: Source) -> bool {
        self.handle_timeout(now);
        let known = self
            .younger
            .get(&source)
            .or_else(|| self.older.get(&source));
        let mut full_at = known.copied().unwrap_or(now);
        if !self.rate.take(now, &mut full_at) {
            return false;
        }
        if !self.younger.contains_key(&source) && self.younger.len() >= self.sources_max {
            return false;
        }
        self.younger.insert(source, full_at);
        true
    }

    /// Forgets those whose buckets are full.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let (passed, period) = (now.saturating_since(self.turned), self.rate.fills_within());
        if passed < period {
            return;
        }
        self.older = std::mem::take(&mut self.younger);
        if passed >= period.saturating_mul(2) {
            self.older = HashMap::new();
        }
        self.turned = now;
    }

    /// When there is something to forget; `None` while nothing is remembered.
    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let empty = self.younger.is_empty() && self.older.is_empty();
        (!empty).then(|| self.turned + self.rate.fills_within())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    /// Octets that the tables take: a place and an octet of control for each eight sevenths of their capacity.
    #[cfg(test)]
    pub(crate) fn octets(&self) -> usize {
        let places = (self.younger.capacity() + self.older.capacity()) * 8 / 7;
        places * (size_of::<(Source, Time)>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const RATE: Rate = Rate::new(20, 5);

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1000)
    }

    fn source(text: &str) -> Source {
        Source::of_address(text.parse().unwrap())
    }

    #[test]
    fn sources_do_not_share_and_one_host_has_one_share() {
        let mut sources = Sources::new(RATE, 100);
        for text in ["192.0.2.1:1", "[2001:db8::1]:1"] {
            assert!((0..5).all(|_| sources.take(at(1), source(text))));
            assert!(!sources.take(at(1), source(text)));
        }
        assert!(!sources.take(at(1), source("192.0.2.1:2")), "another port");
        assert!(
            !sources.take(at(1), source("[::ffff:192.0.2.1]:1")),
            "another spelling"
        );
        assert!(
            !sources.take(at(1), source("[2001:db8::9999]:1")),
            "the same /64"
        );
        assert!(sources.take(at(1), source("192.0.2.2:1")));
        assert!(sources.take(at(1), source("[2001:db8:0:1::1]:1")));
    }

    #[test]
    fn the_steady_rate_holds_across_generations() {
        let mut sources = Sources::new(RATE, 100);
        let one = source("192.0.2.1:1");
        let passed = (0..10_000)
            .filter(|millis| sources.take(at(*millis), one))
            .count();
        assert!((200..=205).contains(&passed), "{passed}");
    }

    // F6
    #[test]
    fn a_million_sources_take_little_and_are_forgotten_within_a_second() {
        let limits = Limits::default();
        let mut sources = Sources::new(limits.handshakes_per_source, limits.sources_max);
        for number in 0..1_000_000_u32 {
            // A million in ten seconds.
            let now = Time::from_micros(u64::from(number) * 10);
            sources.take(now, Source::V4(number.to_be_bytes()));
            if number % 10_000 == 0 {
                assert!(sources.octets() <= 8 << 20, "{}", sources.octets());
            }
        }
        assert!(sources.octets() <= 8 << 20, "{}", sources.octets());
        let mut now = at(10_000);
        while let Some(next) = sources.poll_timeout() {
            now = next;
            sources.handle_timeout(now);
        }
        assert!(now <= at(11_000), "{now:?}");
        assert_eq!((sources.len(), sources.octets()), (0, 0));
    }

    #[test]
    fn those_who_are_known_go_on_while_there_is_no_room_for_others() {
        let mut sources = Sources::new(RATE, 2);
        let [a, b, c] = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"].map(source);
        assert!(sources.take(at(1), a) && sources.take(at(1), b));
        assert!(!sources.take(at(1), c));
        assert!(sources.take(at(1), a));
        assert!(sources.take(at(1000), c), "the others are forgotten");
    }
}
