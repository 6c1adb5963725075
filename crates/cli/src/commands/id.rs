//! `keyway id`

use crate::arguments::Id;
use crate::exit::{Exit, Failure};
use crate::{identity, output};

pub(crate) fn run(arguments: &Id) -> Result<Exit, Failure> {
    let node = match &arguments.identity.key {
        Some(path) => keyway::key_file_id(path).map_err(Failure::new)?,
        None => match identity::from_environment()? {
            Some(key) => key.node_id(),
            None => {
                return Err(Failure::usage(
                    "whose id? give --key FILE (it is made if it is not there), or KEYWAY_SECRET_KEY in the environment",
                ));
            }
        },
    };
    output::line(node)?;
    Ok(Exit::Done)
}
