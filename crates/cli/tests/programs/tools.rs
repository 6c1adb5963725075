//! Which programs there are.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Set where a missing program is a failure.
const REQUIRED: &str = "KEYWAY_TESTS_REQUIRE_PROGRAMS";

/// Beside what `PATH` names: servers lie where not every user's path leads.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Debian has a folder for each version of PostgreSQL's server.
const VERSIONS_OF_POSTGRESQL: &str = "/usr/lib/postgresql";

/// A program, and the Debian package that has it.
pub(crate) type Tool = (&'static str, &'static str);

/// Where these programs are. Nothing if one of them is missing: then the test that asks has nothing to do.
pub(crate) fn find<const COUNT: usize>(tools: [Tool; COUNT]) -> Option<[PathBuf; COUNT]> {
    let folders = folders();
    let place = |name: &str| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    };
    let found: Vec<PathBuf> = tools.iter().map_while(|(name, _)| place(name)).collect();
    if let Some((name, package)) = tools.get(found.len()) {
        missing(name, package);
    }
    found.try_into().ok()
}

fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(VERSIONS_OF_POSTGRESQL).into_iter().flatten();
    let mut versions: Vec<_> = versions
        .map(|entry| entry.unwrap().path().join("bin"))
        .collect();
    versions.sort();
    env::split_paths(&path)
        .chain(FOLDERS.iter().map(PathBuf::from))
        .chain(versions.into_iter().rev())
        .collect()
}

fn missing(name: &str, package: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let line = format!("SKIPPED {test}: there is no `{name}` (Debian package {package})\n");
    assert!(
        env::var_os(REQUIRED).is_none(),
        "{line}{REQUIRED} asks for it"
    );
    // Not `eprintln!`, which is heard of tests that fail only.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A path as it is written on a command line.
pub(crate) fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    Path::new(path).to_str().unwrap()
}
