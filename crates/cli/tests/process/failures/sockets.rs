//! Local sockets that cannot be had.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::ids::ID;
use super::privileges::without_privileges;
use super::table::{documented, fails};
use crate::command::{Running, run};

/// An address for documentation (RFC 5737), which no machine has.
const ELSEWHERE: &str = "192.0.2.1:0";

fn forward(name: &str, listen: &str) {
    fails(name, &["forward", &format!("{listen}={ID}/http")]);
}

#[test]
fn a_port_that_is_taken_is_told_by_whom_it_was_wanted() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = udp.local_addr().unwrap().to_string();
    fails("udp-in-use", &["server", "--listen", &taken]);
    fails("udp-in-use", &["ping", ID, "--bind", &taken]);
    let expose = [
        "expose",
        "a=tcp:127.0.0.1:1",
        "--allow",
        "any",
        "--bind",
        &taken,
    ];
    fails("udp-in-use", &expose);
    forward("listen-in-use", &format!("udp:{taken}"));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    forward(
        "listen-in-use",
        &format!("tcp:{}", tcp.local_addr().unwrap()),
    );
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    fails("udp-not-here", &["server", "--listen", ELSEWHERE]);
    fails("udp-not-here", &["ping", ID, "--bind", ELSEWHERE]);
    forward("listen-not-here", &format!("tcp:{ELSEWHERE}"));
    forward("listen-name", "tcp:name.invalid:9000");
}

#[test]
fn what_is_bound_is_an_address_in_numbers_with_a_port() {
    fails("local-address", &["server", "--listen", "localhost:4433"]);
    fails("local-address", &["server", "--listen", "4433"]);
    fails("local-address", &["ping", ID, "--bind", "127.0.0.1"]);
    fails("advertise", &["server", "--advertise", "example.org"]);
}

#[test]
fn a_live_unix_socket_is_kept_a_dead_one_replaced_and_another_file_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let unix = |name: &str| format!("unix:{}", path(name).display());
    let _live = UnixListener::bind(path("live")).unwrap();
    forward("listen-in-use", &unix("live"));
    std::fs::write(path("notes.txt"), "precious").unwrap();
    forward("listen-not-a-socket", &unix("notes.txt"));
    assert_eq!(std::fs::read(path("notes.txt")).unwrap(), b"precious");
    forward("listen-no-folder", &unix("gone/socket"));
    drop(UnixListener::bind(path("dead")).unwrap());
    let forwarding = format!("{}={ID}/http", unix("dead"));
    Running::start(&mut crate::command::keyway(["forward", &forwarding])).ready();
}

#[test]
fn a_folder_that_is_closed_to_this_user_takes_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(folder.path(), closed).unwrap();
    let socket = folder.path().join("socket");
    let forwarding = format!("unix:{}={ID}/http", socket.display());
    if let Some(mut command) = without_privileges(&["forward", &forwarding]) {
        documented("listen-closed", &run(&mut command));
    }
}
