//! Locking without the possibility to fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, whatever happened to its last holder.
///
/// What the mutexes of this crate guard is valid after each statement that changes it, and none of them runs foreign code
/// while it is locked. A thread that panics in between leaves nothing half done, so poisoning has nothing to warn of.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
