//! What the benchmarks share.

pub mod cpu;
pub mod sink;
pub mod wrk;
