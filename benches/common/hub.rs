//! The hub that is measured: the release binary as a process of its own, with a data folder of its own.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cpu;
use super::http::{Answer, Client};

const BINARY: &str = env!("CARGO_BIN_EXE_fanfare");
const TOKEN: &str = "the-token-of-the-benchmark";
/// Longer than any start takes.
const START_WITHIN: Duration = Duration::from_secs(120);

/// A data folder; gone when dropped.
pub struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub fn empty() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// One with so many signed subscriptions to a topic, spread over the ports of a sink.
    pub fn with_subscriptions(topic: &str, count: usize, ports: &[u16]) -> Folder {
        let folder = Folder::empty();
        let path = folder.0.path().join("subscriptions.jsonl");
        let mut lines = BufWriter::new(std::fs::File::create(&path).expect("a file"));
        for number in 0..count {
            let port = ports[number % ports.len()];
            writeln!(
                lines,
                r#"{{"topic":"{topic}","callback":"http://127.0.0.1:{port}/callback/{number}?id={number}","secret":"secret-{number}-0123456789abcdef"}}"#
            )
            .expect("room on the disk");
        }
        lines.flush().expect("room on the disk");
        let mut import = folder.command("import");
        let status = import
            .arg(&path)
            .stderr(Stdio::null())
            .status()
            .expect("the binary");
        assert!(status.success(), "fanfare import: {status}");
        std::fs::remove_file(&path).expect("it was written");
        folder
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(BINARY);
        command
            .arg(verb)
            .arg("--data-dir")
            .arg(self.0.path().join("data"))
            .current_dir(self.0.path())
            .env("FANFARE_AUTH__ADMIN_TOKEN", TOKEN)
            .env("FANFARE_LIMITS__REQUESTS_PER_CLIENT", "0")
            .env("FANFARE_LIMITS__SUBSCRIPTIONS_PER_CALLBACK_HOST", "0")
            .env("FANFARE_LIMITS__HOOKS_PER_SOURCE", "0")
            .env("FANFARE_LOG__LEVEL", "error");
        command
    }
}

/// A hub that runs; ends when dropped.
pub struct Hub {
    process: Child,
    /// Kept open: the hub goes on to write to it.
    _output: BufReader<ChildStdout>,
    port: u16,
    /// From its first instruction to the first `200` of `/readyz`.
    pub start_up: Duration,
}

impl Hub {
    /// Starts the process and waits until it is ready.
    pub fn start(folder: &Folder) -> Hub {
        let began = Instant::now();
        let mut process = folder
            .command("serve")
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the hub's process");
        let mut banner = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("it was piped"));
        output.read_line(&mut banner).expect("the hub's banner");
        let port = banner.trim().trim_end_matches('/').rsplit(':').next();
        let port = port.and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the hub did not start: {banner:?}"));
        while !is_ready(port) {
            assert!(began.elapsed() < START_WITHIN, "the hub is not ready");
            std::thread::sleep(Duration::from_millis(2));
        }
        Hub {
            process,
            _output: output,
            port,
            start_up: began.elapsed(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the hub listens")
    }

    /// The URL of a topic that it hosts.
    pub fn topic(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/topics/{name}", self.port)
    }

    /// Pushes content. What comes back is the path of its receipt.
    pub fn publish(&self, topic: &str, content: &[u8]) -> String {
        let link = format!("<{topic}>; rel=\"self\"");
        let headers = [("link", link.as_str()), ("content-type", "text/plain")];
        self.with_token("POST", "/publish", &headers, content)
    }

    /// Replaces a topic that it hosts.
    pub fn host(&self, name: &str, content: &[u8]) -> String {
        let path = format!("/topics/{name}");
        self.with_token("PUT", &path, &[("content-type", "text/plain")], content)
    }

    /// Declares a source that raises these events.
    pub fn declare(&self, source: &str, events: &str) {
        let path = format!("/api/v1/sources/{source}");
        self.client().ask("PUT", &path, events);
    }

    /// Puts a hook on everything of a source; `more` are further members, each with a comma before it.
    pub fn hook(&self, client: &mut Client, source: &str, url: &str, more: &str) {
        let hook = format!(
            r#"{{"source":"{source}","events":["*"],"url":"{url}","secret":"0123456789abcdef0123456789abcdef"{more}}}"#
        );
        client.ask("POST", "/api/v1/hooks", &hook);
    }

    fn with_token(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content: &[u8],
    ) -> String {
        let bearer = format!("Bearer {TOKEN}");
        let mut headers = headers.to_vec();
        headers.push(("authorization", &bearer));
        let answer = self.client().send(method, path, &headers, content);
        let receipt = accepted(answer).location.expect("the receipt's URL");
        let path = receipt.splitn(4, '/').nth(3).expect("a path");
        format!("/{path}")
    }

    /// Waits until a publication is complete: everyone has it, and nobody got it by way of the backlog.
    pub fn complete(&self, receipt: &str, targets: usize) {
        let delivered = format!("\"targets\":{targets},\"delivered\":{targets},\"in_backlog\":0");
        let began = Instant::now();
        loop {
            let answer = self.client().send("GET", receipt, &[], b"");
            let body = answer.expect("the hub answers").body;
            if body.contains("\"complete\"") {
                assert!(body.contains(&delivered), "{body}");
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{body}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Seconds of CPU that it has used.
    pub fn cpu(&self) -> f64 {
        cpu::of_process(self.pid())
    }
}

impl Client {
    /// Asks the hub for something, in JSON, as its administrator. What comes back is the answer, which is no refusal.
    pub fn ask(&mut self, method: &str, path: &str, json: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        accepted(self.send(method, path, &headers, json.as_bytes()))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Nothing can be done about a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn accepted(answer: std::io::Result<Answer>) -> Answer {
    let answer = answer.expect("the hub answers");
    assert!(
        matches!(answer.status, 200..=202),
        "{}: {}",
        answer.status,
        answer.body
    );
    answer
}

fn is_ready(port: u16) -> bool {
    let answer = Client::connect(port).and_then(|mut hub| hub.send("GET", "/readyz", &[], b""));
    answer.is_ok_and(|answer| answer.status == 200)
}
