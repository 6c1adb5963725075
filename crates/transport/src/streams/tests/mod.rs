//! Two sides joined by packets that may be lost, doubled and reordered; and one side alone with a hostile peer.

mod credit;
mod ends;
mod hostile;
mod link;
mod model;
mod transfer;

use super::{OpenError, ReadError, SendDatagramError, StreamEvent, StreamLimits, WriteError};
