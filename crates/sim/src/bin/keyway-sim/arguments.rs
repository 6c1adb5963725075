//! What the command line says.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use keyway_sim::{NatKind, PROPERTIES, Property, Setting, by_name};

use crate::matrix::Matrix;

/// How many seeds of each property are run if nobody says another number.
const SEEDS: u64 = 100;

/// How many runs each cell of the matrix has if nobody says another number.
const MATRIX_SEEDS: u64 = 10;

/// Within how many seeds a planted fault has to be found.
const HUNT_SEEDS: u64 = 2_000;

pub(crate) const HELP: &str = "\
Usage: keyway-sim [OPTIONS] [PROPERTY…]

  --seeds N           run N seeds of each property [default: 100]
  --from S            begin with seed S [default: 0]
  --seed S            run this seed alone, and tell of each property what it was like
  --trace             tell of every packet, on standard error
  --property NAME     run only this property, as if it were named at the end (`--property help` lists them)
  --within SECONDS    begin no new seed after this time
  --store FOLDER      write the first scenario that fails there, made as small as it can be
  --scenario FILE     play this scenario alone
  --faults            hunt for each planted fault, in --seeds seeds [default: 2000]; needs the feature `planted-faults`
  --fault NAME        hunt for this one alone
  --matrix            every kind of NAT against every other, --seeds times [default: 10]
  --setting NAME      how their networks lie to each other: apart, overlapping, one_nat, one_nat_hairpin, one_carrier,
                      one_carrier_hairpin, ipv6, or all [default: apart]
  --pair A,B          this pair alone, dialler first: public, full_cone, address_restricted, port_restricted,
                      carrier_double, symmetric_sequential, symmetric_random
  --json              the matrix as JSON

Properties:
";

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) properties: Vec<Property>,
    pub(crate) seeds: Range<u64>,
    /// One seed was named: tell everything about it.
    pub(crate) replay: bool,
    pub(crate) trace: bool,
    pub(crate) within: Option<Duration>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) scenario: Option<PathBuf>,
    pub(crate) hunt: Option<Hunt>,
    pub(crate) matrix: Option<Matrix>,
}

/// Which planted faults are hunted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hunt {
    All,
    One(String),
}

/// What was said about seeds.
#[derive(Default)]
struct Seeds {
    count: Option<u64>,
    from: Option<u64>,
    one: Option<u64>,
}

impl Seeds {
    fn range(&self, usual: u64) -> Result<Range<u64>, String> {
        let (from, count) = match self.one {
            Some(_) if self.count.is_some() || self.from.is_some() => {
                return Err("--seed excludes --seeds and --from".to_owned());
            }
            Some(one) => (one, 1),
            None => (self.from.unwrap_or(0), self.count.unwrap_or(usual)),
        };
        let end = from.checked_add(count).ok_or("these seeds are too large")?;
        Ok(from..end)
    }
}

impl Arguments {
    /// Understands the command line; nothing if it asks for help.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut seeds = Seeds::default();
        let mut arguments = Self {
            properties: Vec::new(),
            seeds: 0..0,
            replay: false,
            trace: false,
            within: None,
            store: None,
            scenario: None,
            hunt: None,
            matrix: None,
        };
        let mut matrix = Matrix::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--trace" => arguments.trace = true,
                "--faults" => arguments.hunt = Some(Hunt::All),
                "--matrix" => arguments.matrix = Some(Matrix::default()),
                "--setting" => matrix.settings = settings(&value()?)?,
                "--pair" => matrix.pair = Some(pair(&value()?)?),
                "--json" => matrix.json = true,
                "--fault" => arguments.hunt = Some(Hunt::One(value()?)),
                "--seeds" => seeds.count = Some(number(&value()?)?),
                "--from" => seeds.from = Some(number(&value()?)?),
                "--seed" => seeds.one = Some(number(&value()?)?),
                "--within" => arguments.within = Some(Duration::from_secs(number(&value()?)?)),
                "--store" => arguments.store = Some(value()?.into()),
                "--scenario" => arguments.scenario = Some(value()?.into()),
                "--property" => match value()?.as_str() {
                    "help" => return Ok(None),
                    name => arguments.properties.push(property(name)?),
                },
                option if option.starts_with('-') => {
                    return Err(format!("unknown argument {word}"));
                }
                name => arguments.properties.push(property(name)?),
            }
        }
        arguments.finish(&seeds, matrix)
    }

    fn finish(mut self, seeds: &Seeds, matrix: Matrix) -> Result<Option<Self>, String> {
        if self.matrix.is_none() && matrix != Matrix::default() {
            return Err("--setting, --pair and --json are for --matrix".to_owned());
        }
        self.matrix = self.matrix.map(|_| matrix);
        let usual = match (&self.hunt, &self.matrix) {
            (Some(_), _) => HUNT_SEEDS,
            (None, Some(_)) => MATRIX_SEEDS,
            (None, None) => SEEDS,
        };
        self.seeds = seeds.range(usual)?;
        self.replay = seeds.one.is_some();
        if self.properties.is_empty() {
            self.properties = PROPERTIES.to_vec();
        }
        if self.trace && !self.replay && self.scenario.is_none() {
            return Err(
                "--trace needs --seed: the packets of many seeds at once help nobody".to_owned(),
            );
        }
        Ok(Some(self))
    }
}

fn property(name: &str) -> Result<Property, String> {
    by_name(name)
        .copied()
        .ok_or_else(|| format!("there is no property {name}"))
}

fn settings(text: &str) -> Result<Vec<Setting>, String> {
    match text {
        "all" => Ok(Setting::ALL.to_vec()),
        name => Ok(vec![name.parse()?]),
    }
}

fn pair(text: &str) -> Result<(NatKind, NatKind), String> {
    let (a, b) = text
        .split_once(',')
        .ok_or_else(|| format!("{text} is no pair: A,B"))?;
    Ok((a.parse()?, b.parse()?))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_arguments_all_properties_run_some_seeds() {
        let arguments = parse("").unwrap().unwrap();
        assert_eq!(
            (arguments.properties.len(), arguments.seeds),
            (PROPERTIES.len(), 0..SEEDS)
        );
    }

    #[test]
    fn one_seed_of_one_property_can_be_replayed() {
        let arguments = parse("--property transfer --seed 9 --trace")
            .unwrap()
            .unwrap();
        assert_eq!(
            (arguments.properties[0].name, arguments.seeds),
            ("transfer", 9..10)
        );
        assert!(arguments.replay && arguments.trace);
        let shorter = parse("--seed 9 --trace transfer").unwrap().unwrap();
        assert_eq!(shorter.properties[0].name, "transfer");
    }

    #[test]
    fn seeds_may_begin_anywhere() {
        let arguments = parse("--from 1000 --seeds 5 swarm").unwrap().unwrap();
        assert_eq!(arguments.seeds, 1000..1005);
        let hunt = parse("--faults").unwrap().unwrap();
        assert_eq!((hunt.hunt, hunt.seeds), (Some(Hunt::All), 0..HUNT_SEEDS));
    }

    #[test]
    fn a_part_of_the_matrix_can_be_asked_for() {
        let arguments = parse("--matrix --pair public,full_cone --setting ipv6 --json");
        let arguments = arguments.unwrap().unwrap();
        let expected = Matrix {
            settings: vec![Setting::Ipv6],
            pair: Some((NatKind::Public, NatKind::FullCone)),
            json: true,
        };
        assert_eq!((arguments.matrix, arguments.seeds), (Some(expected), 0..10));
        let all = parse("--setting all --matrix").unwrap().unwrap();
        assert_eq!(all.matrix.unwrap().settings, Setting::ALL);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--seeds",
            "--seeds x",
            "--seed 1 --seeds 2",
            "--trace",
            "--property none",
            "none",
            "--seed 1 --from 2",
            "--from 18446744073709551615",
            "--more",
            "--json",
            "--matrix --pair public",
            "--matrix --pair public,cone",
            "--matrix --setting nowhere",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("--property help").unwrap().is_none());
    }
}
