//! Files, sections and tests that the papers name exist: a map that shows a street which is gone is worse than none. The
//! papers are all Markdown files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::Outcome;
use crate::workspace;

/// What a file of ours ends in, as far as papers name files.
const ENDINGS: [&str; 5] = [".rs", ".md", ".proto", ".toml", ".json"];

/// Every path and every link in the papers leads to something.
pub(super) fn check() -> Result<Outcome> {
    let root = workspace::root();
    let tree = Tree::read(root)?;
    let mut count = 0;
    let mut gone = Vec::new();
    for paper in tree.papers() {
        let text = read(&root.join(paper))?;
        for (line, mention) in mentions(&text) {
            match tree.judge(&mention, paper) {
                Some(true) => count += 1,
                Some(false) => gone.push(format!(
                    "{}:{line}: `{}` does not exist",
                    paper.display(),
                    mention.text()
                )),
                None => {}
            }
        }
    }
    if !gone.is_empty() {
        bail!("{}", gone.join("\n       "));
    }
    Ok(Outcome::Passed(format!("{count} places")))
}

/// The names under which the headings of a paper can be linked to, as GitHub and others make them: in lower case, with
/// dashes for spaces, and without what is neither letter nor digit.
fn sections(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let heading = line.trim_start_matches('#');
        if fenced || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter_map(|character| {
            let kept = character.is_alphanumeric() || "-_ ".contains(character);
            kept.then_some(if character == ' ' { '-' } else { character })
        });
        names.insert(kept.collect::<String>().to_lowercase());
    }
    names
}

/// The names of the functions in a file of Rust.
fn functions(code: &str) -> impl Iterator<Item = String> {
    code.lines().filter_map(|line| {
        let (_, rest) = line.split_once("fn ")?;
        Some(rest.split(['(', '<']).next()?.to_owned())
    })
}

/// Whether this is the name of a test, which is a sentence: five words or more.
fn is_sentence(code: &str) -> bool {
    let word = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
    };
    code.chars().all(word) && code.split('_').count() >= 5
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Something in a paper that may be a path.
#[derive(Debug, PartialEq, Eq)]
enum Mention {
    /// Between backticks: a path, or any other code.
    Code(String),
    /// The target of a link: a path, unless it leads to another site or into the page.
    Link(String),
}

impl Mention {
    fn text(&self) -> &str {
        match self {
            Self::Code(text) | Self::Link(text) => text,
        }
    }
}

/// All mentions with their line numbers, fenced blocks left out: what they show is checked by those who run it.
fn mentions(text: &str) -> Vec<(usize, Mention)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let spans = line
                .split('`')
                .skip(1)
                .step_by(2)
                .map(|code| Mention::Code(code.to_owned()));
            let links = line
                .split("](")
                .skip(1)
                .filter_map(|rest| Some(Mention::Link(rest.split_once(')')?.0.to_owned())));
            found.extend(spans.chain(links).map(|mention| (index + 1, mention)));
        }
    }
    found
}

/// What there is.
struct Tree {
    /// Every file and folder, from the root.
    paths: BTreeSet<PathBuf>,
    /// The last components of all files.
    names: BTreeSet<String>,
    /// The sections of each paper, as links name them.
    sections: BTreeMap<PathBuf, BTreeSet<String>>,
    /// The names of all functions: tests are among them.
    functions: BTreeSet<String>,
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let mut tree = Self {
            paths: BTreeSet::new(),
            names: BTreeSet::new(),
            sections: BTreeMap::new(),
            functions: BTreeSet::new(),
        };
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)
                .with_context(|| format!("cannot list {}", folder.display()))?
            {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = entry.path();
                if name == ".git" || (name == "target" && path.join("CACHEDIR.TAG").exists()) {
                    continue;
                }
                let place = path.strip_prefix(root)?.to_owned();
                tree.paths.insert(place.clone());
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                    continue;
                }
                if name.ends_with(".md") {
                    tree.sections.insert(place, sections(&read(&path)?));
                } else if name.ends_with(".rs") {
                    tree.functions.extend(functions(&read(&path)?));
                }
                tree.names.insert(name);
            }
        }
        Ok(tree)
    }

    fn papers(&self) -> impl Iterator<Item = &Path> {
        self.sections.keys().map(PathBuf::as_path)
    }

    /// Whether the place exists; nothing if the mention is not one of a place.
    fn judge(&self, mention: &Mention, paper: &Path) -> Option<bool> {
        let folder = paper.parent().unwrap_or(Path::new(""));
        match mention {
            Mention::Link(target) => {
                let elsewhere = target.contains("://") || target.starts_with("mailto:");
                (!elsewhere).then(|| self.leads_somewhere(target, paper, folder))
            }
            Mention::Code(code) => self.judge_code(code, folder),
        }
    }

    fn leads_somewhere(&self, target: &str, paper: &Path, folder: &Path) -> bool {
        let (path, section) = target.split_once('#').unwrap_or((target, ""));
        let place = if path.is_empty() {
            paper.to_owned()
        } else {
            normal(&folder.join(path))
        };
        let has_section = || {
            self.sections
                .get(&place)
                .is_some_and(|sections| sections.contains(section))
        };
        self.exists(&place) && (section.is_empty() || has_section())
    }

    fn judge_code(&self, code: &str, folder: &Path) -> Option<bool> {
        let plain =
            |character: char| character.is_ascii_alphanumeric() || "_-./".contains(character);
        if code.is_empty() || !code.chars().all(plain) || code.starts_with('/') {
            return None;
        }
        if is_sentence(code) {
            return Some(self.functions.contains(code));
        }
        let ends_like_ours = ENDINGS
            .iter()
            .any(|ending| code.len() > ending.len() && code.ends_with(ending));
        let path = normal(Path::new(code));
        if !code.contains('/') {
            return ends_like_ours.then(|| self.names.contains(code));
        }
        // `transport/src/lib.rs` is short for `crates/transport/src/lib.rs`.
        let short = Path::new("crates").join(&path);
        let first = path
            .components()
            .next()
            .map(|first| PathBuf::from(first.as_os_str()))?;
        let begins_like_ours =
            self.exists(&first) || self.exists(&Path::new("crates").join(&first));
        let beside = normal(&folder.join(code));
        let places = [&path, &short, &beside];
        (begins_like_ours || ends_like_ours)
            .then(|| places.into_iter().any(|place| self.exists(place)))
    }

    fn exists(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.paths.contains(path)
    }
}

/// Without `.` and with `..` resolved.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            std::path::Component::Prefix(_)
            | std::path::Component::RootDir
            | std::path::Component::Normal(_) => {
                normal.push(component);
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let files = ["README.md", "crates/wire/src/lib.rs", "proto/PROTOCOL.md"];
        let paths = files
            .iter()
            .flat_map(|file| Path::new(file).ancestors())
            .map(Path::to_owned)
            .collect();
        let names = ["README.md", "lib.rs", "PROTOCOL.md"]
            .map(str::to_owned)
            .into();
        let text = "# The protocol\n## 2. Glossary: `a`, b\n```sh\n# no heading\n```";
        let sections = [(PathBuf::from("proto/PROTOCOL.md"), sections(text))].into();
        Tree {
            paths,
            names,
            sections,
            functions: functions("fn it_is_there_as_ever(&self) {}").collect(),
        }
    }

    fn judge(code: &str) -> Option<bool> {
        tree().judge(&Mention::Code(code.to_owned()), Path::new("README.md"))
    }

    fn link(target: &str) -> Option<bool> {
        tree().judge(
            &Mention::Link(target.to_owned()),
            Path::new("proto/PROTOCOL.md"),
        )
    }

    #[test]
    fn a_path_is_found_from_the_root_and_from_the_crates() {
        assert_eq!(judge("crates/wire/src/lib.rs"), Some(true));
        assert_eq!(judge("wire/src/lib.rs"), Some(true));
        assert_eq!(judge("crates/wire/"), Some(true));
        assert_eq!(judge("lib.rs"), Some(true));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_noticed() {
        assert_eq!(judge("crates/wire/src/gone.rs"), Some(false));
        assert_eq!(judge("wire/src/gone"), Some(false));
        assert_eq!(judge("gone.rs"), Some(false));
        assert_eq!(judge("elsewhere/gone.md"), Some(false));
    }

    #[test]
    fn a_test_that_is_gone_is_noticed() {
        assert_eq!(judge("it_is_there_as_ever"), Some(true));
        assert_eq!(judge("it_was_there_once_upon_a_time"), Some(false));
        assert_eq!(judge("max_ack_delay_us"), None);
    }

    #[test]
    fn other_code_is_no_path() {
        for code in [
            "Stream::write",
            "and/or",
            "tcp:127.0.0.1:80/x",
            "/etc/hosts",
            "cargo xtask",
            "crates/*",
            ".rs",
        ] {
            assert_eq!(judge(code), None, "{code}");
        }
    }

    #[test]
    fn links_are_followed_from_the_folder_of_their_paper() {
        assert_eq!(link("../README.md"), Some(true));
        assert_eq!(link("README.md"), Some(false));
        assert_eq!(link("https://example.com/a.md#here"), None);
    }

    #[test]
    fn a_link_to_a_section_needs_its_heading() {
        for there in [
            "PROTOCOL.md#the-protocol",
            "PROTOCOL.md#2-glossary-a-b",
            "#2-glossary-a-b",
        ] {
            assert_eq!(link(there), Some(true), "{there}");
        }
        for gone in [
            "#glossary",
            "#no-heading",
            "PROTOCOL.md#gone",
            "../README.md#gone",
        ] {
            assert_eq!(link(gone), Some(false), "{gone}");
        }
    }

    #[test]
    fn mentions_outside_of_fences_are_found_with_their_lines() {
        let text = "See `a/b.rs` and [c](d.md).\n```\n`not/this.rs`\n```\n`e.rs`";
        let found = mentions(text);
        let expected = [
            (1, Mention::Code("a/b.rs".to_owned())),
            (1, Mention::Link("d.md".to_owned())),
            (5, Mention::Code("e.rs".to_owned())),
        ];
        assert_eq!(found, expected);
    }
}
