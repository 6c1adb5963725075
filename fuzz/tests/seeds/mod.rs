//! Seeds made from the published vectors, so that a fuzzer begins with every kind of input that there is.

use std::fs;

use serde_json::Value;

/// A seed of the corpus: target, name, content.
type Seed = (&'static str, String, Vec<u8>);

fn parse(file: &str) -> Value {
    serde_json::from_str(file).expect("vectors in JSON")
}

fn wire() -> Value {
    parse(include_str!("../../../proto/vectors/wire.json"))
}

fn identity() -> Value {
    parse(include_str!("../../../proto/vectors/identity.json"))
}

fn rendezvous() -> Value {
    parse(include_str!("../../../proto/vectors/rendezvous.json"))
}

fn octets(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// The vectors of a section: their names as names of files, and the vectors.
fn named(file: &Value, section: &str) -> Vec<(String, Value)> {
    let vectors = file[section].as_array().expect("a list of vectors");
    let name = |(index, vector): (usize, &Value)| {
        let name = vector["name"].as_str().or(vector["why"].as_str());
        let name = name.unwrap_or("").to_lowercase();
        let words = name.split(|c: char| !c.is_ascii_alphanumeric());
        let mut parts = vec![format!("{section}-{index:02}")];
        parts.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        (parts.join("-"), vector.clone())
    };
    vectors.iter().enumerate().map(name).collect()
}

/// The vectors of a section: their names as names of files, and their octets.
fn section(file: &Value, section: &str) -> Vec<(String, Vec<u8>)> {
    let content = |vector: Value| octets(vector["hex"].as_str().expect("octets"));
    let vectors = named(file, section).into_iter();
    vectors
        .map(|(name, vector)| (name, content(vector)))
        .collect()
}

/// One text of each vector of a section, with the names of files.
fn texts(file: &Value, section: &str, field: &str) -> Vec<(String, Vec<u8>)> {
    let vectors = named(file, section).into_iter();
    vectors
        .map(|(name, vector)| {
            let content = vector[field].as_str().expect("a text");
            (format!("{name}-{field}"), content.as_bytes().to_vec())
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
    seeds.extend(seeds_of_association(&file));
    seeds.extend(seeds_of_handshake());
    seeds.extend(seeds_of_identity());
    seeds.extend(seeds_of_rendezvous());
    seeds
}

/// Each frame in a packet of its own, then what a user and time do to streams that are there.
fn seeds_of_association(wire: &Value) -> Vec<Seed> {
    let packet = |frames: &[u8]| {
        let length = u16::try_from(frames.len()).expect("a short packet");
        [&[0, 0, 0], &length.to_be_bytes()[..], frames].concat()
    };
    let frames = ["frames", "refused_frames"]
        .into_iter()
        .flat_map(|name| section(wire, name));
    let mut seeds: Vec<Seed> = frames
        .map(|(name, frames)| ("association", name, packet(&frames)))
        .collect();
    // Open a stream, write 4,096 octets, acknowledge, wait 300 ms, read, end it, wait two minutes, close.
    let user = [
        8, 0, 9, 0, 0x10, 0, 5, 7, 1, 44, 11, 0, 1, 0, 10, 0, 0, 5, 13, 7, 0x75, 0x30, 5, 15, 3, 7,
        1, 0,
    ];
    seeds.push(("association", "a-user".to_owned(), user.to_vec()));
    seeds
}

/// Both packets, as they are and with what anybody can put right about them, and both payloads.
fn seeds_of_handshake() -> Vec<Seed> {
    let file = parse(include_str!("../../../proto/vectors/handshake.json"));
    let read = |vector: &Value| octets(vector.as_str().expect("octets"));
    let mut seeds = Vec::new();
    for (how, name) in [(0, "as-it-is"), (1, "with-mac1"), (3, "with-mac1-and-cid")] {
        for packet in ["init", "response"] {
            let content = [vec![how], read(&file[packet])].concat();
            seeds.push(("handshake", format!("{packet}-{name}"), content));
        }
    }
    for (target, side) in [("init_payload", "initiator"), ("resp_payload", "responder")] {
        let content = read(&file[side]["payload"]);
        seeds.push((target, side.to_owned(), content));
    }
    seeds
}

fn seeds_of_identity() -> Vec<Seed> {
    let file = identity();
    let mut seeds = Vec::new();
    for (target, section, field) in [
        ("node_id", "keys", "text"),
        ("node_id", "refused_texts", "text"),
        ("key_file", "keys", "pem"),
        ("key_file", "keys", "pem_version_1"),
    ] {
        for (name, content) in texts(&file, section, field) {
            seeds.push((target, name, content));
        }
    }
    // What becomes of a document in an environment variable.
    let (name, document) = texts(&file, "keys", "pem").swap_remove(0);
    let document = String::from_utf8(document).expect("a text");
    let flat = document.replace('\n', "\\n");
    seeds.push(("key_file", format!("{name}-in-one-line"), flat.into_bytes()));
    seeds
}

/// The streams of both sides: the first octet says which one it is, and where it is cut.
fn seeds_of_rendezvous() -> Vec<Seed> {
    let file = rendezvous();
    let mut seeds = Vec::new();
    for (name, content) in ["records", "refused_records"]
        .iter()
        .flat_map(|name| section(&file, name))
    {
        seeds.push(("record", name, content));
    }
    for (side, sections) in [
        (20, ["to_server", "refused_to_server"]),
        (21, ["to_client", "refused_to_client"]),
    ] {
        let vectors = sections.iter().flat_map(|name| section(&file, name));
        for (name, content) in vectors {
            seeds.push(("rendezvous", name, [vec![side], content].concat()));
        }
        let all = section(&file, sections[0])
            .into_iter()
            .flat_map(|(_, content)| content);
        let together = std::iter::once(side).chain(all).collect();
        seeds.push((
            "rendezvous",
            format!("{}-all-together", sections[0]),
            together,
        ));
    }
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
