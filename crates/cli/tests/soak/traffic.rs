//! Something of everything: bulk, short connections, datagrams, and a peer that dies and comes back.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;

use crate::command::{DEADLINE, ENDING_DEADLINE, Running};
use crate::service::{fetch, hash, serve, web};
use crate::world::{World, address};

/// One answer of a bulk transfer.
const BULK: usize = 4 << 20;

/// From one of each kind to the next: as much traffic as leaves a small machine some time for others.
const PAUSE: Duration = Duration::from_millis(20);

/// Has glibc's allocator give back to the system what is free, so that what a process holds is what it uses (mallopt(3)): what a burst
/// needed would look like growth otherwise, since it stays for the next one.
const GIVE_BACK: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "32768"),
    ("MALLOC_TRIM_THRESHOLD_", "32768"),
];

/// How long the peer that dies is away.
const AWAY: Duration = Duration::from_millis(500);

pub(crate) struct Traffic {
    world: World,
    expose: Running,
    id: String,
    forward: Running,
    http: SocketAddr,
    dns: SocketAddr,
    users: Vec<User>,
}

/// Somebody who does one thing again and again.
struct User {
    name: &'static str,
    done: Arc<AtomicU64>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let web = format!("http={}", serve(web));
        let dns = format!("dns=udp:{}", echo_datagrams());
        let start = |command, key, words: &[&str]| {
            Running::start(world.command(command, key, words).envs(GIVE_BACK))
        };
        let mut expose = start("expose", "exposing.key", &[&web, &dns, "--allow", "any"]);
        let id = expose.ready();
        let ways = [
            format!("tcp:127.0.0.1:0={id}/http"),
            format!("udp:127.0.0.1:0={id}/dns"),
        ];
        let mut forward = start("forward", "forwarding.key", &[&ways[0], &ways[1]]);
        forward.ready();
        Self {
            http: address(&mut forward, "tcp"),
            dns: address(&mut forward, "udp"),
            world,
            expose,
            id,
            forward,
            users: Vec::new(),
        }
    }

    /// The processes that live for all the time.
    pub(crate) fn processes(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("server", self.world.server_process().in_proc()),
            ("expose", self.expose.in_proc()),
            ("forward", self.forward.in_proc()),
        ]
    }

    pub(crate) fn start(&mut self) {
        let (http, dns) = (self.http, self.dns);
        let bulk = hash(BULK);
        self.again_and_again("bulk transfers", PAUSE, move || {
            assert_eq!(fetch(http, BULK), bulk)
        });
        for _ in 0..2 {
            let short = hash(1000);
            self.again_and_again("connections", PAUSE, move || {
                assert_eq!(fetch(http, 1000), short)
            });
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(dns).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        self.again_and_again("datagrams", PAUSE, move || ask(&socket));
        let forwarding = format!("tcp:127.0.0.1:0={}/http", self.id);
        let mut command = self.world.command("forward", "dying.key", &[&forwarding]);
        let mut kill = false;
        self.again_and_again("restarts", AWAY, move || {
            kill = !kill;
            live_and_die(&mut command, kill);
        });
    }

    fn again_and_again(
        &mut self,
        name: &'static str,
        pause: Duration,
        mut work: impl FnMut() + Send + 'static,
    ) {
        let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
        let done = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&done);
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                work();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.users.push(User {
            name,
            done,
            stop,
            thread,
        });
    }

    /// Whoever met something unexpected has panicked.
    pub(crate) fn assert_alive(&self) {
        for user in &self.users {
            assert!(
                !user.thread.is_finished(),
                "{} have come to an end",
                user.name
            );
        }
    }

    /// Stops, and says how much was done.
    pub(crate) fn stop(mut self) -> String {
        let users = std::mem::take(&mut self.users);
        let done = users.into_iter().map(|user| {
            drop(user.stop);
            user.thread.join().unwrap();
            format!("{} {}", user.done.load(Ordering::Relaxed), user.name)
        });
        let done: Vec<_> = done.collect();
        for mut process in [self.forward, self.expose] {
            process.signal(Signal::TERM);
            assert_eq!(process.wait(ENDING_DEADLINE), Some(0));
        }
        done.join(", ")
    }
}

fn echo_datagrams() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((len, sender)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..len], sender).unwrap();
        }
    });
    address
}

fn ask(socket: &UdpSocket) {
    socket.send(&[7; 1000]).unwrap();
    assert_eq!(socket.recv(&mut [0; 2000]).unwrap(), 1000);
}

/// The same identity at each start, which ends in order or not.
fn live_and_die(forward: &mut Command, kill: bool) {
    let mut forward = Running::start(forward);
    forward.ready();
    let address = address(&mut forward, "tcp");
    assert_eq!(fetch(address, 100_000), hash(100_000));
    forward.signal(if kill { Signal::KILL } else { Signal::TERM });
    forward.wait(ENDING_DEADLINE);
}
