//! Allowed dependency arrows: the crates form one line, and an arrow points only towards its beginning.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::step::Outcome;
use crate::workspace::{self, Package};

/// The crates from the bottom up. A crate may depend on those before it, whatever it needs them for.
const ORDER: [&str; 10] = [
    "keyway-identity",
    "keyway-wire",
    "keyway-handshake",
    "keyway-transport",
    "keyway-nat",
    "keyway-rendezvous",
    "keyway-node",
    "keyway-sim",
    "keyway",
    "keyway-cli",
];

/// The first crate, in that order, that may own sockets, clocks and tasks. Those before it take bytes and time in and
/// give bytes and events out.
const FIRST_WITH_IO: &str = "keyway";

/// What a core has no use for: each of these is a socket, a clock, a task or a source of randomness.
const IO: [&str; 9] = [
    "tokio",
    "tokio-util",
    "quinn-udp",
    "socket2",
    "mio",
    "if-addrs",
    "getrandom",
    "hyper",
    "tracing-subscriber",
];

/// Packages that may depend on every crate, and on which none may depend.
const OUTSIDE: [&str; 4] = ["keyway-benches", "keyway-fuzz", "keyway-tests", "xtask"];

/// Every arrow in the workspace is an allowed one.
pub(super) fn check() -> Result<Outcome> {
    let packages = workspace::packages()?;
    let offences = offences(&packages);
    if !offences.is_empty() {
        bail!("{}", offences.join("\n       "));
    }
    Ok(Outcome::Passed(format!("{} packages", packages.len())))
}

fn offences(packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    packages
        .iter()
        .flat_map(|package| package_offences(package, &members))
        .collect()
}

fn package_offences(package: &Package, members: &BTreeSet<&str>) -> Vec<String> {
    let own = place(&package.name);
    if own.is_none() && !OUTSIDE.contains(&package.name.as_str()) {
        return vec![format!(
            "{} has no place in the order of crates (xtask/src/ci/arrows.rs)",
            package.name
        )];
    }
    let is_core = own.is_some() && own < place(FIRST_WITH_IO);
    let mut offences = Vec::new();
    for dependency in &package.dependencies {
        let arrow = format!("{} -> {}", package.name, dependency.name);
        if members.contains(dependency.name.as_str()) {
            match (own, place(&dependency.name)) {
                (_, None) => offences.push(format!(
                    "{arrow}: nothing may depend on {}",
                    dependency.name
                )),
                (Some(own), Some(other)) if other >= own => {
                    offences.push(format!(
                        "{arrow}: a crate depends only on crates above it ({})",
                        ORDER.join(", ")
                    ));
                }
                (_, Some(_)) => {}
            }
        } else if is_core && !dependency.dev && IO.contains(&dependency.name.as_str()) {
            offences.push(format!(
                "{arrow}: a core does no I/O, reads no clock and starts no task"
            ));
        }
    }
    offences
}

fn place(name: &str) -> Option<usize> {
    ORDER.iter().position(|crate_name| *crate_name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|&(name, dev)| Dependency {
                    name: name.to_owned(),
                    dev,
                })
                .collect(),
            binaries: Vec::new(),
        }
    }

    #[test]
    fn arrows_to_crates_above_are_allowed() {
        let packages = [
            package("keyway-wire", &[("thiserror", false), ("tokio", true)]),
            package("keyway-transport", &[("keyway-wire", false)]),
            package("keyway", &[("keyway-transport", false), ("tokio", false)]),
            package("xtask", &[("keyway", false)]),
        ];
        assert_eq!(offences(&packages), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_downwards_is_named_even_if_only_tests_need_it() {
        let packages = [
            package("keyway-wire", &[("keyway-transport", true)]),
            package("keyway-transport", &[]),
        ];
        let offences = offences(&packages);
        assert_eq!(offences.len(), 1);
        assert!(offences[0].starts_with("keyway-wire -> keyway-transport: "));
    }

    #[test]
    fn a_core_that_takes_a_runtime_is_named() {
        let offences = offences(&[package("keyway-node", &[("tokio", false)])]);
        assert_eq!(
            offences,
            ["keyway-node -> tokio: a core does no I/O, reads no clock and starts no task"]
        );
    }

    #[test]
    fn nothing_depends_on_what_stands_outside_the_order() {
        let packages = [
            package("keyway-cli", &[("xtask", false)]),
            package("xtask", &[]),
        ];
        assert_eq!(
            offences(&packages),
            ["keyway-cli -> xtask: nothing may depend on xtask"]
        );
    }

    #[test]
    fn a_package_that_the_order_does_not_know_is_named() {
        assert_eq!(offences(&[package("keyway-more", &[])]).len(), 1);
    }
}
