//! README's tour and the pages of the dialects, as written: their `sh` blocks are typed into real shells, one for each terminal
//! that they name in their first line, and what their `text` blocks show has to appear there.
//!
//! In an expected line `…` stands for anything; between two expected lines anything may stand. Only this differs from
//! the text: the ports are free ones, and `cargo run --release --` is the binary that Cargo built for the tests.

mod terminal;
mod tour;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;
use terminal::Terminals;
use tour::{Block, Kind};

const README: &str = include_str!("../../README.md");
const FANFARE: &str = env!("CARGO_BIN_EXE_fanfare");

#[test]
fn the_tour_of_the_readme_works_as_written() {
    let mut tour = Tour::new(20_000);
    tour.walk(tour::section(README, "## A tour of five minutes"));
    tour.leave("second", "unsubscribed");
    tour.leave("first", "…stopped…");
    assert!(
        tour.clone.path().join("data").is_dir(),
        "README says that ./data holds the data"
    );
}

#[test]
fn the_webhooks_of_the_readme_work_as_written() {
    Tour::new(24_000).walk(tour::section(README, "## Webhooks"));
}

#[test]
fn the_pages_of_the_dialects_work_as_written() {
    let mut pages: Vec<_> = fs::read_dir("docs/dialects")
        .expect("the pages")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    assert_eq!(pages.len(), 6, "{pages:?}");
    for page in pages {
        println!("{}", page.display());
        Tour::new(28_000).walk(&fs::read_to_string(page).expect("a page"));
    }
}

/// A walk through a text, in a folder and on ports of its own.
struct Tour {
    clone: TempDir,
    terminals: Terminals,
    hub: u16,
    web: u16,
}

impl Tour {
    /// `ports` is where it looks for free ones: no two tours that run at once may look in the same place.
    fn new(ports: u16) -> Self {
        let clone = tempfile::tempdir().expect("a folder");
        make_clone(clone.path());
        let [hub, web] = free_ports(ports);
        Self {
            terminals: Terminals::new(clone.path(), &format!("127.0.0.1:{hub}")),
            clone,
            hub,
            web,
        }
    }

    fn walk(&mut self, text: &str) {
        let web = self.web;
        let text = text
            .replace(":8080", &format!(":{}", self.hub))
            .replace(":8000", &format!(":{web}"))
            .replace("port 8000", &format!("port {web}"))
            .replace("http.server 8000", &format!("http.server {web}"))
            .replace("receiver.py 8000", &format!("receiver.py {web}"));
        let blocks = tour::blocks(&text);
        assert!(
            blocks.len() >= 6,
            "the text has lost its blocks: {}",
            blocks.len()
        );
        for Block {
            kind,
            terminal,
            after_interrupt,
            lines,
        } in blocks
        {
            let terminal = self.terminals.named(&terminal);
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
    }

    /// Ends what runs in a terminal.
    fn leave(&mut self, name: &str, farewell: &str) {
        let terminal = self.terminals.named(name);
        terminal.interrupt();
        terminal.expect(&[farewell.to_owned()]);
    }
}

/// A folder that looks to the tour like a clone of the repository after a build.
fn make_clone(folder: &Path) {
    fs::create_dir_all(folder.join("target/release")).expect("folders");
    symlink(FANFARE, folder.join("target/release/fanfare")).expect("a link");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    symlink(docs, folder.join("docs")).expect("a link");
    fs::create_dir(folder.join("bin")).expect("a folder");
    let cargo = folder.join("bin/cargo");
    let script = "#!/bin/sh\n\
                  [ \"$1 $2 $3\" = \"run --release --\" ] || { echo \"not of the tour: cargo $*\"; exit 1; }\n\
                  shift 3\n\
                  exec target/release/fanfare \"$@\"\n";
    fs::write(&cargo, script).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Two free ports above `lowest`, below those that the system hands out by itself, so that nobody gets them meanwhile by chance.
fn free_ports(lowest: u16) -> [u16; 2] {
    let first = lowest + u16::try_from(std::process::id() % 3_500).expect("below 3,500");
    let mut free = (first..).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [(); 2].map(|()| free.next().expect("a free port"))
}
