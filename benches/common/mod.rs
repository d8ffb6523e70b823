//! What the benchmarks share; no benchmark uses all of it.
#![allow(dead_code, reason = "each benchmark compiles this for itself")]

pub mod cpu;
pub mod http;
pub mod hub;
pub mod sections;
pub mod sink;
pub mod wrk;
