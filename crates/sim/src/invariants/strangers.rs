//! Who may not be served gets nothing but silence.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::network::HostId;
use crate::sightings::Kind;

/// Hosts, and addresses of others with whom they have nothing to do.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    pairs: BTreeSet<(HostId, IpAddr)>,
}

impl Strangers {
    pub(super) fn add(&mut self, host: HostId, address: IpAddr) {
        self.pairs.insert((host, address));
    }

    /// A host may knock anywhere; whatever else it sends shows that it has heard.
    pub(super) fn sent(&self, host: HostId, address: IpAddr, kind: Kind) -> Option<String> {
        let answered = kind != Kind::Init && self.pairs.contains(&(host, address));
        answered.then(|| format!("{kind:?} went to somebody who may not be answered"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A1
    #[test]
    fn an_answer_is_noticed_and_a_knock_is_not() {
        let mut strangers = Strangers::default();
        let (host, address) = (HostId(1), IpAddr::from([192, 0, 2, 1]));
        strangers.add(host, address);
        assert_eq!(strangers.sent(host, address, Kind::Init), None);
        assert!(strangers.sent(host, address, Kind::Resp).is_some());
        assert_eq!(strangers.sent(HostId(2), address, Kind::Resp), None);
    }
}
