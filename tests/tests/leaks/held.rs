//! What this process holds.

use std::fs;
use std::time::Duration;

/// How long what ends in the background may take to end: a drained stream, a closing node, a goodbye.
const REST_MAX: Duration = Duration::from_secs(20);

/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Open descriptors, live tasks of the current runtime, and resident octets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) descriptors: usize,
    pub(crate) tasks: usize,
    pub(crate) memory: u64,
}

impl Held {
    fn now() -> Self {
        Self {
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            memory: resident(),
        }
    }

    /// What is held once nothing more changes, or what `expected` says is reached.
    pub(crate) async fn at_rest(expected: &Self) -> Self {
        let mut held = Self::now();
        let mut unchanged = 0;
        for _ in 0..REST_MAX.as_millis() / PAUSE.as_millis() {
            tokio::time::sleep(PAUSE).await;
            let same = |a: &Self, b: &Self| (a.descriptors, a.tasks) == (b.descriptors, b.tasks);
            let next = Self::now();
            unchanged = if same(&held, &next) { unchanged + 1 } else { 0 };
            held = next;
            if same(&held, expected) || unchanged > 20 {
                break;
            }
        }
        held
    }
}

/// Resident octets. `statm` has them too, but from counters that lag behind by some pages for each thread (proc(5)).
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() * 1024
}
