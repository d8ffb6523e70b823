//! A real HTTP server on loopback that records every request and answers as it is told, politely or not.
//! In: a function from request to reply. Out: the log of requests.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{PATIENCE, Request};

/// What a server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        after: Duration,
        once: Option<watch::Receiver<bool>>,
    },
    /// Says nothing and keeps the connection open.
    Hang,
    /// Closes the connection without a word.
    Close,
    /// Answers 200 with a body that never ends.
    Flood,
    /// Answers 200 with a body of which one byte comes at a time, for ever.
    Drip,
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            after: Duration::ZERO,
            once: None,
        }
    }

    /// 200 with a body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// With this body.
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = content.into();
        }
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Not before this much time has passed.
    pub fn after(mut self, delay: Duration) -> Self {
        if let Self::Answer { after, .. } = &mut self {
            *after = delay;
        }
        self
    }

    /// Not before this is so.
    #[allow(
        dead_code,
        reason = "only the tests of the hub and the hooks wait for something"
    )]
    pub fn once(mut self, is_so: watch::Receiver<bool>) -> Self {
        if let Self::Answer { once, .. } = &mut self {
            *once = Some(is_so);
        }
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;
type Log = watch::Sender<Vec<Request>>;

/// A server on a port of its own; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    log: Log,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on one of the machine's addresses.
    pub async fn start_on(
        ip: IpAddr,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let log = Log::default();
        let task = tokio::spawn(serve(listener, Arc::new(handler), log.clone()));
        Self { address, log, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Its log, for those who outlive a borrow of it.
    pub fn log(&self) -> Requests {
        Requests(self.log.subscribe())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The requests that a server has got so far.
#[derive(Clone)]
pub struct Requests(watch::Receiver<Vec<Request>>);

impl Requests {
    /// Those that fit.
    pub fn matching(&self, fits: impl Fn(&Request) -> bool) -> Vec<Request> {
        let log = self.0.borrow();
        log.iter()
            .filter(|request| fits(request))
            .cloned()
            .collect()
    }

    /// Waits until so many fit, and gives all that do by then.
    pub async fn wait_for(
        &self,
        what: &str,
        count: usize,
        fits: impl Fn(&Request) -> bool,
    ) -> Vec<Request> {
        let mut log = self.0.clone();
        let enough =
            log.wait_for(|log| log.iter().filter(|request| fits(request)).count() >= count);
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            let have = self.matching(&fits).len();
            let log = self.matching(|_| true);
            panic!("waited in vain for {count} x {what}; there are {have}; in all: {log:#?}");
        }
        self.matching(fits)
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, log: Log) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, handler.clone(), log.clone()));
    }
}

async fn converse(stream: TcpStream, handler: Arc<Handler>, log: Log) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = Request::read(&mut stream).await {
        let reply = handler(&request);
        let head_only = request.method == "HEAD";
        log.send_modify(|log| log.push(request));
        if !answer(&mut stream, reply, head_only).await {
            return;
        }
    }
}

/// Whether the connection lives on.
async fn answer(stream: &mut BufReader<TcpStream>, reply: Reply, head_only: bool) -> bool {
    match reply {
        Reply::Close => false,
        Reply::Hang => {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            false
        }
        Reply::Flood => {
            let block = [b'x'; 16 * 1024];
            let mut open = stream.write_all(ENDLESS.as_bytes()).await.is_ok();
            while open {
                open = stream.write_all(&block).await.is_ok();
            }
            false
        }
        Reply::Drip => {
            let mut open = stream.write_all(ENDLESS.as_bytes()).await.is_ok();
            while open {
                tokio::time::sleep(Duration::from_millis(50)).await;
                open = stream.write_all(b"x").await.is_ok();
            }
            false
        }
        Reply::Answer {
            status,
            headers,
            body,
            after,
            once,
        } => {
            tokio::time::sleep(after).await;
            if let Some(mut once) = once
                && once.wait_for(|is_so| *is_so).await.is_err()
            {
                return false;
            }
            let mut head = format!("HTTP/1.1 {status} Reply\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            if status != 204 && status != 304 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            head.push_str("\r\n");
            let mut bytes = head.into_bytes();
            if !head_only {
                bytes.extend(body);
            }
            stream.write_all(&bytes).await.is_ok()
        }
    }
}

const ENDLESS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000000000\r\n\r\n";
