//! What cannot be understood, or cannot work.

use super::ids::ID;
use super::table::fails;

fn expose(name: &str, exposure: &str) {
    fails(name, &["expose", exposure, "--allow", "any"]);
}

#[test]
fn nobody_is_served_before_somebody_is_allowed() {
    fails("allow-missing", &["expose", "http=tcp:127.0.0.1:8080"]);
    fails("allow-missing", &["perf", "--serve"]);
}

#[test]
fn services_have_names_and_each_of_them_once() {
    expose("service-name", "HTTP=tcp:127.0.0.1:80");
    expose("service-name", "my service=tcp:127.0.0.1:80");
    fails("service-name", &["pipe", &format!("{ID}/Http")]);
    expose("service-name-empty", "=tcp:127.0.0.1:80");
    fails("service-name-empty", &["pipe", &format!("{ID}/")]);
    let twice = [
        "expose",
        "a=tcp:127.0.0.1:1",
        "a=tcp:127.0.0.1:2",
        "--allow",
        "any",
    ];
    fails("service-twice", &twice);
}

#[test]
fn an_exposure_has_a_service_and_a_target() {
    expose("exposure", "tcp:127.0.0.1:8080");
    expose("socket-kind-missing", "http=8080");
    expose("socket-kind", "http=http:127.0.0.1:8080");
    expose("socket-port-missing", "http=tcp:8080");
    expose("socket-host-missing", "http=tcp::8080");
    expose("socket-port", "http=tcp:127.0.0.1:70000");
    expose(
        "socket-path-long",
        &format!("http=unix:/{}", "x".repeat(200)),
    );
    expose("target-port", "http=udp:127.0.0.1:0");
}

#[test]
fn a_forwarding_has_a_socket_and_a_service() {
    fails("forwarding", &["forward", "9000"]);
    fails(
        "socket-kind-missing",
        &["forward", &format!("9000={ID}/http")],
    );
    fails(
        "peer-service",
        &["forward", &format!("tcp:127.0.0.1:9000={ID}")],
    );
    fails("peer-service", &["pipe", ID]);
    let one = format!("tcp:127.0.0.1:9000={ID}/a");
    let same = format!("tcp:127.0.0.1:9000={ID}/b");
    fails("socket-twice", &["forward", &one, &same]);
}

#[test]
fn numbers_and_times_are_told_what_they_may_be() {
    fails("time-unit", &["ping", ID, "--patience", "5w"]);
    fails("time-bounds", &["ping", ID, "--interval", "0"]);
    fails("number", &["ping", ID, "-c", "0"]);
    fails("number", &["ping", ID, "-c", "many"]);
    fails("number", &["perf", ID, "--streams", "10000"]);
}

#[test]
fn what_is_missing_or_unknown_is_named_with_the_way_to_the_help() {
    let names = |name: &str, words: &[&str], expected: &str| {
        let ended = fails(name, words);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    names("missing", &["expose"], "SERVICE=TARGET");
    names("missing", &["perf"], "`keyway perf --help`");
    names("unknown-flag", &["id", "--kee", "x"], "'--key'");
    names("unknown-command", &["pong"], "'ping'");
    names("value-missing", &["id", "--key"], "--key <FILE>");
    names("value-missing", &["id", "--key", ""], "--key <FILE>");
}
