//! A deterministic world around Keyway nodes: clock, links, NATs and faults, replayed from a seed.
