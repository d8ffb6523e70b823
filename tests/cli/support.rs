//! Runs the binary, and is the server that it talks to. In: arguments, and answers as the test wrote them. Out: what was
//! printed, and the requests that came.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until it succeeds.
#[track_caller]
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a verb to its end.
pub fn fanfare(args: &[&str]) -> Done {
    fanfare_with(args, &[], b"")
}

/// Runs a verb with environment variables and standard input.
pub fn fanfare_with(args: &[&str], env: &[(&str, &str)], input: &[u8]) -> Done {
    let mut running = Running::start_with(args, env);
    running.input(input);
    running.end()
}

/// A run of the binary that has not ended. It ends when it is dropped.
pub struct Running {
    child: Child,
    out: Lines,
    err: Lines,
    _folder: TempDir,
}

impl Running {
    pub fn start(args: &[&str]) -> Running {
        Running::start_with(args, &[])
    }

    pub fn start_with(args: &[&str], env: &[(&str, &str)]) -> Running {
        // A folder without a config.toml.
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fanfare"))
            .args(args)
            .current_dir(&folder)
            .env_remove("FANFARE_URL")
            .env_remove("FANFARE_TOKEN")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Running {
            out: Lines::of(child.stdout.take().expect("standard output")),
            err: Lines::of(child.stderr.take().expect("standard error")),
            child,
            _folder: folder,
        }
    }

    /// Gives it its standard input, all of it.
    pub fn input(&mut self, input: &[u8]) {
        let mut stdin = self.child.stdin.take().expect("standard input");
        stdin.write_all(input).expect("input taken");
    }

    /// Waits for a line of standard output that holds a text.
    #[track_caller]
    pub fn out(&mut self, text: &str) -> String {
        self.out.until(text)
    }

    /// Waits for a line of standard error that holds a text.
    #[track_caller]
    pub fn err(&mut self, text: &str) -> String {
        self.err.until(text)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end; what is left of the output comes back.
    #[track_caller]
    pub fn end(mut self) -> Done {
        let status = eventually("the end of fanfare", || {
            self.child.try_wait().expect("a child")
        });
        Done {
            code: status.code(),
            out: self.out.rest(),
            err: self.err.rest(),
        }
    }

    /// Waits for its end; all of the output comes back, what was waited for included.
    #[track_caller]
    pub fn end_with_all(mut self) -> Done {
        let [out, err] =
            [&mut self.out, &mut self.err].map(|lines| std::mem::take(&mut lines.seen));
        let rest = self.end();
        Done {
            code: rest.code,
            out: out + &rest.out,
            err: err + &rest.err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream, read aside so that the process never waits for us.
struct Lines {
    lines: mpsc::Receiver<String>,
    /// Those that have been waited for, and those before them.
    seen: String,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Lines {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
                // Nobody listens any longer when the test is over.
                let _ = sender.send(std::mem::take(&mut line));
            }
        });
        Lines {
            lines,
            seen: String::new(),
        }
    }

    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let begin = self.seen.len();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push_str(&line),
                Err(error) => panic!(
                    "{text:?} did not come ({error}), but:\n{}",
                    &self.seen[begin..]
                ),
            }
            let last = self.seen.split_inclusive('\n').next_back();
            if let Some(line) = last.filter(|line| line.contains(text)) {
                return line.to_owned();
            }
        }
    }

    fn rest(&mut self) -> String {
        self.lines.iter().collect()
    }
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /path?query`.
    pub line: String,
    /// The head in lower case.
    pub head: String,
    pub body: String,
}

impl Request {
    /// A field of the form.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn read(stream: &TcpStream) -> Option<Request> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader
                .read_line(&mut head)
                .ok()
                .filter(|length| *length > 0)?;
        }
        let line = head
            .lines()
            .next()?
            .trim_end_matches(" HTTP/1.1")
            .to_owned();
        let head = head.to_lowercase();
        let length = head.split_once("content-length: ");
        let length = length.map_or(Ok(0), |(_, rest)| {
            rest.lines().next().unwrap_or_default().parse()
        });
        let mut body = vec![0; length.expect("a length")];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).expect("text");
        Some(Request { line, head, body })
    }
}

/// A server on loopback, until the test process ends.
pub struct Server {
    /// Its root, which ends in a slash.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request with what `answer` makes of it: status line and headers, a blank line, the body.
    pub fn start(answer: impl Fn(&Request) -> String + Send + 'static) -> Server {
        Server::start_knowing_itself(move |_, request| answer(request))
    }

    /// The same; `answer` is told the server's own URL.
    pub fn start_knowing_itself(
        answer: impl Fn(&str, &Request) -> String + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (own, seen) = (url.clone(), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(request) = Request::read(&stream) else {
                    continue;
                };
                let answer = answer(&own, &request);
                seen.lock().expect("requests").push(request);
                let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
                let head = head.replace('\n', "\r\n");
                let length = body.len();
                // The client may have gone.
                let _ = write!(
                    stream,
                    "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
                );
            }
        });
        Server { url, requests }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }

    /// Waits for a request with this `hub.mode`, the first or a later one.
    #[track_caller]
    pub fn asked(&self, mode: &str, position: usize) -> Request {
        eventually(mode, || {
            let requests = self.requests().into_iter();
            let mut asked =
                requests.filter(|request| request.field("hub.mode").as_deref() == Some(mode));
            asked.nth(position)
        })
    }
}

/// Sends one request; the status and the body of the answer come back.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("an http URL");
    let mut stream = TcpStream::connect(host).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("a request sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.expect("a status"), body.to_owned())
}
