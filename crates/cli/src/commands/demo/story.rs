//! What the demo tells: colours and a progress bar on a terminal, plain lines in a pipe.

use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Reset, Style};
use indicatif::{ProgressBar, ProgressStyle};
use keyway::Route;

use crate::exit::Failure;
use crate::output;

const TIME: Style = AnsiColor::BrightBlack.on_default();
const DONE: Style = AnsiColor::Green.on_default().bold();

/// Lines with the time since the start.
#[derive(Debug)]
pub(super) struct Story {
    start: Instant,
}

impl Story {
    pub(super) const fn new(start: Instant) -> Self {
        Self { start }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the story tells when things happened"
    )]
    pub(super) fn tell(&self, what: fmt::Arguments<'_>) -> Result<(), Failure> {
        self.tell_at(Instant::now(), what)
    }

    pub(super) fn tell_at(&self, at: Instant, what: fmt::Arguments<'_>) -> Result<(), Failure> {
        let since = at.saturating_duration_since(self.start);
        output::line(format_args!(
            "{TIME}{:>8.3} s{Reset}  {what}",
            since.as_secs_f64()
        ))
    }

    pub(super) fn done(&self, what: fmt::Arguments<'_>) -> Result<(), Failure> {
        self.tell(format_args!("{DONE}done{Reset}: {what}"))
    }

    /// A progress bar on a terminal, nothing in a pipe.
    pub(super) fn bar(&self, len: u64) -> ProgressBar {
        if !std::io::stdout().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(len);
        if let Ok(style) = ProgressStyle::with_template(
            "            {bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec}",
        ) {
            bar.set_style(style);
        }
        bar
    }
}

/// A path in the story's words.
pub(super) fn way(route: &Route) -> String {
    match route {
        Route::Direct { remote } => format!("direct, to {remote}"),
        Route::Relay { .. } => "through the relay".to_owned(),
        other => other.to_string(),
    }
}

/// A duration with three digits that matter.
pub(super) fn millis(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    if millis < 1000.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{:.2} s", millis / 1e3)
    }
}
