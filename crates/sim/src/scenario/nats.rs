//! The NATs of a scenario.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::nat::{Allocation, Dependence, LIFETIME, NatConfig, NatKind};

/// The highest number that a NAT may have: each has an address of its own.
pub(super) const NUMBER_MAX: u8 = 63;

/// The lowest first port that a NAT may have: somewhere it has to have some.
const FIRST_PORT_MAX: u16 = 60_000;

/// A NAT that is not the simple one. What is not said is as with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatPlan {
    /// Its number, by which hosts name it.
    pub number: u8,
    /// Its kind.
    pub kind: NatKind,
    /// The number of the NAT behind which it is: one that comes before it, or a simple one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u8>,
    /// When a socket is given another port for another destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Dependence>,
    /// Whom it lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtering: Option<Dependence>,
    /// For how many milliseconds it remembers that something went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
    /// Whether what comes in is a reason to remember longer, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_inbound: Option<bool>,
    /// How much it remembers at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// Whether hosts behind it reach each other under its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hairpins: Option<bool>,
    /// The lowest port that it gives away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_port: Option<u16>,
    /// Which port a new mapping gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Allocation>,
}

impl NatPlan {
    /// A NAT of this kind.
    #[must_use]
    pub const fn new(number: u8, kind: NatKind) -> Self {
        Self {
            number,
            kind,
            behind: None,
            mapping: None,
            filtering: None,
            lifetime_ms: None,
            refresh_inbound: None,
            capacity: None,
            hairpins: None,
            first_port: None,
            ports: None,
        }
    }

    /// Its NATs, the hosts' own first. What is said beside the kind is about that one.
    fn boxes(&self) -> Vec<NatConfig> {
        let mut boxes = self.kind.boxes();
        if let Some(own) = boxes.first_mut() {
            self.change(own);
        }
        boxes
    }

    fn change(&self, own: &mut NatConfig) {
        let filter = &mut own.filter;
        filter.depends = self.filtering.unwrap_or(filter.depends);
        filter.lifetime = self
            .lifetime_ms
            .map_or(filter.lifetime, Duration::from_millis);
        filter.refresh_inbound = self.refresh_inbound.unwrap_or(filter.refresh_inbound);
        filter.capacity = self.capacity.unwrap_or(filter.capacity);
        own.mapping = self.mapping.unwrap_or(own.mapping);
        own.ports = self.ports.unwrap_or(own.ports);
        own.first_port = self.first_port.unwrap_or(own.first_port);
        own.hairpins = self.hairpins.unwrap_or(own.hairpins);
    }
}

impl Scenario {
    /// What is said about a NAT, if something is.
    fn plan_of_nat(&self, number: u8) -> Option<&NatPlan> {
        self.nats.iter().find(|nat| nat.number == number)
    }

    /// The NATs of this number, the hosts' own first.
    pub(super) fn boxes_of(&self, number: u8) -> Vec<NatConfig> {
        self.plan_of_nat(number)
            .map_or_else(|| vec![NatConfig::simple(LIFETIME)], NatPlan::boxes)
    }

    /// The number of the NAT behind which another is.
    pub(super) fn nat_behind(&self, number: u8) -> Option<u8> {
        self.plan_of_nat(number)?.behind
    }

    /// Whether its NATs can be.
    pub(super) fn check_nats(&self) -> Result<(), String> {
        let named = self.hosts.iter().filter_map(|host| host.nat);
        let planned = self.nats.iter().map(|nat| nat.number);
        let around = self.nats.iter().filter_map(|nat| nat.behind);
        if let Some(number) = named
            .chain(planned)
            .chain(around)
            .find(|number| *number > NUMBER_MAX)
        {
            return Err(format!(
                "the number of a NAT is at most {NUMBER_MAX}: {number}"
            ));
        }
        for (place, nat) in self.nats.iter().enumerate() {
            let number = nat.number;
            if nat.kind == NatKind::Public {
                return Err(format!("NAT {number} is none"));
            }
            if nat.first_port.is_some_and(|port| port > FIRST_PORT_MAX) {
                return Err(format!("NAT {number} has no ports"));
            }
            let is_another = |other: &NatPlan| other.number == number;
            if self.nats[..place].iter().any(is_another) {
                return Err(format!("there are two NATs {number}"));
            }
            // So there are no circles.
            let later = |other: &NatPlan| Some(other.number) == nat.behind;
            if self.nats[place..].iter().any(later) {
                return Err(format!("NAT {number} is behind one that comes later"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
seed = 1
safety_ms = 1000
[settings]
[faults]
[[hosts]]
server = true
[[hosts]]
nat = 2
[[hosts]]
nat = 3
[[nats]]
number = 1
kind = "full_cone"
hairpins = true
[[nats]]
number = 2
kind = "symmetric_random"
behind = 1
filtering = "address_dependent"
lifetime_ms = 30000
capacity = 64
[nats.ports.sequential]
step = 2
"#;

    #[test]
    fn nats_are_of_their_kind_but_for_what_is_said_of_them() {
        let scenario = Scenario::from_text(TEXT).unwrap();
        let nat = scenario.boxes_of(2)[0];
        assert_eq!(nat.mapping, NatConfig::symmetric_random().mapping);
        assert_eq!(nat.filter.depends, Dependence::AddressDependent);
        assert_eq!(
            (nat.filter.lifetime, nat.filter.capacity),
            (Duration::from_secs(30), 64)
        );
        let sequence = Allocation::Sequential {
            step: 2,
            others_per_second: 0,
        };
        assert_eq!(nat.ports, sequence);
        assert_eq!(scenario.nat_behind(2), Some(1));
        assert!(scenario.boxes_of(1)[0].hairpins);
        assert_eq!(scenario.boxes_of(3), [NatConfig::simple(LIFETIME)]);
        let again = Scenario::from_text(&scenario.to_text());
        assert_eq!(again, Ok(scenario));
    }

    #[test]
    fn nats_that_cannot_be_are_refused() {
        for (from, to) in [
            ("number = 1", "number = 64"),
            ("number = 1", "number = 2"),
            ("\"full_cone\"", "\"public\""),
            ("\"full_cone\"", "\"cone\""),
            ("behind = 1", "behind = 2"),
            ("capacity = 64", "first_port = 65535"),
            ("nat = 3", "nat = 255"),
        ] {
            let text = TEXT.replace(from, to);
            assert!(Scenario::from_text(&text).is_err(), "{to}");
        }
        let turned = TEXT
            .replace("hairpins = true", "behind = 2")
            .replace("behind = 1", "");
        assert!(Scenario::from_text(&turned).is_err(), "a later one");
    }

    #[test]
    fn hosts_behind_nats_of_all_kinds_run_their_errands() {
        let call =
            "[[steps]]\nat_ms = 900\nop = \"call\"\nfrom = 1\nto = 2\nlength = 5\nanswer = 5\n";
        let text = TEXT.replace("nat = 3", "nat = 3\nallows = [1]") + call;
        let played = Scenario::from_text(&text).unwrap().play(false).unwrap();
        assert!(played.errands > 1);
    }
}
