//! The measured programs: one folder `peer-*` each in `benches/peers`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{process, workspace};

/// How the folders of programs begin.
const PREFIX: &str = "peer-";

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Row {
    /// What it is called.
    pub(in crate::bench) name: String,
    /// The program that fills it.
    pub(in crate::bench) program: PathBuf,
    /// What is measured, with its version.
    pub(in crate::bench) version: Option<String>,
    /// Its settings in a few words.
    pub(in crate::bench) about: String,
    /// What can be measured.
    pub(in crate::bench) workloads: Vec<String>,
}

/// Cargo in the other workspace, which has a target folder of its own.
pub(in crate::bench) fn cargo() -> Command {
    let mut command = process::cargo();
    command.current_dir(workspace::root().join("benches/peers"));
    command
}

/// Builds the programs with these names, or all there are. Gives their rows, and the names of those that do not build.
///
/// Each is built alone: what one needs of a library in common shall not change it for the others.
pub(in crate::bench) fn build(wanted: &[String]) -> Result<(Vec<Row>, Vec<String>)> {
    let there = names()?;
    for name in wanted {
        ensure!(
            there.contains(name),
            "no peer `{name}`: there are {}",
            there.join(", ")
        );
    }
    let lock_file = workspace::root().join("benches/peers/Cargo.lock");
    let lock_file = fs::read_to_string(lock_file).context("benches/peers has no Cargo.lock")?;
    let (mut rows, mut unbuilt) = (Vec::new(), Vec::new());
    for name in there {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let package = format!("{PREFIX}{name}");
        let built =
            process::run(cargo().args(["build", "--release", "--locked", "--package", &package]));
        match built.and_then(|()| variants(&package, &lock_file)) {
            Ok(variants) => rows.extend(variants),
            Err(error) => {
                eprintln!("error: {error:#}");
                unbuilt.push(name);
            }
        }
    }
    // The ones that others are measured by stand first.
    rows.sort_by_key(|row| {
        let first = ["ceiling", "tcp", "keyway"];
        first
            .iter()
            .position(|begin| row.name.starts_with(begin))
            .unwrap_or(first.len())
    });
    Ok((rows, unbuilt))
}

fn names() -> Result<Vec<String>> {
    let folder = workspace::root().join("benches/peers");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_prefix(PREFIX).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn variants(package: &str, lock_file: &str) -> Result<Vec<Row>> {
    let program = workspace::root().join("target/peers/release").join(package);
    let output = process::output(process::program(&program).arg("variants"))?;
    parse(&output, &program, lock_file).context("a list of variants was expected")
}

fn parse(json: &str, program: &std::path::Path, lock_file: &str) -> Result<Vec<Row>> {
    let variants: Vec<Value> = serde_json::from_str(json)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    variants
        .iter()
        .map(|variant| {
            let workloads = variant["workloads"].as_array().context("no workloads")?;
            let version = variant["package"]
                .as_str()
                .map(|package| format!("{package} {}", version(lock_file, package)));
            Ok(Row {
                name: text(&variant["name"]).context("no name")?,
                program: program.to_owned(),
                version,
                about: text(&variant["about"]).context("no description")?,
                workloads: workloads.iter().filter_map(text).collect(),
            })
        })
        .collect()
}

/// The version of a package by the lock file.
fn version<'a>(lock_file: &'a str, package: &str) -> &'a str {
    let name = format!("name = \"{package}\"");
    lock_file
        .lines()
        .skip_while(|line| *line != name)
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .unwrap_or("of unknown version")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LOCK: &str = "[[package]]\nname = \"quinn\"\nversion = \"0.11.12\"\n\n[[package]]\nname = \"quinn-udp\"\nversion = \"0.5.16\"\n";

    #[test]
    fn a_program_tells_its_rows() {
        let json = r#"[{"name":"quinn-6500","package":"quinn","about":"large packets","workloads":["stream"]},
            {"name":"tcp","package":null,"about":"the kernel's","workloads":[]}]"#;
        let rows = parse(json, Path::new("p"), LOCK).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].name, "quinn-6500");
        assert_eq!(rows[0].version.as_deref(), Some("quinn 0.11.12"));
        assert_eq!(rows[0].workloads, ["stream"]);
        assert_eq!(rows[1].version, None);
        assert!(parse(r#"[{"name":"x"}]"#, Path::new("p"), LOCK).is_err());
    }

    #[test]
    fn the_version_is_of_the_package_with_exactly_this_name() {
        assert_eq!(version(LOCK, "quinn-udp"), "0.5.16");
        assert_eq!(version(LOCK, "quinn"), "0.11.12");
        assert_eq!(version(LOCK, "inn"), "of unknown version");
    }

    #[test]
    fn the_programs_are_found_by_their_folders() {
        let names = names().unwrap();
        assert!(names.contains(&"keyway".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("harness")));
    }
}
