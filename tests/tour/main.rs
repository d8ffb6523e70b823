//! README's tour, as written: its `sh` blocks are typed into real shells, one for each terminal that they name in their
//! first line, and what its `text` blocks show has to appear there.
//!
//! In an expected line `…` stands for anything; between two expected lines anything may stand. Only this differs from
//! README: the ports are free ones, and `cargo run --release --` is the binary that Cargo built for the tests.

mod terminal;
mod tour;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use terminal::Terminals;
use tour::{Block, Kind};

const README: &str = include_str!("../../README.md");
const FANFARE: &str = env!("CARGO_BIN_EXE_fanfare");

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let clone = tempfile::tempdir().expect("a folder");
    make_clone(clone.path());
    let [hub, web] = free_ports();
    let text = tour::section(README, "## A tour of five minutes");
    let text = text.replace(":8080", &format!(":{hub}"));
    let text = text
        .replace(":8000", &format!(":{web}"))
        .replace("port 8000", &format!("port {web}"))
        .replace("http.server 8000", &format!("http.server {web}"));
    let blocks = tour::blocks(&text);
    assert!(
        blocks.len() > 10,
        "README has lost its tour: {}",
        blocks.len()
    );

    let mut terminals = Terminals::new(clone.path(), &format!("127.0.0.1:{hub}"));
    for Block {
        kind,
        terminal,
        after_interrupt,
        lines,
    } in blocks
    {
        let terminal = terminals.named(&terminal);
        match kind {
            Kind::Typed => {
                if after_interrupt {
                    terminal.interrupt();
                }
                terminal.enter(&lines);
            }
            Kind::Shown => terminal.expect(&lines),
        }
    }

    let leave = |terminals: &mut Terminals, name, farewell: &str| {
        let terminal = terminals.named(name);
        terminal.interrupt();
        terminal.expect(&[farewell.to_owned()]);
    };
    leave(&mut terminals, "second", "unsubscribed");
    leave(&mut terminals, "first", "…stopped…");
    assert!(
        clone.path().join("data").is_dir(),
        "README says that ./data holds the data"
    );
}

/// A folder that looks to the tour like a clone of the repository after a build.
fn make_clone(folder: &Path) {
    fs::create_dir_all(folder.join("target/release")).expect("folders");
    symlink(FANFARE, folder.join("target/release/fanfare")).expect("a link");
    fs::create_dir(folder.join("bin")).expect("a folder");
    let cargo = folder.join("bin/cargo");
    let script = "#!/bin/sh\n\
                  [ \"$1 $2 $3\" = \"run --release --\" ] || { echo \"not of the tour: cargo $*\"; exit 1; }\n\
                  shift 3\n\
                  exec target/release/fanfare \"$@\"\n";
    fs::write(&cargo, script).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Two free ports, below those that the system hands out by itself, so that nobody gets them meanwhile by chance.
fn free_ports() -> [u16; 2] {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("below 10,000");
    let mut free = (first..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [(); 2].map(|()| free.next().expect("a free port"))
}
