//! What of a node's secret key is in the memory of its process, and for how long.
//!
//! A test starts itself as a second process, whose node has a key that the first one made, and searches the memory of that process
//! from outside: while the node lives, and after it was dropped.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aws_lc_rs::digest::{SHA512, digest};
use keyway::{Allow, Node, NodeBuilder, PeerAddr, SecretKey, ServerAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// Where the second process finds its key: the path of a file, or the content of one.
const KEY_FILE: &str = "KEYWAY_TEST_PLANTED_FILE";
const KEY_TEXT: &str = "KEYWAY_TEST_PLANTED_TEXT";

/// Octets of each secret that are searched for: none of them is there by chance.
const NEEDLE_LEN: usize = 16;

/// The forms that one secret key takes.
struct Needles {
    /// The private key of RFC 8032: what the node holds on to, once.
    seed: Vec<u8>,
    /// Its X25519 form, less the two octets that clamping changes (RFC 7748, 5): what handshakes use, once.
    scalar: Vec<u8>,
    /// The other half of the hash of the seed, which each signature needs for a moment (RFC 8032, 5.1.6).
    prefix: Vec<u8>,
    /// The seed as a key file has it.
    base64: Vec<u8>,
}

impl Needles {
    /// The document has 22 characters before those that the seed alone decides (RFC 8410, 7).
    fn of(document: &str) -> Self {
        let body: String = document
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let seed = decode_base64(&body)[16..48].to_vec();
        let hash = digest(&SHA512, &seed);
        let hash = hash.as_ref();
        Self {
            scalar: hash[1..=NEEDLE_LEN].to_vec(),
            prefix: hash[32..32 + NEEDLE_LEN].to_vec(),
            base64: body.as_bytes()[22..22 + NEEDLE_LEN].to_vec(),
            seed: seed[..NEEDLE_LEN].to_vec(),
        }
    }

    fn named(&self) -> [(&'static str, &[u8]); 4] {
        [
            ("seed", &self.seed),
            ("scalar", &self.scalar),
            ("prefix", &self.prefix),
            ("base64", &self.base64),
        ]
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let value = |character: u8| match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(value(character));
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count & 0xff).try_into().unwrap());
        }
    }
    octets
}

/// How often each form of the secret is in the memory of a process, in the order of [`Needles::named`], and where.
fn search(process: u32, needles: &Needles) -> ([usize; 4], String) {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let (mut counts, mut places) = ([0; 4], String::new());
    for line in maps
        .lines()
        .filter(|line| line.split(' ').nth(1).unwrap().starts_with('r'))
    {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|end| u64::from_str_radix(end, 16).unwrap());
        let mut octets = vec![0; usize::try_from(end - start).unwrap()];
        // Pages that the kernel keeps to itself.
        if memory.read_exact_at(&mut octets, start).is_err() {
            continue;
        }
        for (count, (name, needle)) in counts.iter_mut().zip(needles.named()) {
            let hits = octets.windows(needle.len()).enumerate();
            for (place, _) in hits.filter(|(_, window)| *window == needle) {
                *count += 1;
                writeln!(places, "{name} at {:x} in {line}", start + place as u64).unwrap();
            }
        }
    }
    (counts, places)
}

/// The second process, stopped at the stages that it tells.
struct Suspect {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Suspect {
    fn start(test: &str, variable: &str, value: impl AsRef<OsStr>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(variable, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout,
        }
    }

    fn wait_for(&mut self, stage: &str) {
        let mut line = String::new();
        while line.trim_end() != stage {
            line.clear();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "no `{stage}`"
            );
        }
    }

    fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }
}

impl Drop for Suspect {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tells that a stage is reached, and stays there until it was looked at.
fn stay(stage: &str) {
    println!("\n{stage}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// The life of a node: it registers at a server, dials and is dialled, and carries something both ways.
async fn live(builder: NodeBuilder) {
    let here = || "127.0.0.1:0".parse().unwrap();
    let server = Node::builder().serve_rendezvous().bind_address(here());
    let server = server.bind().await.unwrap();
    let place = ServerAddr::new(server.node_id(), server.local_addresses()[0]);
    let planted = builder
        .server(place)
        .bind_address(here())
        .bind()
        .await
        .unwrap();
    for (from, to) in [(&planted, &server), (&server, &planted)] {
        let mut listener = to.listen("talk").allow(Allow::any()).start().unwrap();
        let peer = PeerAddr::new(to.node_id(), to.local_addresses());
        let mut here = from.connect(peer, "talk").await.unwrap();
        here.write_all(b"x").await.unwrap();
        let mut there = listener.accept().await.unwrap();
        assert_eq!(there.read_u8().await.unwrap(), b'x');
    }
    // A record was signed.
    let _listener = planted.listen("talk").allow(Allow::any()).start().unwrap();
    planted.registered().await.unwrap();
    tokio::task::spawn_blocking(|| stay("alive")).await.unwrap();
    planted.close().await.unwrap();
    server.close().await.unwrap();
}

/// Lives, and stays once more when the node is gone. The runtime's threads go on: what is left on their stacks counts.
fn live_and_stay(builder: NodeBuilder) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(live(builder));
    stay("dropped");
}

/// What is found at the two stages, where the key is in the file at `path` by the first.
fn watch(mut suspect: Suspect, path: &Path) -> [([usize; 4], String); 2] {
    ["alive", "dropped"].map(|stage| {
        suspect.wait_for(stage);
        let needles = Needles::of(&std::fs::read_to_string(path).unwrap());
        let found = search(suspect.child.id(), &needles);
        suspect.go_on();
        found
    })
}

// K5
#[test]
fn a_secret_key_is_in_memory_once_while_its_node_lives_and_never_after() {
    if let Some(path) = std::env::var_os(KEY_FILE) {
        return live_and_stay(Node::builder().key_file(path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("planted.key");
    let test = "a_secret_key_is_in_memory_once_while_its_node_lives_and_never_after";
    // The first node makes the key, the second one loads it.
    for way in ["made", "loaded"] {
        let [alive, dropped] = watch(Suspect::start(test, KEY_FILE, &path), &path);
        assert_eq!(
            alive.0,
            [1, 1, 0, 0],
            "{way}, while the node lives:\n{}",
            alive.1
        );
        assert_eq!(
            dropped.0, [0; 4],
            "{way}, after it was dropped:\n{}",
            dropped.1
        );
    }
}

// K5: the kernel keeps the environment where the process began; nothing else may keep it.
#[test]
fn a_secret_key_from_the_environment_stays_there_and_nowhere_else() {
    if let Some(text) = std::env::var_os(KEY_TEXT) {
        let text = Zeroizing::new(text.into_string().unwrap());
        let key = SecretKey::from_variable(&text).unwrap();
        drop(text);
        return live_and_stay(Node::builder().secret_key(key));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("planted.key");
    keyway::key_file_id(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let test = "a_secret_key_from_the_environment_stays_there_and_nowhere_else";
    let [alive, dropped] = watch(Suspect::start(test, KEY_TEXT, &text), &path);
    assert_eq!(alive.0, [1, 1, 0, 1], "while the node lives:\n{}", alive.1);
    assert_eq!(
        dropped.0,
        [0, 0, 0, 1],
        "after it was dropped:\n{}",
        dropped.1
    );
}
