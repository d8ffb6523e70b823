//! A receiver that costs as little as possible: takes any number of POSTs, answers 204, counts. It runs in a process of
//! its own (the benchmark starts itself again with `sink` as its argument), so that its work is nobody else's.
//!
//! `GET /` answers the number of POSTs so far.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ARGUMENT: &str = "sink";
const THREADS: usize = 2;

/// The sink's process; ends when dropped.
pub struct Sink {
    process: Child,
    /// The ports that it listens on, all of 127.0.0.1.
    pub ports: Vec<u16>,
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
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[0]))
            .expect("the sink listens");
        stream
            .write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
            .expect("the sink reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the sink answers");
        let (_, count) = answer.split_once("\r\n\r\n").expect("a head");
        count.parse().expect("a number")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Nothing can be done about a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn serve(origins: usize) {
    let count = Arc::new(AtomicU64::new(0));
    let mut ports = Vec::new();
    for _ in 0..origins {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        ports.push(
            listener
                .local_addr()
                .expect("its address")
                .port()
                .to_string(),
        );
        let count = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Ends when the other side does.
                tokio::spawn(answer_all(stream, Arc::clone(&count)));
            }
        });
    }
    println!("{}", ports.join(" "));
    // The parent holds the other end of stdin: when it is gone, so is the reason to be here.
    let parent_ended =
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = parent_ended.await;
}

async fn answer_all(mut stream: TcpStream, count: Arc<AtomicU64>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        while let Some(length) = request_length(&buffer) {
            let is_post = buffer.starts_with(b"POST");
            buffer.drain(..length);
            if is_post {
                count.fetch_add(1, Ordering::Relaxed);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            } else {
                let count = count.load(Ordering::Relaxed);
                let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{count}");
                return stream.write_all(answer.as_bytes()).await;
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
            let digits = value.iter().skip_while(|byte| **byte == b' ');
            digits
                .take_while(|byte| byte.is_ascii_digit())
                .fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
        });
    (buffer.len() >= head + body).then_some(head + body)
}
