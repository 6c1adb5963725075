use std::time::Duration;

use keyway_wire::{CidSequence, Time};

use super::path::{Health, Path, PathId};
use crate::Route;
use crate::mtu::COMMON;
use crate::recovery::{INITIAL_RTT, Recovery};
use crate::route::Tier;

/// A path of the same tier has to be better by this and by a fifth to be preferred to the one in use.
const HYSTERESIS: Duration = Duration::from_millis(10);

/// The longest that three probe timeouts are taken to be: beyond that, keys and ids would be kept for ever.
const LINGER_MAX: Duration = Duration::from_secs(15);

/// The paths of an association, and which of them carries data.
///
/// At most `max`. Whoever is in use stays; of the others the dead give way first, then the slow, and the last relayed
/// one never: it is the spare.
#[derive(Debug)]
pub(crate) struct Paths {
    list: Vec<Path>,
    selected: Option<PathId>,
    next_id: u32,
    max: usize,
    peer_ack_delay: Duration,
    udp_payload_max: u32,
}

/// Another path carries data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) route: Route,
    pub(crate) previous: Option<Route>,
}

impl Paths {
    /// `peer_ack_delay` is what the peer announced, `udp_payload_max` what both sides take.
    pub(crate) fn new(max: usize, peer_ack_delay: Duration, udp_payload_max: u32) -> Self {
        Self {
            list: Vec::new(),
            selected: None,
            next_id: 0,
            max,
            peer_ack_delay,
            udp_payload_max,
        }
    }

    /// Adds a path, in the place of a worse one if there are too many. Its id, and the path that has to go.
    pub(crate) fn add(
        &mut self,
        now: Time,
        route: Route,
        health: Health,
        rtt: Option<Duration>,
    ) -> (PathId, Option<Path>) {
        let evicted = if self.list.len() >= self.max {
            self.evict()
        } else {
            None
        };
        let id = PathId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let rtt = rtt.unwrap_or(INITIAL_RTT);
        // What lies behind a relay is somebody else's network, and what the relay's own one refuses is lost silently.
        let payload_max = match route {
            Route::Direct { .. } => self.udp_payload_max,
            Route::Relay { .. } => self.udp_payload_max.min(COMMON),
        };
        let recovery = Recovery::new(now, rtt, self.peer_ack_delay, payload_max);
        // A path takes 1 KiB, and most associations have one.
        self.list.reserve_exact(1);
        self.list.push(Path::new(now, id, route, health, recovery));
        (id, evicted)
    }

    pub(crate) fn remove(&mut self, id: PathId) -> Option<Path> {
        let index = self.list.iter().position(|path| path.id == id)?;
        if self.selected == Some(id) {
            self.selected = None;
        }
        Some(self.list.swap_remove(index))
    }

    pub(crate) fn get(&self, id: PathId) -> Option<&Path> {
        self.list.iter().find(|path| path.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: PathId) -> Option<&mut Path> {
        self.list.iter_mut().find(|path| path.id == id)
    }

    pub(crate) fn by_route(&self, route: &Route) -> Option<&Path> {
        self.list.iter().find(|path| path.route == *route)
    }

    pub(crate) fn by_route_mut(&mut self, route: &Route) -> Option<&mut Path> {
        self.list.iter_mut().find(|path| path.route == *route)
    }

    /// The path whose packets go under the peer's id of that sequence.
    pub(crate) fn by_sequence_mut(&mut self, sequence: CidSequence) -> Option<&mut Path> {
        self.list
            .iter_mut()
            .find(|path| path.cid.is_some_and(|cid| cid.sequence == sequence))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Path> {
        self.list.iter_mut()
    }

    /// The path that carries data.
    pub(crate) fn selected(&self) -> Option<&Path> {
        self.get(self.selected?)
    }

    pub(crate) fn selected_mut(&mut self) -> Option<&mut Path> {
        self.get_mut(self.selected?)
    }

    pub(crate) fn is_selected(&self, id: PathId) -> bool {
        self.selected == Some(id)
    }

    /// Whether packets are known to go through anywhere.
    pub(crate) fn any_live(&self) -> bool {
        self.list.iter().any(Path::is_live)
    }

    /// The best path beside `id` that works.
    pub(crate) fn alternative(&self, id: PathId) -> Option<PathId> {
        let others = self
            .list
            .iter()
            .filter(|path| path.id != id && path.is_live());
        others.min_by_key(|path| rank(path)).map(|path| path.id)
    }

    /// The relayed path that is kept warm beside a direct one.
    pub(crate) fn spare(&self) -> Option<&Path> {
        let others = self
            .list
            .iter()
            .filter(|path| !self.is_selected(path.id) && path.is_live());
        others
            .filter(|path| path.tier() == Tier::Relayed)
            .min_by_key(|path| rank(path))
    }

    /// Where ids are short, paths that work take over those of paths that do not, with their numbers.
    pub(crate) fn take_over_cids(&mut self) {
        let needy = |path: &Path| path.health != Health::Dead && path.cid.is_none();
        let idle = |path: &Path| path.health == Health::Dead && path.cid.is_some();
        while let Some(to) = self.list.iter().position(needy)
            && let Some(from) = self.list.iter().position(idle)
            && let Ok([to, from]) = self.list.get_disjoint_mut([to, from])
        {
            std::mem::swap(&mut to.cid, &mut from.cid);
            std::mem::swap(&mut to.recovery, &mut from.recovery);
        }
    }

    /// Three probe timeouts of the slowest path: by then, what was on its way has arrived or never will.
    pub(crate) fn linger(&self) -> Duration {
        let slowest = self
            .list
            .iter()
            .filter(|path| path.is_usable())
            .map(|path| path.recovery.pto_base())
            .max();
        slowest
            .unwrap_or(INITIAL_RTT * 3)
            .saturating_mul(3)
            .min(LINGER_MAX)
    }

    /// Decides which path carries data: one that works before one that may, a direct one before a relayed one, and among
    /// equals the one in use unless another is clearly faster. Says so if that is another than before.
    pub(crate) fn select(&mut self) -> Option<Selection> {
        let previous = self.selected().map(|path| path.route);
        let best = self
            .list
            .iter()
            .filter(|path| path.is_usable())
            .min_by_key(|path| rank(path));
        let current = self.selected().filter(|path| path.is_usable());
        let chosen = match (current, best) {
            (Some(current), Some(best)) if stays(current, best) => Some(current),
            (_, best) => best,
        };
        let chosen = chosen.map(|path| (path.id, path.route));
        let changed = self.selected != chosen.map(|(id, _)| id);
        self.selected = chosen.map(|(id, _)| id);
        let (_, route) = chosen.filter(|_| changed)?;
        Some(Selection { route, previous })
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.list.shrink_to_fit();
        self.list.iter_mut().for_each(|path| path.recovery.rest());
    }

    /// Takes out the path that is missed least.
    fn evict(&mut self) -> Option<Path> {
        let spare = self.spare().map(|path| path.id);
        let others = self
            .list
            .iter()
            .filter(|path| !self.is_selected(path.id) && Some(path.id) != spare);
        let worst = others.max_by_key(|path| rank(path))?.id;
        self.remove(worst)
    }
}

/// What paths are compared by: less is better.
fn rank(path: &Path) -> (bool, bool, Tier, Duration) {
    (
        path.health == Health::Dead,
        path.health == Health::Provisional,
        path.tier(),
        path.recovery.rtt().min(),
    )
}

/// Whether the path in use is good enough to stay.
fn stays(current: &Path, best: &Path) -> bool {
    if current.health != best.health || current.tier() != best.tier() {
        return false;
    }
    let (current, best) = (current.recovery.rtt().min(), best.recovery.rtt().min());
    current <= best + HYSTERESIS.max(current / 5)
}

#[cfg(test)]
mod tests {
    use keyway_wire::{Cid, Token};

    use super::super::remote_cids::RemoteCid;
    use super::*;
    use crate::Channel;

    fn direct(port: u16) -> Route {
        Route::Direct {
            remote: ([192, 0, 2, 1], port).into(),
        }
    }

    fn relayed(server: u32) -> Route {
        Route::Relay {
            channel: Channel {
                server,
                token: Token::new([1; 8]),
            },
        }
    }

    fn paths() -> Paths {
        Paths::new(8, Duration::from_millis(25), 1452)
    }

    fn add(paths: &mut Paths, route: Route, rtt_ms: u64) -> PathId {
        let (id, _) = paths.add(
            Time::ZERO,
            route,
            Health::Live,
            Some(Duration::from_millis(rtt_ms)),
        );
        let cid = RemoteCid {
            sequence: CidSequence(id.0),
            cid: Cid::new([0; Cid::LEN]),
        };
        paths.get_mut(id).expect("just added").cid = Some(cid);
        id
    }

    fn selected(paths: &mut Paths) -> Option<Route> {
        paths.select();
        paths.selected().map(|path| path.route)
    }

    // R8.14
    #[test]
    fn a_direct_path_is_preferred_to_a_relayed_one_whatever_the_times() {
        let mut paths = paths();
        add(&mut paths, relayed(0), 10);
        assert_eq!(
            paths.select(),
            Some(Selection {
                route: relayed(0),
                previous: None
            })
        );
        assert_eq!(paths.select(), None, "it is said once");
        add(&mut paths, direct(1), 200);
        assert_eq!(
            paths.select(),
            Some(Selection {
                route: direct(1),
                previous: Some(relayed(0))
            })
        );
    }

    // R8.14
    #[test]
    fn among_equals_only_a_clearly_faster_one_is_worth_a_change() {
        let mut paths = paths();
        add(&mut paths, direct(1), 100);
        assert_eq!(selected(&mut paths), Some(direct(1)));
        add(&mut paths, direct(2), 84);
        assert_eq!(
            selected(&mut paths),
            Some(direct(1)),
            "less than a fifth faster"
        );
        add(&mut paths, direct(3), 80);
        assert_eq!(selected(&mut paths), Some(direct(1)));
        add(&mut paths, direct(4), 79);
        assert_eq!(selected(&mut paths), Some(direct(4)));
        add(&mut paths, direct(5), 70);
        assert_eq!(
            selected(&mut paths),
            Some(direct(4)),
            "less than 10 ms faster"
        );
    }

    #[test]
    fn a_dead_path_is_left_and_a_provisional_one_used_only_without_another() {
        let mut paths = paths();
        let first = add(&mut paths, direct(1), 100);
        let second = add(&mut paths, relayed(0), 300);
        let third = add(&mut paths, direct(3), 20);
        paths.get_mut(third).expect("added").health = Health::Provisional;
        assert_eq!(selected(&mut paths), Some(direct(1)));
        paths.get_mut(first).expect("added").health = Health::Dead;
        assert_eq!(
            paths.select(),
            Some(Selection {
                route: relayed(0),
                previous: Some(direct(1))
            })
        );
        paths.get_mut(second).expect("added").health = Health::Dead;
        assert_eq!(selected(&mut paths), Some(direct(3)));
        paths.get_mut(third).expect("added").health = Health::Dead;
        assert_eq!(selected(&mut paths), None);
    }

    // R8.3
    #[test]
    fn a_path_without_an_id_for_its_packets_waits() {
        let mut paths = paths();
        add(&mut paths, relayed(0), 10);
        paths.add(Time::ZERO, direct(1), Health::Live, None);
        assert_eq!(selected(&mut paths), Some(relayed(0)));
    }

    #[test]
    fn of_too_many_the_worst_goes_but_never_the_one_in_use_or_the_last_spare() {
        let mut paths = paths();
        add(&mut paths, direct(1), 900);
        assert_eq!(selected(&mut paths), Some(direct(1)));
        add(&mut paths, relayed(0), 999);
        for port in 2..8 {
            add(&mut paths, direct(port), u64::from(port) + 895);
        }
        let (_, evicted) = paths.add(Time::ZERO, direct(9), Health::Live, None);
        assert_eq!(evicted.map(|path| path.route), Some(direct(7)));
        let dead = paths.by_route(&direct(3)).expect("added").id;
        paths.get_mut(dead).expect("added").health = Health::Dead;
        let (_, evicted) = paths.add(Time::ZERO, direct(10), Health::Live, None);
        assert_eq!(evicted.map(|path| path.route), Some(direct(3)));
        assert_eq!(paths.iter().count(), 8);
    }
}
