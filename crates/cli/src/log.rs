//! The log: lines on stderr, of each kind not more than a disk can take, whatever others do.

use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::output;

/// Lines of one kind that may come at once: enough to see what a fault has in common with the next, chosen.
const BURST: u32 = 20;

/// From there on, one line of each kind in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// Warnings and errors, unless `RUST_LOG` asks for more.
pub(crate) fn to_stderr() {
    let usual = || EnvFilter::new("warn");
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(directives) if !directives.trim().is_empty() => {
            EnvFilter::try_new(&directives).unwrap_or_else(|error| {
                output::note(format_args!(
                    "RUST_LOG={directives}: {error}; write RUST_LOG=keyway=debug, for instance; showing warnings alone"
                ));
                usual()
            })
        }
        Ok(_) | Err(_) => usual(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // Its own complaint about a closed stderr would go to stderr, and end the process.
        .log_internal_errors(false)
        .map_event_format(|lines| Bounded::new(lines.with_target(false)))
        .init();
}

/// Leaves out lines of a kind of which there are too many, and says how many those were with the next one that it lets through.
///
/// A kind is one place in the code, so their number is fixed, and so is what this remembers. Every level is bounded: whoever asks
/// for each dropped packet wants to see them, and not to have a stranger fill the disk with them.
struct Bounded<F> {
    lines: F,
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

impl<F> Bounded<F> {
    fn new(lines: F) -> Self {
        Self {
            lines,
            kinds: Mutex::new(HashMap::new()),
        }
    }

    fn admit(&self, kind: Identifier, now: Instant) -> Option<u64> {
        // A kind is whole between any two of its lines: a panic elsewhere does no harm to it.
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds
            .entry(kind)
            .or_insert_with(|| Kind::new(now))
            .admit(now)
    }
}

impl<S, N, F> FormatEvent<S, N> for Bounded<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(left_out) = self.admit(event.metadata().callsite(), Instant::now()) else {
            return Ok(());
        };
        if left_out > 0 {
            writeln!(
                writer,
                "keyway: {left_out} lines like the next were left out"
            )?;
        }
        self.lines.format_event(context, writer, event)
    }
}

/// Lines from one place in the code.
struct Kind {
    /// When as many lines as there may be at once will be free again. In the future by [`PAUSE`] for each line that was
    /// written lately.
    full_at: Instant,
    left_out: u64,
}

impl Kind {
    fn new(now: Instant) -> Self {
        Self {
            full_at: now,
            left_out: 0,
        }
    }

    /// Whether a line may be written, and how many were left out before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let full_at = self.full_at.max(now) + PAUSE;
        if full_at.duration_since(now) > PAUSE * BURST {
            self.left_out += 1;
            return None;
        }
        self.full_at = full_at;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_kind_that_floods_one_line_a_second_is_written_and_none_is_uncounted() {
        let start = Instant::now();
        let mut kind = Kind::new(start);
        let millis = 0..100_000;
        let told: Vec<u64> = millis
            .filter_map(|at| kind.admit(start + Duration::from_millis(at)))
            .collect();
        let written = told.len() as u64;
        assert_eq!(written, u64::from(BURST) + 99);
        assert_eq!(told.iter().sum::<u64>() + kind.left_out + written, 100_000);
    }

    #[test]
    fn a_kind_that_was_silent_may_say_as_much_as_at_first() {
        let start = Instant::now();
        let mut kind = Kind::new(start);
        let say = |kind: &mut Kind, at: Instant| (0..100).filter_map(|_| kind.admit(at)).count();
        assert_eq!(say(&mut kind, start), BURST as usize);
        assert_eq!(say(&mut kind, start + PAUSE * 3), 3);
        assert_eq!(say(&mut kind, start + PAUSE * 1000), BURST as usize);
    }
}
