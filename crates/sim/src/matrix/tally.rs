//! Many runs of a cell, summed up.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::oracle::MOSTLY_PERCENT;
use super::{Cell, Demand, Outcome, Setting};
use crate::nat::NatKind;

/// Within how many round trips through the relay the first octet of an answer comes: one for the handshake, one for the question.
/// (And a thousandth, since times are whole microseconds.)
const FIRST_BYTE_ROUND_TRIPS_MAX: f64 = 2.001;

/// Within how many milliseconds a pair is direct that must be.
const DIRECT_MS_MAX: f64 = 2_000.0;

/// Whether a cell is as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Passed,
    /// Not enough pairs connected, or ended direct; or some did that cannot.
    Short,
    /// All did what they have to, but not soon enough.
    Slow,
}

/// What became of the pairs of one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// How the networks lay to each other.
    pub setting: Setting,
    /// What was before the one that dialled.
    pub a: NatKind,
    /// What was before the other one.
    pub b: NatKind,
    /// What has to become of such a pair.
    pub demand: Demand,
    /// How many runs there were.
    pub runs: u64,
    /// In how many of them the two could talk, at first and at the end.
    pub connected: u64,
    /// In how many of them both sent directly in the end.
    pub direct: u64,
    /// From the dial to the first octet of the answer, in milliseconds.
    pub first_byte_ms: Option<Spread>,
    /// The same, in round trips through the relay.
    pub first_byte_round_trips: Option<Spread>,
    /// From the dial to when both sent directly, in milliseconds.
    pub direct_ms: Option<Spread>,
    /// Whether it is as it has to be.
    pub verdict: Verdict,
}

/// How figures are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: f64,
    /// 95 of 100 are at most this.
    pub p95: f64,
}

impl Spread {
    /// Of figures in any order; nothing of none. Percentiles are figures that came (nearest rank).
    fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (figures.len() * percent).div_ceil(100);
            figures.get(rank.checked_sub(1)?).copied()
        };
        Some(Self {
            p50: at(50)?,
            p95: at(95)?,
        })
    }
}

impl Row {
    /// The sum of these runs of a cell.
    #[must_use]
    pub fn of(cell: &Cell, outcomes: &[Outcome]) -> Self {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|it| is(it)).count() as u64;
        let demand = Demand::of(cell);
        let (runs, connected) = (outcomes.len() as u64, count(|it| it.connected));
        let direct = count(|it| it.direct.is_some());
        let first_bytes = || outcomes.iter().filter_map(|it| Some((it, it.first_byte?)));
        let in_round_trips = |(outcome, time): (&Outcome, Duration)| {
            time.as_secs_f64() / outcome.relayed_round_trip.as_secs_f64()
        };
        let mut row = Self {
            setting: cell.setting,
            a: cell.a,
            b: cell.b,
            demand,
            runs,
            connected,
            direct,
            first_byte_ms: Spread::of(first_bytes().map(|(_, time)| millis(time))),
            first_byte_round_trips: Spread::of(first_bytes().map(in_round_trips)),
            direct_ms: Spread::of(outcomes.iter().filter_map(|it| it.direct.map(millis))),
            verdict: Verdict::Passed,
        };
        row.verdict = row.judge();
        row
    }

    fn judge(&self) -> Verdict {
        let is_late = |spread: Option<Spread>, most| spread.is_some_and(|it| it.p95 > most);
        if self.connected < self.runs || !is_met(self.demand, self.direct, self.runs) {
            Verdict::Short
        } else if is_late(self.first_byte_round_trips, FIRST_BYTE_ROUND_TRIPS_MAX)
            || (self.demand == Demand::Must && is_late(self.direct_ms, DIRECT_MS_MAX))
        {
            Verdict::Slow
        } else {
            Verdict::Passed
        }
    }

    /// Whether it is as it has to be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }

    /// What the columns of the table are.
    #[must_use]
    pub fn header() -> String {
        format!(
            "{:<20} {:<20} {:<7} {:>9} {:>7}  {:>21} {:>11}  {:>17}",
            "dialler",
            "dialled",
            "direct?",
            "connected",
            "direct",
            "first byte p50/p95",
            "round trips",
            "to direct p50/p95"
        )
    }
}

fn is_met(demand: Demand, direct: u64, runs: u64) -> bool {
    match demand {
        Demand::Must => direct == runs,
        Demand::Mostly => direct * 100 >= MOSTLY_PERCENT * runs,
        Demand::May => true,
        Demand::Cannot => direct == 0,
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |count: u64| match self.runs {
            0 => "-".to_owned(),
            runs => format!("{:.0} %", count as f64 * 100.0 / runs as f64),
        };
        let demand = match self.demand {
            Demand::Must => "must",
            Demand::Mostly => "mostly",
            Demand::May => "may",
            Demand::Cannot => "cannot",
        };
        let millis = |spread: Option<Spread>| {
            spread.map_or_else(
                || "-".to_owned(),
                |Spread { p50, p95 }| format!("{p50:.0} / {p95:.0} ms"),
            )
        };
        let round_trips = self.first_byte_round_trips.map_or_else(
            || "-".to_owned(),
            |it| format!("{:.2} / {:.2}", it.p50, it.p95),
        );
        write!(
            formatter,
            "{:<20} {:<20} {demand:<7} {:>9} {:>7}  {:>21} {round_trips:>11}  {:>17}{}",
            self.a,
            self.b,
            percent(self.connected),
            percent(self.direct),
            millis(self.first_byte_ms),
            millis(self.direct_ms),
            match self.verdict {
                Verdict::Passed => "",
                Verdict::Short => "  SHORT",
                Verdict::Slow => "  SLOW",
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use keyway_wire::Time;

    use super::*;

    const CELL: Cell = Cell {
        setting: Setting::Apart,
        a: NatKind::PortRestricted,
        b: NatKind::SymmetricRandom,
    };

    fn outcomes(count: u64, direct: u64) -> Vec<Outcome> {
        (0..count)
            .map(|number| Outcome {
                connected: true,
                first_byte: Some(Duration::from_millis(160)),
                direct: (number < direct).then(|| Duration::from_millis(number + 1)),
                relayed_round_trip: Duration::from_millis(80),
                ended: Time::ZERO,
                packets: 0,
                trace_hash: 0,
            })
            .collect()
    }

    #[test]
    fn percentiles_are_figures_that_came() {
        let figures = (1..=100).rev().map(f64::from);
        assert_eq!(
            Spread::of(figures),
            Some(Spread {
                p50: 50.0,
                p95: 95.0
            })
        );
        assert_eq!(
            Spread::of([7.0].into_iter()),
            Some(Spread { p50: 7.0, p95: 7.0 })
        );
        assert_eq!(Spread::of([].into_iter()), None);
    }

    #[test]
    fn a_row_says_whether_it_is_as_it_has_to_be() {
        let row = Row::of(&CELL, &outcomes(20, 19));
        assert!(row.passed(), "95 of 100");
        assert_eq!((row.direct, row.connected), (19, 20));
        assert_eq!(row.first_byte_round_trips.map(|it| it.p95), Some(2.0));
        assert!(!Row::of(&CELL, &outcomes(20, 18)).passed());
        let mut lost = outcomes(20, 20);
        lost[3].connected = false;
        assert!(!Row::of(&CELL, &lost).passed(), "one did not connect");
        let easy = Cell {
            b: NatKind::Public,
            ..CELL
        };
        assert!(!Row::of(&easy, &outcomes(20, 19)).passed(), "must");
        let hard = Cell {
            a: NatKind::SymmetricRandom,
            ..CELL
        };
        assert!(Row::of(&hard, &outcomes(20, 0)).passed());
        assert!(!Row::of(&hard, &outcomes(20, 1)).passed(), "cannot");
    }

    #[test]
    fn what_comes_late_is_slow() {
        let mut late = outcomes(20, 20);
        for outcome in &mut late[..2] {
            outcome.first_byte = Some(Duration::from_millis(161));
        }
        assert_eq!(Row::of(&CELL, &late).verdict, Verdict::Slow);
        let easy = Cell {
            b: NatKind::Public,
            ..CELL
        };
        let mut late = outcomes(20, 20);
        for outcome in &mut late[..2] {
            outcome.direct = Some(Duration::from_millis(2_001));
        }
        assert_eq!(Row::of(&easy, &late).verdict, Verdict::Slow);
        assert_eq!(Row::of(&CELL, &late).verdict, Verdict::Passed, "guessing");
    }

    #[test]
    fn columns_are_below_their_names() {
        let row = Row::of(&CELL, &outcomes(20, 20)).to_string();
        assert_eq!(row.len(), Row::header().len(), "{row}");
    }
}
