//! `cargo xtask requirements`: which test shows which rule of proto/PROTOCOL.md.
//!
//! A test shows the rules that a comment directly above it names: `// R8.12`. Rules without a test stand in
//! `proto/untested.txt` with the reason; the check refuses any other, and an entry that has got its test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::Outcome;
use crate::workspace;

const PROTOCOL: &str = "proto/PROTOCOL.md";
const UNTESTED: &str = "proto/untested.txt";

/// Where tests are.
const FOLDERS: [&str; 2] = ["crates", "fuzz"];

/// Prints each rule with the tests that show it, and then those that have none.
///
/// # Errors
/// As [`check`].
pub(crate) fn run() -> Result<()> {
    let traced = Traced::read(workspace::root())?;
    for (rule, tests) in &traced.tests {
        println!("{rule}");
        for test in tests {
            println!("    {test}");
        }
    }
    println!("without a test:");
    for (rule, reason) in &traced.untested {
        println!("    {rule}  {reason}");
    }
    println!("{}", traced.summary());
    traced.complain()
}

/// Every rule has a test or a reason, and nobody names a rule that is not there.
pub(crate) fn check() -> Result<Outcome> {
    let traced = Traced::read(workspace::root())?;
    traced.complain()?;
    Ok(Outcome::Passed(traced.summary()))
}

/// The number of a rule: section, and place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule(u32, u32);

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}.{}", self.0, self.1)
    }
}

struct Traced {
    rules: BTreeSet<Rule>,
    /// Who shows what: `file: name of the test`.
    tests: BTreeMap<Rule, Vec<String>>,
    /// Rules without a test, with the reason.
    untested: BTreeMap<Rule, String>,
}

impl Traced {
    fn read(root: &Path) -> Result<Self> {
        let text = |paper: &str| {
            fs::read_to_string(root.join(paper)).with_context(|| format!("cannot read {paper}"))
        };
        let mut tests: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
        for file in sources(root)? {
            let code = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let place = file.strip_prefix(root).unwrap_or(&file).display();
            for (name, rules) in shown(&code) {
                for rule in rules {
                    tests
                        .entry(rule)
                        .or_default()
                        .push(format!("{place}: {name}"));
                }
            }
        }
        let untested = text(UNTESTED)?
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| {
                let (rule, reason) = line.split_once(' ').unwrap_or((line, ""));
                let rule = numbers(rule).next().with_context(|| {
                    format!("{UNTESTED}: `{line}` does not begin with the number of a rule")
                })?;
                Ok((rule, reason.trim().to_owned()))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            rules: rules(&text(PROTOCOL)?),
            tests,
            untested,
        })
    }

    fn summary(&self) -> String {
        let shown = self
            .rules
            .iter()
            .filter(|rule| self.tests.contains_key(rule));
        format!(
            "{} of {} rules have a test",
            shown.count(),
            self.rules.len()
        )
    }

    fn complain(&self) -> Result<()> {
        let mut wrong = Vec::new();
        for (rule, tests) in &self.tests {
            if !self.rules.contains(rule) {
                wrong.push(format!("{rule} is no rule; {} names it", tests.join(", ")));
            }
        }
        for rule in &self.rules {
            match (self.tests.get(rule), self.untested.get(rule)) {
                (None, None) => wrong.push(format!(
                    "{rule} has no test: write one, with `// {rule}` above it, or say why not in {UNTESTED}"
                )),
                (Some(_), Some(_)) => {
                    wrong.push(format!("{rule} has a test: strike it from {UNTESTED}"));
                }
                (Some(_), None) => {}
                (None, Some(reason)) if reason.is_empty() => {
                    wrong.push(format!("{UNTESTED} gives no reason for {rule}"));
                }
                (None, Some(_)) => {}
            }
        }
        for rule in self.untested.keys() {
            if !self.rules.contains(rule) {
                wrong.push(format!("{UNTESTED}: {rule} is no rule"));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        bail!("{}", wrong.join("\n       "));
    }
}

/// All Rust files below the folders that have tests.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder);
        for entry in entries.with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The rules that the protocol's text has.
fn rules(text: &str) -> BTreeSet<Rule> {
    text.lines()
        .filter_map(|line| line.strip_prefix("- **")?.split("**").next())
        .filter_map(|name| numbers(name).next())
        .collect()
}

/// The tests of a file with the rules that the comments above them name.
fn shown(code: &str) -> Vec<(String, Vec<Rule>)> {
    let mut tests = Vec::new();
    let (mut named, mut is_test) = (Vec::new(), false);
    for line in code.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("// ") {
            named.extend(numbers(comment));
        } else if line.starts_with("///") {
            // What the test says of itself stands between the two.
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else {
            let name = line
                .split_once("fn ")
                .and_then(|(_, rest)| rest.split('(').next());
            if let Some(name) = name.filter(|_| is_test && !named.is_empty()) {
                tests.push((name.to_owned(), std::mem::take(&mut named)));
            }
            named.clear();
            is_test = false;
        }
    }
    tests
}

/// The rules that a line names, such as `R8.12`. `R8` alone is something else.
fn numbers(line: &str) -> impl Iterator<Item = Rule> {
    line.split(|character: char| !character.is_ascii_alphanumeric() && character != '.')
        .filter_map(|word| {
            let (section, place) = word.strip_prefix('R')?.split_once('.')?;
            let place = place.trim_end_matches('.');
            Some(Rule(section.parse().ok()?, place.parse().ok()?))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(rules: &[Rule], tests: &[Rule], untested: &[(Rule, &str)]) -> Traced {
        Traced {
            rules: rules.iter().copied().collect(),
            tests: tests
                .iter()
                .map(|rule| (*rule, vec!["a.rs: it_holds".to_owned()]))
                .collect(),
            untested: untested
                .iter()
                .map(|(rule, reason)| (*rule, (*reason).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_rule_is_numbered_where_it_is_said_and_not_where_it_is_named() {
        let text = "- **R4.1** A side MUST.\n  As in R3.2.\n- **R4.10** Or.\n- **bold** R5.1";
        let expected = BTreeSet::from([Rule(4, 1), Rule(4, 10)]);
        assert_eq!(rules(text), expected);
    }

    #[test]
    fn a_comment_counts_directly_above_a_test() {
        let code = "
            // R1.1: elsewhere
            const A: u8 = 0;
            // H5, R4.22, R4.23.
            // R8: a row of another list
            #[tokio::test(flavor = \"multi_thread\")]
            async fn it_holds() {}
            // R4.24
            fn not_a_test() {}
            proptest! {
                // R9.1
                #[test]
                fn whatever_comes(octet: u8) {}
            }";
        let expected = [
            ("it_holds".to_owned(), vec![Rule(4, 22), Rule(4, 23)]),
            ("whatever_comes".to_owned(), vec![Rule(9, 1)]),
        ];
        assert_eq!(shown(code), expected);
    }

    #[test]
    fn a_rule_needs_a_test_or_a_reason_and_not_both() {
        let rule = Rule(4, 9);
        assert!(traced(&[rule], &[rule], &[]).complain().is_ok());
        assert!(traced(&[rule], &[], &[(rule, "why")]).complain().is_ok());
        for (wrong, said) in [
            (traced(&[rule], &[], &[]), "has no test"),
            (traced(&[rule], &[rule], &[(rule, "why")]), "strike it"),
            (traced(&[rule], &[], &[(rule, "")]), "gives no reason"),
            (traced(&[], &[rule], &[]), "is no rule"),
            (traced(&[], &[], &[(rule, "why")]), "is no rule"),
        ] {
            let error = wrong.complain().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
