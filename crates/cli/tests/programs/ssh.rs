//! OpenSSH, with `keyway pipe` as its ProxyCommand.

use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::command::{DEADLINE, KEYWAY, Running, program, run};
use crate::service::{hash_of_file, serve, write_pattern};
use crate::tools::{self, text};
use crate::world::World;

/// What sshd wants to find when it runs as root (its build's `--with-privsep-path`, as Debian has it).
const PRIVSEP_FOLDER: &str = "/run/sshd";

/// A session that rests for longer than a keepalive's interval (25 s).
const IDLE: Duration = Duration::from_secs(30);

/// An account on this machine, reached by its node's id alone.
struct Laptop {
    world: World,
    _expose: Running,
    ssh: PathBuf,
    scp: PathBuf,
}

impl Laptop {
    fn new() -> Option<Self> {
        let tools = [
            ("ssh", "openssh-client"),
            ("scp", "openssh-client"),
            ("ssh-keygen", "openssh-client"),
            ("sshd", "openssh-server"),
        ];
        let [ssh, scp, keygen, sshd] = tools::find(tools)?;
        let world = World::new();
        for key in ["host", "user"] {
            let words = ["-q", "-t", "ed25519", "-N", "", "-f", &world.text(key)];
            assert_eq!(run(program(&keygen).args(words)).code, Some(0));
        }
        let target = serve_ssh(&world, sshd);
        let (expose, id) = world.expose(&format!("ssh={target}"));
        configure_client(&world, &id);
        Some(Self {
            world,
            _expose: expose,
            ssh,
            scp,
        })
    }

    fn ssh(&self, words: &[&str]) -> Command {
        let mut command = program(&self.ssh);
        command.args(["-F", &self.world.text("ssh_config"), "laptop"]);
        command.args(words);
        command
    }

    fn scp(&self, from: &str, to: &str) {
        let mut command = program(&self.scp);
        command.args(["-q", "-F", &self.world.text("ssh_config"), from, to]);
        let ended = run(&mut command);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

/// An sshd for each connection, as inetd starts it: it has no port of its own, and ends with its connection.
fn serve_ssh(world: &World, sshd: PathBuf) -> String {
    if rustix::process::geteuid().is_root() {
        fs::create_dir_all(PRIVSEP_FOLDER).unwrap();
    }
    let config = world.path("sshd_config");
    let lines = [
        format!("HostKey {}", world.text("host")),
        format!("AuthorizedKeysFile {}", world.text("user.pub")),
        "StrictModes no".to_owned(),
        "UsePAM no".to_owned(),
        "PermitRootLogin yes".to_owned(),
        "PasswordAuthentication no".to_owned(),
        "Subsystem sftp internal-sftp".to_owned(),
    ];
    fs::write(&config, lines.join("\n") + "\n").unwrap();
    serve(move |connection| run_sshd(&sshd, &config, connection))
}

fn run_sshd(sshd: &Path, config: &Path, connection: TcpStream) -> io::Result<()> {
    let input = OwnedFd::from(connection.try_clone()?);
    let output = OwnedFd::from(connection);
    let mut child = program(sshd)
        .args(["-i", "-e", "-f"])
        .arg(config)
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .stderr(Stdio::null())
        .spawn()?;
    child.wait().map(drop)
}

/// What a user writes into `~/.ssh/config`.
fn configure_client(world: &World, id: &str) {
    let host = fs::read_to_string(world.path("host.pub")).unwrap();
    fs::write(world.path("known_hosts"), format!("laptop {host}")).unwrap();
    let pipe = [
        KEYWAY,
        "pipe",
        "--server",
        &world.server,
        "--key",
        &world.text("piping.key"),
        "--bind",
        "127.0.0.1:0",
        &format!("{id}/ssh"),
    ];
    let lines = [
        "Host laptop".to_owned(),
        format!("ProxyCommand {}", pipe.join(" ")),
        format!("IdentityFile {}", world.text("user")),
        "IdentitiesOnly yes".to_owned(),
        "IdentityAgent none".to_owned(),
        format!("UserKnownHostsFile {}", world.text("known_hosts")),
        "GlobalKnownHostsFile /dev/null".to_owned(),
        "StrictHostKeyChecking yes".to_owned(),
        "BatchMode yes".to_owned(),
    ];
    fs::write(world.path("ssh_config"), lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_remote_command_has_its_input_its_output_and_its_exit_code() {
    let Some(laptop) = Laptop::new() else { return };
    let words = ["tr a-z A-Z; echo on stderr >&2; exit 7"];
    let ended = crate::command::run_fed(&mut laptop.ssh(&words), b"on stdout\n".to_vec());
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert_eq!(ended.stdout, "ON STDOUT\n");
    assert!(ended.stderr.contains("on stderr"), "{}", ended.stderr);
}

#[test]
fn scp_carries_two_hundred_megabytes_each_way() {
    let Some(laptop) = Laptop::new() else { return };
    let world = &laptop.world;
    let (file, there, back) = (world.path("file"), world.path("there"), world.path("back"));
    let hash = write_pattern(&file, 200_000_000);
    laptop.scp(text(&file), &format!("laptop:{}", text(&there)));
    assert_eq!(hash_of_file(&there), hash);
    laptop.scp(&format!("laptop:{}", text(&there)), text(&back));
    assert_eq!(hash_of_file(&back), hash);
}

#[test]
fn a_session_that_rested_for_half_a_minute_goes_on() {
    let Some(laptop) = Laptop::new() else { return };
    let mut session = Running::start(&mut laptop.ssh(&["cat"]));
    session.stdin().write_all(b"before\n").unwrap();
    assert_eq!(session.line(), "before");
    assert_eq!(session.line_within(IDLE), Err(RecvTimeoutError::Timeout));
    session.stdin().write_all(b"after\n").unwrap();
    assert_eq!(session.line(), "after");
    session.close_stdin();
    assert_eq!(session.wait(DEADLINE), Some(0));
}
