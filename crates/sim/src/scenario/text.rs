//! Scenarios as TOML, for people to read, change and keep.

use std::fmt;

use super::{Op, Scenario};

/// Hosts that a scenario may have.
const HOSTS_MAX: usize = 16;

/// The shortest link, in octets, over which everything works: the protocol's smallest packet with a relay's header.
const MTU_MIN: usize = 1_280;

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// It is not the TOML of one.
    Syntax(String),
    /// It says something that cannot be.
    Sense(String),
}

impl fmt::Display for TextError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(formatter, "cannot be read: {error}"),
            Self::Sense(error) => write!(formatter, "makes no sense: {error}"),
        }
    }
}

impl std::error::Error for TextError {}

impl Scenario {
    /// The scenario as TOML.
    #[must_use]
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("names and numbers in TOML's range")
    }

    /// Reads what [`Scenario::to_text`] wrote, or somebody by hand.
    ///
    /// # Errors
    /// If it is not that.
    pub fn from_text(text: &str) -> Result<Self, TextError> {
        let scenario: Self =
            toml::from_str(text).map_err(|error| TextError::Syntax(error.to_string()))?;
        scenario.check().map_err(TextError::Sense)?;
        Ok(scenario)
    }

    /// Whether all that is named is there.
    pub(super) fn check(&self) -> Result<(), String> {
        let hosts = self.hosts.len();
        if hosts > HOSTS_MAX {
            return Err(format!("{hosts} hosts are more than {HOSTS_MAX}"));
        }
        if self.hosts.iter().filter(|host| !host.server).count() < 2 {
            return Err("a scenario needs two hosts that are no servers".to_owned());
        }
        if !self.hosts[0].server {
            return Err("the first host has to be a server".to_owned());
        }
        if self
            .hosts
            .iter()
            .any(|host| host.server && host.nat.is_some())
        {
            return Err("a server is in public".to_owned());
        }
        self.check_nats()?;
        if self.faults.mtu < MTU_MIN {
            return Err(format!("a link takes at least {MTU_MIN} octets"));
        }
        let steps = self.steps.iter().flat_map(|step| step.op.hosts());
        let allowed = self
            .hosts
            .iter()
            .flat_map(|host| host.allows.iter().copied());
        if let Some(missing) = steps.chain(allowed).find(|host| *host >= hosts) {
            return Err(format!("there is no host {missing}"));
        }
        let talks_to_itself = |op: &Op| matches!(op, Op::Call { from, to, .. } | Op::Flow { from, to, .. } if from == to);
        if self.steps.iter().any(|step| talks_to_itself(&step.op)) {
            return Err("nobody calls himself".to_owned());
        }
        if !self.steps.is_sorted_by_key(|step| step.at_ms) {
            return Err("steps are in the order of time".to_owned());
        }
        Ok(())
    }
}

impl Op {
    /// All hosts that it names.
    pub(super) fn hosts(&self) -> Vec<usize> {
        match *self {
            Self::Call { from, to, .. }
            | Self::Flow { from, to, .. }
            | Self::GiveUp { from, to }
            | Self::Cut { from, to, .. } => vec![from, to],
            Self::Lookup { from, about } => vec![from, about],
            Self::StopReading { host, .. }
            | Self::Close { host, .. }
            | Self::Crash { host, .. }
            | Self::Suspend { host, .. }
            | Self::Wall { host, .. }
            | Self::Rebind { host }
            | Self::Overtake { host, .. } => vec![host],
            Self::Replay { .. } | Self::Forge { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for seed in 0..200 {
            let scenario = Scenario::from_seed(seed);
            let text = scenario.to_text();
            assert_eq!(Scenario::from_text(&text), Ok(scenario), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let text = "seed = 1\nsafety_ms = 1000\n[settings]\n[faults]\nloss = 30\n[[hosts]]\nserver = true\n\
                    [[hosts]]\nallows = [2]\n[[hosts]]\nallows = []\n[[steps]]\nat_ms = 5\nop = \"rebind\"\nhost = 1\n";
        let scenario = Scenario::from_text(text).unwrap();
        assert_eq!((scenario.faults.mtu, scenario.faults.loss), (1452, 30));
        assert_eq!(scenario.steps[0].op, Op::Rebind { host: 1 });
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sound = Scenario::from_seed(1);
        let changed = |change: fn(&mut Scenario)| {
            let mut scenario = sound.clone();
            change(&mut scenario);
            Scenario::from_text(&scenario.to_text())
        };
        for change in [
            (|it| it.hosts.truncate(1)) as fn(&mut Scenario),
            |it| it.hosts[0].server = false,
            |it| it.hosts[0].nat = Some(1),
            |it| it.faults.mtu = 100,
            |it| it.hosts[1].allows = vec![99],
            |it| {
                it.steps[0].op = Op::Call {
                    from: 1,
                    to: 1,
                    length: 1,
                    answer: 1,
                };
            },
            |it| it.steps[0].at_ms = 1_000_000,
        ] {
            assert!(matches!(changed(change), Err(TextError::Sense(_))));
        }
        assert!(matches!(
            Scenario::from_text("seed = x"),
            Err(TextError::Syntax(_))
        ));
        assert!(matches!(
            Scenario::from_text("colour = 1"),
            Err(TextError::Syntax(_))
        ));
    }
}
