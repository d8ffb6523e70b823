//! What the tests of crashes, disks and isolation need beyond the harness: origins for very many callbacks whose door can
//! be shut, requests to a hub that may be dying, and hubs that may refuse to start.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::hub::free_address;
use crate::support::{ADMIN, PATIENCE, PUBLISHER, Request, Response, eventually};

/// What an origin does with a request.
pub enum Answer {
    /// Answers at once.
    Now(u16, String),
    /// Answers after a while.
    After(Duration, u16),
    /// Answers 200 when the sender says so, and never if it does not.
    When(watch::Receiver<bool>),
    /// Closes the connection without a word.
    Close,
}

type Handler = dyn Fn(Request) -> Answer + Send + Sync;

/// A server on an address of its own. Nothing is recorded but what the handler keeps.
pub struct Origin {
    address: SocketAddr,
    handler: Arc<Handler>,
    connections: Arc<AtomicUsize>,
    door: Option<JoinHandle<()>>,
}

impl Origin {
    /// An open origin.
    pub async fn open(handler: impl Fn(Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::open_at(free_address(), handler).await
    }

    /// An open origin at this address.
    pub async fn open_at(
        address: SocketAddr,
        handler: impl Fn(Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut origin = Self {
            address,
            handler: Arc::new(handler),
            connections: Arc::default(),
            door: None,
        };
        origin.set_open(true).await;
        origin
    }

    /// The URL of a path on it.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Opens the door, or shuts it: connections are refused then, and those that were open end.
    pub async fn set_open(&mut self, open: bool) {
        match (open, self.door.take()) {
            (true, None) => {
                let listener = TcpListener::bind(self.address).await.expect("a free port");
                let (handler, count) = (self.handler.clone(), self.connections.clone());
                self.door = Some(tokio::spawn(serve(listener, handler, count)));
            }
            (false, Some(door)) => {
                door.abort();
                let _ = door.await;
            }
            (_, door) => self.door = door,
        }
    }

    /// Waits until everything that a dead client has sent was read. Connections come in in the order in which they were
    /// made, so an answer means that no earlier one waits outside.
    pub async fn drained(&self) {
        if self.door.is_none() {
            return;
        }
        visit(self.address, "OPTIONS", "/", &[], b"")
            .await
            .expect("an answer of the origin");
        eventually("the end of the connections", async || {
            (self.connections.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(door) = &self.door {
            door.abort();
        }
    }
}

/// A connection that counts as long as it is open.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, count: Arc<AtomicUsize>) {
    // The connections end with the door.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, handler.clone(), Counted::new(&count)));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, handler: Arc<Handler>, _counted: Counted) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = Request::read(&mut stream).await {
        let answer = match request.method.as_str() {
            "OPTIONS" => Answer::Now(204, String::new()),
            _ => handler(request),
        };
        let (status, body) = match answer {
            Answer::Now(status, body) => (status, body),
            Answer::After(delay, status) => {
                tokio::time::sleep(delay).await;
                (status, String::new())
            }
            Answer::When(mut released) => {
                let mut rest = [0; 64];
                tokio::select! {
                    said = released.wait_for(|released| *released) => if said.is_err() { return },
                    // Whoever waits sends nothing more: this is the end of the connection.
                    _ = stream.read(&mut rest) => return,
                }
                (200, String::new())
            }
            Answer::Close => return,
        };
        let head = format!(
            "HTTP/1.1 {status} Reply\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The answer that confirms a verification.
pub fn confirmed(request: &Request) -> Answer {
    Answer::Now(200, request.param("hub.challenge").unwrap_or_default())
}

/// One request, with both tokens at hand; none if no answer came.
pub async fn visit(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Response> {
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let token = match target.starts_with("/api/") {
        true => ADMIN,
        false => PUBLISHER,
    };
    head += &format!(
        "Authorization: Bearer {token}\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend(body);
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&bytes).await?;
        Response::read(&mut BufReader::new(stream), false).await
    };
    let answer: Result<io::Result<Response>, _> = tokio::time::timeout(PATIENCE, exchange).await;
    answer
        .unwrap_or_else(|_| panic!("{method} {target}: no answer"))
        .ok()
}

/// Puts subscriptions to a topic into a data folder, as `fanfare import` does.
pub fn import(data: &Path, topic: &str, callbacks: &[String]) {
    let lines: String = callbacks
        .iter()
        .map(|callback| {
            serde_json::json!({ "topic": topic, "callback": callback }).to_string() + "\n"
        })
        .collect();
    let input = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(input.path(), lines).expect("its content");
    let status = fanfare()
        .arg("import")
        .arg(input.path())
        .arg("--data-dir")
        .arg(data)
        .current_dir(data)
        .status();
    assert!(status.expect("the hub's binary runs").success());
}

/// The hub's binary without the settings of whoever runs the tests.
fn fanfare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"FANFARE_") {
            command.env_remove(name);
        }
    }
    command
}

/// A process of `fanfare serve` that need not come up.
pub struct Attempt {
    pub address: SocketAddr,
    child: Child,
    printed: PathBuf,
}

impl Attempt {
    /// Starts a hub on a data folder. What it prints is kept in `notes`.
    pub fn start(data: &Path, notes: &Path) -> Self {
        let address = free_address();
        let printed = notes.join(format!("printed-{}", address.port()));
        let out = File::create(&printed).expect("a file for what it prints");
        let child = fanfare()
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(data)
            .env("FANFARE_AUTH__ADMIN_TOKEN", ADMIN)
            .env("FANFARE_AUTH__PUBLISHER_TOKENS", PUBLISHER)
            .current_dir(notes)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a second handle"))
            .stderr(out)
            .spawn()
            .expect("the hub's binary runs");
        Self {
            address,
            child,
            printed,
        }
    }

    /// Waits until it answers at all (`None`) or has ended.
    pub async fn outcome(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                return Some(status);
            }
            if visit(self.address, "GET", "/livez", &[], b"")
                .await
                .is_some()
            {
                return None;
            }
            assert!(
                Instant::now() < deadline,
                "neither up nor ended:\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.printed).expect("the file that it prints to");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
