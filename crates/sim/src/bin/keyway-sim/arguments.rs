//! What the command line says.

use std::ops::Range;
use std::time::Duration;

use keyway_sim::{PROPERTIES, Property, by_name};

/// How many seeds of each property are run if nobody says another number.
const SEEDS: u64 = 100;

pub(crate) const HELP: &str = "\
Usage: keyway-sim [--seeds N | --seed S [--trace]] [--property NAME] [--within SECONDS]

  --seeds N           run the seeds 0 to N-1 of each property [default: 100]
  --seed S            run this seed alone, and tell of each property what it was like
  --trace             tell of every packet, on standard error
  --property NAME     run only this property (`--property help` lists them)
  --within SECONDS    begin no new seed after this time

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
}

impl Arguments {
    /// Understands the command line; nothing if it asks for help.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            properties: PROPERTIES.to_vec(),
            seeds: 0..SEEDS,
            replay: false,
            trace: false,
            within: None,
        };
        let mut counted = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--trace" => arguments.trace = true,
                "--seeds" => {
                    arguments.seeds = 0..number(&value()?)?;
                    counted = true;
                }
                "--seed" => {
                    let seed = number(&value()?)?;
                    arguments.seeds = seed..seed.checked_add(1).ok_or("this seed is too large")?;
                    arguments.replay = true;
                }
                "--within" => arguments.within = Some(Duration::from_secs(number(&value()?)?)),
                "--property" => match value()?.as_str() {
                    "help" => return Ok(None),
                    name => {
                        arguments.properties = vec![
                            *by_name(name).ok_or_else(|| format!("there is no property {name}"))?,
                        ]
                    }
                },
                _ => return Err(format!("unknown argument {word}")),
            }
        }
        if counted && arguments.replay {
            return Err("--seeds and --seed exclude each other".to_owned());
        }
        if arguments.trace && !arguments.replay {
            return Err(
                "--trace needs --seed: the packets of many seeds at once help nobody".to_owned(),
            );
        }
        Ok(Some(arguments))
    }
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
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--seeds",
            "--seeds x",
            "--seed 1 --seeds 2",
            "--trace",
            "--property none",
            "more",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("--property help").unwrap().is_none());
    }
}
