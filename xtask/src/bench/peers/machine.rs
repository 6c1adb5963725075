//! What was measured on.

use std::fs;

use crate::process;

/// Model, cores, what else they do at this moment, kernel, what the kernel grants, and the compiler: one fact a line.
pub(in crate::bench) fn describe() -> Vec<String> {
    let cpu = read("/proc/cpuinfo");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let kernel = read("/proc/sys/kernel/osrelease");
    let buffer = read("/proc/sys/net/core/rmem_max");
    let rustc = process::output(process::program("rustc").arg("--version")).unwrap_or_default();
    let revision = process::output(process::program("git").args(["rev-parse", "--short", "HEAD"]));
    vec![
        format!("CPU: {}, {cores} cores", model(&cpu)),
        format!("load before the first round: {}", first_word(&load)),
        format!("kernel: Linux {}", kernel.trim()),
        format!("largest socket buffer granted: {} octets", buffer.trim()),
        format!("compiler: {}", rustc.trim()),
        format!("Keyway's revision: {}", revision.unwrap_or_default().trim()),
    ]
}

/// Nothing, where the kernel is another one.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The load of the last minute is the first number.
fn first_word(text: &str) -> &str {
    text.split_ascii_whitespace().next().unwrap_or("unknown")
}

fn model(cpuinfo: &str) -> &str {
    cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_among_other_lines() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n";
        assert_eq!(model(cpuinfo), "AMD EPYC");
        assert_eq!(model(""), "unknown");
    }

    #[test]
    fn the_load_is_that_of_the_last_minute() {
        assert_eq!(first_word("0.52 1.10 2.00 1/99 4242\n"), "0.52");
        assert_eq!(first_word(""), "unknown");
    }
}
