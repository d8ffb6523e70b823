//! Parses the arguments, runs one command, and gives its exit code.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use fanfare::cli;

/// Who speaks, when something has failed.
const RED: Style = AnsiColor::Red.on_default().bold();

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{RED}fanfare:{RED:#} {error:#}");
            cli::code(&error)
        }
    }
}
