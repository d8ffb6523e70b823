//! A program of a page, in a folder of its own below `target`, so that what is compiled need not be again; started with the command that the page gives. In: its files, and what the environment
//! shall hold. Out: what it prints, and what it answers.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncWriteExt as _, BufReader as AsyncBufReader};
use tokio::net::TcpStream;

use crate::support::hub::free_address;
use crate::support::{PATIENCE, Response, eventually};

/// How long a program may take until it listens: two of them are compiled first, the one in Rust with a server, while other tests run.
const BUILD: Duration = Duration::from_secs(1_800);

/// What a page has of a program.
#[derive(Clone)]
pub struct Source {
    /// Names its folder: no two tests share one.
    pub name: &'static str,
    /// Paths and contents.
    pub files: Vec<(&'static str, String)>,
    /// The command that starts it at port 8000.
    pub command: String,
}

/// A running program; it ends, with all that it has started, when it is dropped.
pub struct Program {
    pub address: SocketAddr,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts it, and waits until it listens.
    pub async fn start(source: &Source, environment: &[(&str, &str)]) -> Self {
        let folder = kept("receivers").join(source.name);
        // What PHP's has kept in an earlier run.
        let _ = fs::remove_dir_all(folder.join("inbox"));
        for (path, content) in &source.files {
            write(&folder.join(path), content);
        }
        let address = free_address();
        let command = source.command.replace("8000", &address.port().to_string());
        let mut child = Command::new("bash")
            .args(["-c", &command])
            .current_dir(&folder)
            .envs(environment.iter().copied())
            // What is compiled is kept for the next run, and nothing is fetched.
            .env("CARGO_TARGET_DIR", kept("receivers/target"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("GOCACHE", kept("receivers/gocache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("bash");
        let lines = Arc::default();
        collect(child.stdout.take().expect("piped"), &lines);
        collect(child.stderr.take().expect("piped"), &lines);
        let mut program = Self {
            address,
            child,
            lines,
        };
        program.wait_until_it_listens(&command).await;
        program
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many lines it has printed that begin so.
    pub fn count(&self, beginning: &str) -> usize {
        let lines = self.lines();
        lines
            .iter()
            .filter(|line| line.starts_with(beginning))
            .count()
    }

    /// Waits until it has printed so many lines that begin so.
    pub async fn says(&self, beginning: &str, count: usize) {
        eventually(&format!("{count} times {beginning:?}"), async || {
            (self.count(beginning) >= count).then_some(())
        })
        .await;
    }

    /// Sends a request and reads the answer, if there is one: who is sent too much may hang up.
    pub async fn try_request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let (reading, mut writing) = TcpStream::connect(self.address).await?.into_split();
        let sent = async {
            // Whatever is refused before it has been read counts by its answer.
            let _ = writing.write_all(head.as_bytes()).await;
            let _ = writing.write_all(body).await;
            std::future::pending::<()>().await;
        };
        let mut reading = AsyncBufReader::new(reading);
        let exchange = async {
            tokio::select! {
                () = sent => unreachable!("pending"),
                response = Response::read(&mut reading, false) => response,
            }
        };
        tokio::time::timeout(PATIENCE, exchange).await?
    }

    /// The same, when there has to be an answer; gives its status.
    pub async fn status(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> u16 {
        let answer = self.try_request(method, target, headers, body).await;
        answer
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
            .status
    }

    async fn wait_until_it_listens(&mut self, command: &str) {
        let deadline = Instant::now() + BUILD;
        while TcpStream::connect(self.address).await.is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{command:?} ended with {status}; tests/run installs what is needed");
            }
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the program printed: {:#?}", self.lines());
        }
    }
}

/// A folder below `target`.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Writes a file, unless it is there already: its age is what Cargo looks at.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return;
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn collect(stream: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    });
}
