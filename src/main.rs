//! Parses the arguments, runs one command, and gives its exit code.

use std::process::ExitCode;

use clap::Parser as _;
use fanfare::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match fanfare::cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fanfare: {error:#}");
            ExitCode::FAILURE
        }
    }
}
