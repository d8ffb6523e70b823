//! A receiver that costs as little as possible: takes any number of POSTs, answers 204, counts. It runs in a process of
//! its own (the benchmark starts itself again with `sink` as its argument), so that its work is nobody else's.
//!
//! A verification is confirmed. `GET /feed` answers something new each time, for who publishes it. `GET /` answers what
//! came since the last `GET /reset`, and `GET /delays` how long each took of those POSTs to `/timed` that say since when.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::http::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ARGUMENT: &str = "sink";
const THREADS: usize = 2;
/// Where a POST says since when it is on its way, in nanoseconds since 1970.
const SINCE: &[u8] = b"\"since\":";

/// The sink's process; ends when dropped.
pub struct Sink {
    process: Child,
    /// The ports that it listens on, all of 127.0.0.1.
    pub ports: Vec<u16>,
}

/// What came to the sink.
#[derive(Debug)]
pub struct Report {
    pub posts: u64,
    pub confirmed: u64,
    /// When the first and the last POST or verification came, since 1970.
    pub first: Duration,
    pub last: Duration,
}

impl Report {
    /// POSTs a second, from the first to the last.
    pub fn rate(&self) -> f64 {
        self.posts as f64 / (self.last - self.first).as_secs_f64()
    }
}

/// The time since 1970, which two processes agree on.
#[expect(
    clippy::disallowed_methods,
    reason = "no other clock is common to two processes"
)]
pub fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is later than 1970")
}

impl Sink {
    /// Becomes the sink and never returns, if this process was started to be it. To be called first in `main`.
    pub fn run_if_asked() {
        let mut arguments = std::env::args().skip(1);
        if arguments.next().as_deref() == Some(ARGUMENT) {
            let origins = arguments.next().and_then(|number| number.parse().ok());
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_io()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(origins.expect("the number of ports")));
            std::process::exit(0);
        }
    }

    /// Starts the process, listening on so many ports.
    pub fn start(origins: usize) -> Sink {
        let program = std::env::current_exe().expect("the path of this program");
        let mut process = Command::new(program)
            .args([ARGUMENT, &origins.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sink's process");
        let output = process.stdout.take().expect("it was piped");
        let mut ports = String::new();
        BufReader::new(output)
            .read_line(&mut ports)
            .expect("the sink's ports");
        let ports = ports.split_whitespace();
        Sink {
            process,
            ports: ports.map(|port| port.parse().expect("a port")).collect(),
        }
    }

    /// How many POSTs it has answered.
    pub fn count(&self) -> u64 {
        self.report().posts
    }

    /// What came since the last reset.
    pub fn report(&self) -> Report {
        let numbers = self.ask("/");
        let mut numbers = numbers.split(' ').map(|text| text.parse::<u64>());
        let mut next = || numbers.next().and_then(Result::ok).expect("four numbers");
        Report {
            posts: next(),
            confirmed: next(),
            first: Duration::from_nanos(next()),
            last: Duration::from_nanos(next()),
        }
    }

    /// How long each of the timed POSTs took.
    pub fn delays(&self) -> Vec<Duration> {
        let delays = self.ask("/delays");
        let delays = delays.split_whitespace();
        let read = |nanos: &str| nanos.parse().expect("a number");
        delays.map(read).map(Duration::from_nanos).collect()
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.ask("/reset");
    }

    /// Waits until nothing comes any more: wrk leaves requests behind that are answered only after its end.
    pub fn wait_until_quiet(&self) {
        let mut before = u64::MAX;
        while before != self.count() {
            before = self.count();
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Waits until that is so. Panics when it takes longer than `within`.
    pub fn wait_until(&self, within: Duration, holds: impl Fn(&Report) -> bool) -> Report {
        let began = Instant::now();
        loop {
            let report = self.report();
            if holds(&report) {
                return report;
            }
            assert!(began.elapsed() < within, "after {within:?}: {report:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn ask(&self, path: &str) -> String {
        let mut client = Client::connect(self.ports[0]).expect("the sink listens");
        let answer = client.send("GET", path, &[], b"");
        answer.expect("the sink answers").body
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Nothing can be done about a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the sink's tasks count. The times are nanoseconds; none yet is 0.
#[derive(Default)]
struct Counts {
    posts: AtomicU64,
    confirmed: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    delays: Mutex<Vec<u64>>,
}

impl Counts {
    /// Notes how long a POST took, if it says since when.
    fn time(&self, request: &[u8]) {
        if !request.starts_with(b"POST /timed ") {
            return;
        }
        let told = request
            .windows(SINCE.len())
            .position(|bytes| bytes == SINCE);
        if let Some(at) = told {
            let delay =
                (now().as_nanos() as u64).saturating_sub(number(&request[at + SINCE.len()..]));
            self.lock_delays().push(delay);
        }
    }

    fn lock_delays(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, counter: &AtomicU64) {
        let now = now().as_nanos() as u64;
        if self.first.load(Ordering::Relaxed) == 0 {
            let _ = self
                .first
                .compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.last.store(now, Ordering::Relaxed);
        counter.fetch_add(1, Ordering::Release);
    }

    fn all(&self) -> [&AtomicU64; 4] {
        [&self.posts, &self.confirmed, &self.first, &self.last]
    }

    /// The body of the answer to a GET.
    fn answer(&self, target: &str) -> String {
        if let Some((_, rest)) = target.split_once("hub.challenge=") {
            self.count(&self.confirmed);
            return rest.split('&').next().unwrap_or_default().to_owned();
        }
        match target {
            "/feed" => format!("as of {:?}", now()),
            "/reset" => {
                for number in self.all() {
                    number.store(0, Ordering::Relaxed);
                }
                self.lock_delays().clear();
                String::new()
            }
            "/delays" => {
                let delays = self.lock_delays();
                let delays: Vec<_> = delays.iter().map(u64::to_string).collect();
                delays.join(" ")
            }
            _ => {
                let numbers = self.all().map(|n| n.load(Ordering::Acquire).to_string());
                numbers.join(" ")
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sink's tasks end with its process"
)]
async fn serve(origins: usize) {
    let counts = Arc::new(Counts::default());
    let mut ports = Vec::new();
    for _ in 0..origins {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        ports.push(address.port().to_string());
        let counts = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Ends when the other side does.
                tokio::spawn(answer_all(stream, Arc::clone(&counts)));
            }
        });
    }
    println!("{}", ports.join(" "));
    // The parent holds the other end of stdin: when it is gone, so is the reason to be here.
    let parent_ended =
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = parent_ended.await;
}

async fn answer_all(mut stream: TcpStream, counts: Arc<Counts>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        while let Some(length) = request_length(&buffer) {
            if buffer.starts_with(b"POST") {
                counts.time(&buffer[..length]);
                buffer.drain(..length);
                counts.count(&counts.posts);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            } else {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                buffer.drain(..length);
                let body = counts.answer(request.split(' ').nth(1).unwrap_or_default());
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await?;
            }
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// The length of the first request in `buffer`, when it is there as a whole.
pub fn request_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let name = b"content-length:";
    let body = buffer[..head]
        .windows(name.len())
        .position(|bytes| bytes.eq_ignore_ascii_case(name))
        .map_or(0, |at| {
            let value = &buffer[at + name.len()..head];
            number(value) as usize
        });
    (buffer.len() >= head + body).then_some(head + body)
}

/// The number at the beginning of a text, behind blanks.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().skip_while(|byte| **byte == b' ');
    digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
