//! Seeds made from the published vectors, so that a fuzzer begins with every kind of input that there is.

use std::fs;

use serde_json::Value;

/// A seed of the corpus: target, name, content.
type Seed = (&'static str, String, Vec<u8>);

fn wire() -> Value {
    serde_json::from_str(include_str!("../../../proto/vectors/wire.json")).expect("vectors in JSON")
}

fn octets(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// The vectors of a section: their names as names of files, and their octets.
fn section(file: &Value, section: &str) -> Vec<(String, Vec<u8>)> {
    let vectors = file[section]
        .as_array()
        .expect("a list of vectors")
        .iter()
        .enumerate();
    vectors
        .map(|(index, vector)| {
            let name = vector["name"].as_str().expect("a name").to_lowercase();
            let words: Vec<_> = name
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect();
            let content = octets(vector["hex"].as_str().expect("octets"));
            (format!("{section}-{index:02}-{}", words.join("-")), content)
        })
        .collect()
}

fn seeds() -> Vec<Seed> {
    let file = wire();
    let mut seeds = Vec::new();
    for (target, sections) in [
        ("packet", ["packets", "refused_packets"]),
        ("frames", ["frames", "refused_frames"]),
    ] {
        for (name, content) in sections.iter().flat_map(|name| section(&file, name)) {
            seeds.push((target, name, content));
        }
    }
    // Many frames in one packet: whatever does not run to its end.
    let frames = file["frames"].as_array().expect("a list of vectors").iter();
    let together = frames.flat_map(|vector| {
        let written = vector.get("written").unwrap_or(&vector["hex"]);
        octets(written.as_str().expect("octets"))
    });
    seeds.push(("frames", "all-together".to_owned(), together.collect()));
    seeds
}

/// `KEYWAY_WRITE_SEEDS=1 cargo test -p keyway-fuzz` writes them.
#[test]
fn seeds_are_those_of_the_vectors() {
    let write = std::env::var_os("KEYWAY_WRITE_SEEDS").is_some();
    for (target, name, content) in seeds() {
        let path = crate::folder("corpus").join(target).join(name);
        if write {
            fs::create_dir_all(path.parent().expect("a folder of the target")).expect("a folder");
            fs::write(&path, &content).expect("a file");
        }
        assert_eq!(
            fs::read(&path).ok(),
            Some(content),
            "{}: KEYWAY_WRITE_SEEDS=1 writes it",
            path.display()
        );
    }
}
