//! What was measured, and what many rounds of it say.

use std::collections::BTreeMap;

/// Figures of one measurement, by their names.
pub(in crate::bench) type Figures = BTreeMap<String, f64>;

/// The figures, or why there are none.
pub(in crate::bench) type Outcome = Result<Figures, String>;

/// All measurements.
#[derive(Default)]
pub(in crate::bench) struct Results(BTreeMap<(String, String), BTreeMap<usize, Outcome>>);

/// The middle one of some values, and the outermost two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) struct Spread {
    pub(in crate::bench) median: f64,
    pub(in crate::bench) least: f64,
    pub(in crate::bench) most: f64,
}

impl Spread {
    /// Of an even number, the median lies in the middle between two. Nothing, if there are no values.
    pub(in crate::bench) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let upper = values[values.len() / 2];
        let lower = values[(values.len() - 1) / 2];
        Some(Self {
            median: f64::midpoint(lower, upper),
            least,
            most,
        })
    }
}

impl Results {
    pub(in crate::bench) fn add(
        &mut self,
        round: usize,
        row: &str,
        workload: &str,
        outcome: Outcome,
    ) {
        self.0
            .entry((row.to_owned(), workload.to_owned()))
            .or_default()
            .insert(round, outcome);
    }

    /// Whether there is not one figure.
    pub(in crate::bench) fn is_empty(&self) -> bool {
        !self
            .0
            .values()
            .flat_map(BTreeMap::values)
            .any(Result::is_ok)
    }

    /// One figure of a row over all rounds that have it.
    pub(in crate::bench) fn spread(
        &self,
        row: &str,
        workload: &str,
        figure: &str,
    ) -> Option<Spread> {
        Spread::of(self.values(row, workload, figure).into_values())
    }

    /// How many times as much a row has as another one: the ratio of each round that has both, because only what was measured
    /// within seconds can be compared.
    pub(in crate::bench) fn ratio(
        &self,
        row: &str,
        to: &str,
        workload: &str,
        figure: &str,
    ) -> Option<Spread> {
        let others = self.values(to, workload, figure);
        let own = self.values(row, workload, figure);
        let ratios = own.into_iter().filter_map(|(round, value)| {
            let other = others.get(&round).copied().filter(|other| *other > 0.0)?;
            Some(value / other)
        });
        Spread::of(ratios)
    }

    /// Each measurement that failed, with the reason.
    pub(in crate::bench) fn failures(&self) -> impl Iterator<Item = (&str, &str, usize, &str)> {
        self.0.iter().flat_map(|((row, workload), rounds)| {
            rounds.iter().filter_map(move |(round, outcome)| {
                let reason = outcome.as_ref().err()?;
                Some((row.as_str(), workload.as_str(), *round, reason.as_str()))
            })
        })
    }

    fn values(&self, row: &str, workload: &str, figure: &str) -> BTreeMap<usize, f64> {
        let key = (row.to_owned(), workload.to_owned());
        let rounds = self.0.get(&key).into_iter().flatten();
        rounds
            .filter_map(|(round, outcome)| {
                let value = outcome.as_ref().ok()?.get(figure)?;
                Some((*round, *value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(results: &mut Results, round: usize, row: &str, value: f64) {
        let figures = Figures::from([("gbit_s".to_owned(), value)]);
        results.add(round, row, "stream", Ok(figures));
    }

    #[test]
    fn the_median_is_the_middle_and_the_spread_the_outermost() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of([1.0, 2.0, 9.0, 4.0]).unwrap().median, 3.0);
        assert_eq!(Spread::of([5.0]).unwrap().median, 5.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_only_then_compared() {
        let mut results = Results::default();
        // The machine is ten times as fast in the last round: the ratio of medians would be 1.
        for (round, (ours, theirs)) in [(2.0, 1.0), (4.0, 2.0), (40.0, 20.0)]
            .into_iter()
            .enumerate()
        {
            add(&mut results, round, "ours", ours);
            add(&mut results, round, "theirs", theirs);
        }
        let ratio = results.ratio("ours", "theirs", "stream", "gbit_s").unwrap();
        assert_eq!((ratio.least, ratio.median, ratio.most), (2.0, 2.0, 2.0));
    }

    #[test]
    fn a_round_that_failed_counts_for_nothing_and_is_told() {
        let mut results = Results::default();
        add(&mut results, 0, "ours", 2.0);
        add(&mut results, 1, "ours", 8.0);
        results.add(0, "theirs", "stream", Err("broken".to_owned()));
        add(&mut results, 1, "theirs", 2.0);
        let ratio = results.ratio("ours", "theirs", "stream", "gbit_s").unwrap();
        assert_eq!(ratio.median, 4.0);
        assert_eq!(
            results.spread("theirs", "stream", "gbit_s").unwrap().median,
            2.0
        );
        let failures: Vec<_> = results.failures().collect();
        assert_eq!(failures, [("theirs", "stream", 0, "broken")]);
    }

    #[test]
    fn what_nobody_measured_is_nothing() {
        let mut results = Results::default();
        assert!(results.is_empty());
        results.add(0, "ours", "stream", Err("broken".to_owned()));
        assert!(results.is_empty());
        add(&mut results, 1, "ours", 2.0);
        assert!(!results.is_empty());
        assert_eq!(results.spread("ours", "ping", "p50_us"), None);
        assert_eq!(results.ratio("ours", "theirs", "stream", "gbit_s"), None);
    }
}
