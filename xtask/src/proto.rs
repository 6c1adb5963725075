//! `cargo xtask proto`: the Rust of `proto/*.proto`, checked in so that nobody needs protoc or a build script.
//!
//! `proto/<crate>.proto` becomes `crates/<crate>/src/generated/mod.rs`, which that crate includes with `mod generated;`. The services in
//! `tests/proto/mirror.proto` become a module of the test that speaks gRPC.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::step::{Outcome, Steps};
use crate::workspace;

/// What `cargo xtask proto` can be told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if a generated file is not current
    #[arg(long)]
    check: bool,
}

/// Writes the generated files, or checks them.
///
/// # Errors
/// If a `.proto` file does not compile, or a file is not current under `--check`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::default();
    if arguments.check {
        steps.run("proto", "cargo xtask proto --check", check);
    } else {
        steps.run("proto", "cargo xtask proto", write);
    }
    steps.finish()
}

/// The same as one step of `ci`: what is checked in is what the `.proto` files give.
pub(crate) fn check() -> Result<Outcome> {
    let files = generate_all()?;
    let stale: Vec<String> = files
        .iter()
        .filter(|file| fs::read_to_string(&file.path).ok().as_ref() != Some(&file.content))
        .map(|file| short(&file.path))
        .collect();
    if !stale.is_empty() {
        bail!(
            "not current: {}; `cargo xtask proto` writes them anew",
            stale.join(", ")
        );
    }
    Ok(Outcome::Passed(format!("{} files", files.len())))
}

fn write() -> Result<Outcome> {
    let files = generate_all()?;
    for file in &files {
        let folder = file
            .path
            .parent()
            .context("a generated file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&file.path, &file.content)
            .with_context(|| format!("cannot write {}", file.path.display()))?;
        eprintln!("  wrote {}", short(&file.path));
    }
    Ok(Outcome::Passed(format!("{} files", files.len())))
}

struct Generated {
    path: PathBuf,
    content: String,
}

fn generate_all() -> Result<Vec<Generated>> {
    let root = workspace::root();
    let mut files = Vec::new();
    for source in workspace::files_with_extension(&root.join("proto"), "proto")? {
        let package = root.join("crates").join(stem(&source)?);
        ensure!(
            package.is_dir(),
            "there is no {} to put its Rust into",
            short(&package)
        );
        files.push((source, package.join("src/generated/mod.rs")));
    }
    for source in workspace::files_with_extension(&root.join("tests/proto"), "proto")? {
        files.push((source, root.join("tests/tests/grpc/generated.rs")));
    }
    let generated = files.into_iter().map(|(source, path)| {
        let content = generate(&source).with_context(|| short(&source))?;
        Ok(Generated { path, content })
    });
    generated.collect()
}

fn generate(source: &Path) -> Result<String> {
    let folder = source.parent().context("a source lies in a folder")?;
    rustfmt(&compile(folder, source, &short(source))?)
}

fn stem(source: &Path) -> Result<String> {
    let stem = source.file_stem().context("a source has a name")?;
    Ok(stem.to_string_lossy().into_owned())
}

/// One module per `.proto` file: a header that explains itself, then what prost-build makes of the file.
fn compile(folder: &Path, source: &Path, name: &str) -> Result<String> {
    let descriptors = protox::compile([source], [folder])?;
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| {
            (
                prost_build::Module::from_protobuf_package_name(file.package()),
                file,
            )
        })
        .collect();
    let mut config = prost_build::Config::new();
    // Maps in key order: the same message has the same bytes in every process.
    config.btree_map(["."]);
    // Where a source has services, gRPC's client and server; their users choose the transport.
    let services = tonic_prost_build::configure().build_transport(false);
    config.service_generator(services.service_generator());
    let mut modules = config.generate(requests)?.into_iter();
    let (Some((_, module)), None) = (modules.next(), modules.next()) else {
        bail!("has to be one package that imports nothing");
    };
    Ok(header(name) + &module)
}

fn header(name: &str) -> String {
    format!(
        "//! The messages of `{name}`, written by `cargo xtask proto`. Change them there.\n\
         #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, reason = \"generated\")]\n\n"
    )
}

fn rustfmt(content: &str) -> Result<String> {
    let mut command = process::program("rustfmt");
    command
        .args(["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| process::cannot_start(&command))?;
    // rustfmt reads all of its input before it prints, so that writing all of it first cannot block for ever.
    child
        .stdin
        .take()
        .context("rustfmt has no input")?
        .write_all(content.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "`{}` ended with {}",
        process::line(&command),
        output.status
    );
    String::from_utf8(output.stdout).context("rustfmt printed something else than text")
}

fn short(path: &Path) -> String {
    path.strip_prefix(workspace::root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(name: &str, text: &str) -> Result<String> {
        let folder =
            std::env::temp_dir().join(format!("keyway-xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let source = folder.join("sample.proto");
        fs::write(&source, text).unwrap();
        let result = compile(&folder, &source, "proto/sample.proto");
        fs::remove_dir_all(&folder).unwrap();
        result
    }

    #[test]
    fn a_message_becomes_a_struct_below_a_header_that_names_its_source() {
        let text =
            "syntax = \"proto3\"; package keyway.sample.v1; message Ping { uint64 number = 1; }";
        let rust = rustfmt(&compiled("message", text).unwrap()).unwrap();
        assert!(rust.starts_with("//! The messages of `proto/sample.proto`"));
        assert!(rust.contains("pub struct Ping {"));
        assert!(rust.contains("pub number: u64,"));
    }

    #[test]
    fn a_broken_source_is_an_error() {
        assert!(compiled("broken", "syntax = \"proto3\"; message {").is_err());
    }
}
