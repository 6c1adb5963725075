//! Where a node's driver runs: in a task of the application's runtime, or on a thread of its own.

use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Runtime};

use crate::driver::Driver;
use crate::error::BindError;

/// A place for a driver.
#[derive(Debug)]
pub(crate) enum Home {
    /// A task of the runtime that this is made in: nothing passes from thread to thread where that has only one.
    Task,
    /// A thread, with a runtime that does nothing else: an application that blocks its own does not hold up the node.
    Thread(Runtime),
}

impl Home {
    /// A task, or a thread of its own.
    pub(crate) fn new(own_thread: bool) -> Result<Self, BindError> {
        if !own_thread {
            return Ok(Self::Task);
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map(Self::Thread).map_err(BindError::Thread)
    }

    /// Has `make` make a driver, whose sockets and timers are watched by the runtime that it will run in, and sets it off.
    pub(crate) fn settle<T>(
        self,
        make: impl FnOnce() -> Result<(Driver, T), BindError>,
    ) -> Result<T, BindError> {
        let runtime = match self {
            Self::Task => {
                let (driver, made) = make()?;
                tokio::spawn(driver);
                return Ok(made);
            }
            Self::Thread(runtime) => runtime,
        };
        let inside = runtime.enter();
        let made = make();
        drop(inside);
        let (driver, made) = match made {
            Ok(made) => made,
            Err(error) => {
                // Dropping it would block, which a task of another runtime must not do.
                runtime.shutdown_background();
                return Err(error);
            }
        };
        // Handed over once there is a thread: a closure that no thread takes is dropped, and the runtime with it.
        let (hand_over, take_over) = sync_channel::<(Runtime, Driver)>(1);
        let thread = std::thread::Builder::new().name("keyway".to_owned());
        let spawned = thread.spawn(move || {
            if let Ok((runtime, driver)) = take_over.recv() {
                runtime.block_on(driver);
            }
        });
        if let Err(error) = spawned {
            drop(driver);
            runtime.shutdown_background();
            return Err(BindError::Thread(error));
        }
        // The thread waits for it.
        let _ = hand_over.send((runtime, driver));
        Ok(made)
    }
}
