//! A hub in a process of its own: the real binary, an empty data folder, fast retries, loopback. In: settings that
//! differ. Out: a hub that is ready; what it printed goes into the message of a test that fails.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, eventually};

/// The administrator's token of every hub under test.
pub const ADMIN: &str = "admin-token-of-the-tests";
/// A publisher's token of every hub under test.
pub const PUBLISHER: &str = "publisher-token-of-the-tests";

/// What differs from the built-in defaults, so that tests need not wait. A test's own settings come after these.
const FAST: &[(&str, &str)] = &[
    ("auth.admin_token", ADMIN),
    ("auth.publisher_tokens", PUBLISHER),
    ("delivery.circuit_failures", "0"),
    ("delivery.retry", "100ms,200ms,400ms"),
    ("delivery.timeout", "3s"),
    ("drain_timeout", "5s"),
    ("fetch.retry", "100ms,200ms,400ms"),
    ("fetch.timeout", "3s"),
    ("limits.requests_per_client", "0"),
    ("log.level", "debug"),
    ("subscriptions.min_lease", "1s"),
    ("subscriptions.verify_retry", "100ms,200ms,400ms"),
    ("subscriptions.verify_timeout", "3s"),
];

/// A running hub. It is killed when it is dropped.
pub struct Hub {
    /// Its URL, which ends in a slash, as it advertises it.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    settings: Vec<(String, String)>,
    folder: TempDir,
    process: Process,
}

impl Hub {
    /// A hub with the settings of the tests.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A hub with these settings besides, such as `("delivery.timeout", "1s")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = FAST
            .iter()
            .chain(settings)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let folder = tempfile::tempdir().expect("a folder for the data");
        let address = free_address();
        let mut hub = Self {
            url: format!("http://{address}/"),
            process: Process::spawn(address, &settings, folder.path()),
            address,
            settings,
            folder,
        };
        hub.wait_until_ready().await;
        hub
    }

    /// What it has printed since it was last started, to both outputs.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Where its data is.
    #[allow(dead_code, reason = "only the tests of the hooks look there")]
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process.child);
        kill_process(pid, signal).expect("the hub runs");
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill9(&mut self) {
        self.process.child.kill().expect("the hub runs");
        self.exit().await;
    }

    /// Starts it again, after `terminate` or `kill9`, on the same data and the same address.
    pub async fn start_again(&mut self) {
        self.process = Process::spawn(self.address, &self.settings, self.folder.path());
        self.wait_until_ready().await;
    }

    /// Stops it gracefully and starts it again.
    pub async fn restart(&mut self) {
        self.terminate().await;
        self.start_again().await;
    }

    /// Waits for the end.
    pub async fn exit(&mut self) -> ExitStatus {
        let process = &self.process;
        let pid = Pid::from_child(&process.child);
        // The zombie is reaped below: until then the pid cannot be given to another process.
        eventually("the hub's end", async || {
            process.has_ended(pid).then_some(())
        })
        .await;
        self.process.child.wait().expect("a child of this process")
    }

    async fn wait_until_ready(&mut self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Ok(Some(status)) = self.process.child.try_wait() {
                panic!("the hub ended with {status}:\n{}", self.output());
            }
            if let Ok(response) = self.try_get("/readyz").await
                && response.status == 200
            {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the hub is not ready:\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
}

/// The process of a hub and what it prints.
struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    fn spawn(address: SocketAddr, settings: &[(String, String)], folder: &Path) -> Self {
        let mut child = command()
            .arg("serve")
            .env("FANFARE_LISTEN", address.to_string())
            .env("FANFARE_DATA_DIR", folder.join("data"))
            .envs(settings.iter().map(|(key, value)| (variable(key), value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the hub's binary runs");
        let output = Arc::default();
        collect(child.stdout.take().expect("piped"), &output);
        collect(child.stderr.take().expect("piped"), &output);
        Self { child, output }
    }

    fn output(&self) -> String {
        let output = self.output.lock();
        output.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_ended(&self, pid: Pid) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), look).is_ok_and(|status| status.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the hub printed:\n{}---", self.output());
        }
    }
}

/// The hub's binary without the settings of whoever runs the tests.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FANFARE_") {
            command.env_remove(name);
        }
    }
    command
}

/// The environment variable of a setting: `FANFARE_DELIVERY__TIMEOUT` for `delivery.timeout`. Others are left as they
/// are: a test may set `HTTP_PROXY`.
fn variable(key: &str) -> String {
    if key.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return key.to_owned();
    }
    format!("FANFARE_{}", key.replace('.', "__").to_ascii_uppercase())
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = output.clone();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            output
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
            line.clear();
        }
    });
}

/// An address that is free now, and that no outgoing connection takes: it lies below the ephemeral ports, so that a
/// hub finds it again after a restart.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 8_000).expect("below 8,000");
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
