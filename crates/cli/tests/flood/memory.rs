use std::fs;
use std::path::Path;

/// Octets of memory that a process has in use, as the kernel counts them (proc(5), `VmRSS`).
pub(crate) fn resident(in_proc: &Path) -> u64 {
    let status = fs::read_to_string(in_proc.join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .expect("a process that lives");
    kibibytes * 1024
}
