//! How long keys may be used.

/// Packets after which the sender moves to the next key phase: the confidentiality limit of AES-GCM for packets of any
/// length (RFC 9001, 6.6).
pub const PACKETS_PER_PHASE: u64 = 1 << 23;

/// Packets after which a phase seals no more. Twice [`PACKETS_PER_PHASE`], because a ratchet that is due still has to
/// wait for an acknowledgement; the attacker's advantage grows by four, to some 2^-55, and then stops growing.
pub const PACKETS_PER_PHASE_MAX: u64 = 2 * PACKETS_PER_PHASE;

/// Packets that may fail to open before a session's receiving keys are retired. AES-GCM's integrity limit is 2^52
/// (RFC 9001, 6.6); 2^36 is far inside it, for packets up to 64 KiB, and far above what line noise can do in the three
/// minutes that a session lives.
pub const FAILED_OPENS: u64 = 1 << 36;

/// Limits of one [`Session`](crate::Session). The defaults are the protocol's; tests use smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Packets sealed in one phase from which [`Session::ratchet_due`](crate::Session::ratchet_due) says so.
    /// [`PACKETS_PER_PHASE`] by default.
    pub packets_per_phase: u64,
    /// Packets that failed to open, over all phases, from which nothing is opened any more. [`FAILED_OPENS`] by default.
    pub failed_opens: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packets_per_phase: PACKETS_PER_PHASE,
            failed_opens: FAILED_OPENS,
        }
    }
}
