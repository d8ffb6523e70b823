//! The client verbs of the binary, each against servers of the test on loopback, and against a hub of its own.

mod administration;
mod discover;
mod hooks;
mod inspect;
mod keeping;
mod listen;
mod manual;
mod own_hub;
mod publish;
mod subscribe;
mod support;
mod transfer;
