//! `keyway lookup`

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::arguments::Lookup;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};
use keyway::LookupError;

/// The object of `--json`. Times are seconds since 1970.
#[derive(Serialize)]
struct Object {
    node: String,
    versions: Vec<u32>,
    epoch: u64,
    instance: String,
    sequence: u64,
    servers: Vec<String>,
    issued: u64,
    expiry: u64,
}

pub(crate) async fn run(arguments: Lookup) -> Result<Exit, Failure> {
    if arguments.node.servers.is_empty() {
        return Err(LookupError::NoServer.into());
    }
    let node = arguments
        .node
        .builder("asking with an identity that is thrown away")?
        .connect_timeout(arguments.patience)
        .bind()
        .await?;
    let reach = Reach::new(&node, &arguments.node, [])?;
    let answer = tokio::select! {
        answer = node.lookup(arguments.peer.node_id()) => Some(answer),
        () = signals::told_to_end() => None,
    };
    super::close(&node).await;
    let Some(answer) = answer else {
        return Ok(Exit::Done);
    };
    let record = answer.map_err(|error| reach.explain_lookup(error))?;
    let object = Object {
        node: record.node.to_string(),
        versions: record.versions,
        epoch: record.epoch,
        instance: format!("{:016x}", record.instance),
        sequence: record.sequence,
        servers: record.servers.iter().map(ToString::to_string).collect(),
        issued: seconds(record.issued),
        expiry: seconds(record.expiry),
    };
    if arguments.json {
        output::json(&object)?;
    } else {
        print(&object, record.expiry)?;
    }
    Ok(Exit::Done)
}

#[expect(
    clippy::disallowed_methods,
    reason = "people are told how long the record still holds"
)]
fn print(object: &Object, expiry: SystemTime) -> Result<(), Failure> {
    let left = expiry
        .duration_since(SystemTime::now())
        .map_or(0, |left| left.as_secs());
    let versions: Vec<_> = object.versions.iter().map(ToString::to_string).collect();
    output::line(format_args!("node      {}", object.node))?;
    output::line(format_args!("versions  {}", versions.join(", ")))?;
    output::line(format_args!(
        "epoch     {}, sequence {}",
        object.epoch, object.sequence
    ))?;
    output::line(format_args!("instance  {}", object.instance))?;
    for server in &object.servers {
        output::line(format_args!("server    {server}"))?;
    }
    output::line(format_args!("expires   in {left} s"))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
