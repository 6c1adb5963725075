//! `keyway ping`

use std::fmt;
use std::time::{Duration, Instant};

use keyway::{ConnectError, Pong, Route};
use serde::Serialize;

use crate::arguments::Ping;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};

/// One line of `--json`.
#[derive(Serialize)]
struct Line {
    seq: u64,
    rtt_us: u64,
    path: &'static str,
    remote: Option<String>,
}

/// What came back so far.
#[derive(Default)]
struct Tally {
    sent: u64,
    rtts: Vec<Duration>,
}

pub(crate) async fn run(arguments: Ping) -> Result<Exit, Failure> {
    let node = arguments
        .node
        .builder(crate::commands::NOT_ON_LISTS)?
        .connect_timeout(arguments.patience)
        .bind()
        .await?;
    let reach = Reach::new(&node, &arguments.node, [&arguments.peer])?;
    let mut tally = Tally::default();
    let outcome = tokio::select! {
        outcome = pings(&node, &reach, &arguments, &mut tally) => outcome,
        () = asked_to_end(&arguments) => Ok(()),
    };
    super::close(&node).await;
    // Without a single answer there is a failure to tell, and no figure.
    if outcome.is_ok() || !tally.rtts.is_empty() {
        if arguments.json {
            output::note(&tally);
        } else {
            output::line(&tally)?;
        }
    }
    outcome.map(|()| Exit::Done)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pace of pings is this command's own, not the node's"
)]
async fn pings(
    node: &keyway::Node,
    reach: &Reach,
    arguments: &Ping,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut due = Instant::now();
    while arguments.count.is_none_or(|count| tally.sent < count) {
        tokio::time::sleep_until(due.into()).await;
        tally.sent += 1;
        match node.ping(&arguments.peer).await {
            Ok(pong) => {
                tally.rtts.push(pong.rtt);
                report(arguments, tally.sent, &pong)?;
            }
            // Two that have met may be cut off for a while: say so, and go on.
            Err(error @ ConnectError::TimedOut { .. }) if !tally.rtts.is_empty() => {
                output::note(format_args!("{}: {error}", tally.sent));
            }
            Err(error) => return Err(reach.explain(error).await),
        }
        due = Instant::now().max(due + arguments.interval);
    }
    Ok(())
}

/// A number of pings ends by itself: there a closed stdin, which scripts often leave behind, means nothing.
async fn asked_to_end(arguments: &Ping) {
    if arguments.count.is_some() {
        signals::told_to_end().await;
    } else {
        signals::asked_to_end().await;
    }
}

fn report(arguments: &Ping, seq: u64, pong: &Pong) -> Result<(), Failure> {
    if !arguments.json {
        return output::line(format_args!(
            "{seq}: {:.3} ms {}",
            pong.rtt.as_secs_f64() * 1e3,
            pong.route
        ));
    }
    let (path, remote) = describe(&pong.route);
    let rtt_us = u64::try_from(pong.rtt.as_micros()).unwrap_or(u64::MAX);
    output::json(&Line {
        seq,
        rtt_us,
        path,
        remote,
    })
}

/// The words that scripts rely on.
pub(crate) fn describe(route: &Route) -> (&'static str, Option<String>) {
    match route {
        Route::Direct { remote } => ("direct", Some(remote.to_string())),
        Route::Relay { remote, .. } => ("relay", remote.map(|remote| remote.to_string())),
        _ => ("unknown", None),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let received = self.rtts.len();
        let (Some(least), Some(most)) = (self.rtts.iter().min(), self.rtts.iter().max()) else {
            return write!(f, "{} sent, none answered", self.sent);
        };
        let mean = self.rtts.iter().sum::<Duration>().as_secs_f64() / received as f64;
        write!(
            f,
            "{} sent, {received} answered; least {:.3} ms, mean {:.3} ms, most {:.3} ms",
            self.sent,
            least.as_secs_f64() * 1e3,
            mean * 1e3,
            most.as_secs_f64() * 1e3,
        )
    }
}
