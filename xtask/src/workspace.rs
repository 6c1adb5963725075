//! Where things are in this repository, and what cargo knows about its packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies one folder below the root")
}

/// One package of the workspace, as far as the checks need it.
#[derive(Debug)]
pub(crate) struct Package {
    /// The package's name, such as `keyway-wire`.
    pub(crate) name: String,
    /// Whom it depends on.
    pub(crate) dependencies: Vec<Dependency>,
    /// Its binary targets.
    pub(crate) binaries: Vec<String>,
}

/// One line of a package's dependencies.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package depended on.
    pub(crate) name: String,
    /// Needed by tests, examples and benches only.
    pub(crate) dev: bool,
}

/// The members of the workspace, by `cargo metadata`.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = process::output(process::cargo().args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ]))?;
    parse_metadata(&output).context("cargo metadata gave something unexpected")
}

fn parse_metadata(json: &str) -> Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(json)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> Result<Package> {
    let dependencies = value["dependencies"]
        .as_array()
        .context("no dependencies")?;
    let targets = value["targets"].as_array().context("no targets")?;
    Ok(Package {
        name: string(&value["name"])?,
        dependencies: dependencies.iter().map(dependency).collect::<Result<_>>()?,
        binaries: targets
            .iter()
            .filter(|target| {
                target["kind"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
            })
            .map(|target| string(&target["name"]))
            .collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    Ok(Dependency {
        name: string(&value["name"])?,
        dev: value["kind"] == "dev",
    })
}

fn string(value: &Value) -> Result<String> {
    Ok(value.as_str().context("a name is missing")?.to_owned())
}

/// The files directly inside `folder` whose name ends in `.extension`, sorted; none if there is no such folder.
pub(crate) fn files_with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        if path.is_file() && path.extension() == Some(OsStr::new(extension)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_gives_names_dependencies_and_binaries() {
        let json = r#"{"packages": [{
            "name": "keyway-sim",
            "dependencies": [{"name": "keyway-wire", "kind": null}, {"name": "proptest", "kind": "dev"}],
            "targets": [{"name": "keyway_sim", "kind": ["lib"]}, {"name": "keyway-sim", "kind": ["bin"]}]
        }]}"#;
        let packages = parse_metadata(json).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].name, "keyway-sim");
        assert_eq!(packages[0].binaries, ["keyway-sim"]);
        let kinds: Vec<_> = packages[0]
            .dependencies
            .iter()
            .map(|d| (d.name.as_str(), d.dev))
            .collect();
        assert_eq!(kinds, [("keyway-wire", false), ("proptest", true)]);
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        assert!(parse_metadata("{}").is_err());
        assert!(parse_metadata(r#"{"packages": [{}]}"#).is_err());
    }

    #[test]
    fn the_root_holds_the_workspace_manifest() {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
