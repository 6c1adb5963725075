//! Every plausible mistake ends in one line that says what is wrong and what to do. Each of those lines is a row of `docs/errors.md`,
//! and has a test here that runs into it.

mod ids;
mod keys;
mod notes;
mod output;
mod privileges;
mod reaching;
mod services;
mod sockets;
mod table;
mod words;
