//! Candidates, and the schedule by which two nodes probe for a direct path.
