//! psql and PostgreSQL's server.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::command::{Running, program, run, run_fed};
use crate::tools::{self, Tool};
use crate::world::{World, address};

const TOOLS: [Tool; 3] = [
    ("initdb", "postgresql"),
    ("postgres", "postgresql"),
    ("psql", "postgresql-client"),
];

/// What the file of a PostgreSQL socket is called; its clients are given the folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// The server refuses to be root. Whoever runs the tests as root has some account for nobody.
const NOBODY: u32 = 65_534;

/// A database cluster of its own, on a Unix socket.
struct Database {
    world: World,
    _server: Running,
    psql: PathBuf,
}

impl Database {
    fn new() -> Option<Self> {
        let [initdb, postgres, psql] = tools::find(TOOLS)?;
        let world = World::new();
        let home = world.path("cluster");
        fs::create_dir(&home).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
            chown(world.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = world.text("cluster/data");
        let words = [
            "-D",
            &data,
            "-U",
            "keyway",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale",
            "C",
        ];
        let ended = run(as_nobody(&mut program(initdb)).args(words));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut command = program(postgres);
        let words = [
            "-D",
            &data,
            "-k",
            &world.text("cluster"),
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ];
        let mut server = Running::start(as_nobody(&mut command).args(words));
        server.wait_for_words("ready to accept connections");
        Some(Self {
            world,
            _server: server,
            psql,
        })
    }

    fn target(&self) -> String {
        format!("unix:{}", self.world.text(&format!("cluster/{SOCKET}")))
    }

    fn psql(&self, host: &str, port: u16, statements: &str) -> String {
        let mut command = psql(&self.psql, host, port);
        let ended = run_fed(command.args(["-f", "-"]), statements.as_bytes().to_vec());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn psql(path: &Path, host: &str, port: u16) -> Command {
    let mut command = program(path);
    let port = port.to_string();
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    command.args(["-h", host, "-p", &port, "-U", "keyway", "-d", "postgres"]);
    command
}

#[test]
fn tables_are_filled_and_read_over_tcp_and_over_a_unix_socket() {
    let Some(database) = Database::new() else {
        return;
    };
    let world = &database.world;
    let (_expose, id) = world.expose(&format!("db={}", database.target()));
    fs::create_dir(world.path("local")).unwrap();
    let (tcp, unix) = (
        format!("tcp:127.0.0.1:0={id}/db"),
        format!("unix:{}={id}/db", world.text(&format!("local/{SOCKET}"))),
    );
    let mut forward = world.node("forward", "forwarding.key", &[&tcp, &unix]);
    forward.ready();
    let port = address(&mut forward, "tcp").port();
    let rows: String = (1..=100_000)
        .map(|row| format!("{row}\tthis is row {row}\n"))
        .collect();
    let filling =
        format!("CREATE TABLE t (number int, words text);\nCOPY t FROM STDIN;\n{rows}\\.\n");
    database.psql("127.0.0.1", port, &filling);
    let sum = "SELECT count(*), sum(number) FROM t;";
    assert_eq!(
        database.psql(&world.text("local"), 5432, sum),
        "100000|5000050000"
    );
    let all = database.psql(
        &world.text("local"),
        5432,
        "SELECT number, words FROM t ORDER BY number;",
    );
    assert_eq!(all, rows.replace('\t', "|").trim_end());
}

#[test]
fn an_interrupt_cancels_a_query_over_a_connection_of_its_own() {
    let Some(database) = Database::new() else {
        return;
    };
    let (_expose, id) = database.world.expose(&format!("db={}", database.target()));
    let (_forward, address) = database.world.forward(&format!("{id}/db"));
    let (host, port) = ("127.0.0.1", address.port());
    let mut command = psql(&database.psql, host, port);
    let mut session = Running::start(command.args(["-c", "SELECT pg_sleep(600)"]));
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active';";
    while database.psql(host, port, sleeps) != "1" {}
    // psql has the server told by another connection, and the server answers on this one.
    session.signal(Signal::INT);
    let error = session.wait_for_words("canceling statement");
    assert!(error.contains("due to user request"), "{error}");
}
