//! The client verbs of the binary, each against servers of the test on loopback, and against a hub of its own.

mod administration;
mod backup;
mod bench;
mod check;
mod discover;
mod erase;
mod every_verb;
mod exit_codes;
mod hooks;
mod inspect;
mod keeping;
mod listen;
mod log;
mod manual;
mod own_hub;
mod progress;
mod publish;
mod subscribe;
mod support;
mod transfer;
