//! Shells that stand for the terminals of the tour. Commands in; what they print is waited for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::tour::matches;

/// How long an expected line may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// The terminals that have been opened, by name.
pub struct Terminals {
    folder: PathBuf,
    listen: String,
    open: BTreeMap<String, Terminal>,
}

impl Terminals {
    /// Terminals in a folder; a hub that is started in one listens at `listen`.
    pub fn new(folder: &Path, listen: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            listen: listen.to_owned(),
            open: BTreeMap::new(),
        }
    }

    /// The terminal of this name, opened when it is first named.
    pub fn named(&mut self, name: &str) -> &mut Terminal {
        let (folder, listen) = (&self.folder, &self.listen);
        self.open
            .entry(name.to_owned())
            .or_insert_with(|| Terminal::open(folder, name, listen))
    }
}

/// One shell, with everything that runs in it in one process group.
pub struct Terminal {
    shell: Child,
    log: PathBuf,
    /// Lines that have been looked at.
    seen: usize,
}

impl Terminal {
    fn open(folder: &Path, name: &str, listen: &str) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let shell = Command::new("bash")
            .args([
                "--norc",
                "-c",
                "PATH=\"$PWD/bin:$PATH\"; exec bash --norc -s",
            ])
            .current_dir(folder)
            .env("FANFARE_LISTEN", listen)
            .env_remove("FANFARE_URL")
            .env_remove("FANFARE_TOKEN")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("the log again"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .expect("bash");
        Self {
            shell,
            log,
            seen: 0,
        }
    }

    /// Types commands.
    pub fn enter(&mut self, lines: &[String]) {
        let stdin = self.shell.stdin.as_mut().expect("it is piped");
        stdin
            .write_all((lines.join("\n") + "\n").as_bytes())
            .expect("the shell reads");
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) {
        kill_process_group(self.group(), Signal::INT).expect("the shell is there");
    }

    /// Waits until these lines have appeared, in this order, after those that were expected before.
    pub fn expect(&mut self, lines: &[String]) {
        let deadline = Instant::now() + PATIENCE;
        for expected in lines.iter().filter(|line| !line.is_empty()) {
            self.seen = loop {
                let text = fs::read(&self.log).expect("the log");
                let text = String::from_utf8_lossy(&text);
                // A line without its end may still grow.
                let whole = text
                    .split_inclusive('\n')
                    .filter(|line| line.ends_with('\n'));
                let mut fresh = whole.enumerate().skip(self.seen);
                if let Some((at, _)) = fresh.find(|(_, line)| matches(expected, line.trim_end())) {
                    break at + 1;
                }
                assert!(
                    Instant::now() < deadline,
                    "{expected:?} has not appeared after line {} of {}:\n{text}",
                    self.seen,
                    self.log.display()
                );
                thread::sleep(PAUSE);
            };
        }
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.shell)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The shell has not been waited for, so its number is still its own.
        let _ = kill_process_group(self.group(), Signal::KILL);
        let _ = self.shell.wait();
    }
}
