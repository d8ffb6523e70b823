//! The sender against receivers of every kind, all on loopback, most of them a few lines over a raw socket.

mod answers;
mod pooling;
mod reuse;
mod tls;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::guard::Guard;
use super::super::resolve::Resolver;
use super::*;

/// Longer than any test takes that does not wait for a deadline on purpose.
const PLENTY: Duration = Duration::from_secs(30);
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// A receiver, and what it has seen.
struct Receiver {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Starts one that hands each connection, numbered from 1, to `serve`.
    async fn start<S: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(Visit) -> S + Send + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let receiver = Receiver {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (receiver.connections.clone(), receiver.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let requests = requests.clone();
                tokio::spawn(serve(Visit {
                    stream,
                    number,
                    requests,
                }));
            }
        });
        receiver
    }

    /// Starts one that gives the same answer to every request, and leaves closing to the other side.
    async fn answering(answer: impl Into<Vec<u8>>) -> Receiver {
        let answer: Arc<[u8]> = answer.into().into();
        Receiver::start(move |mut visit| {
            let answer = answer.clone();
            async move {
                while visit.request().await.is_some() {
                    // The sender may have closed it on purpose.
                    let _ = visit.stream.write_all(&answer).await;
                }
            }
        })
        .await
    }

    /// Starts one that answers one request on each connection and then closes it.
    async fn answering_once(answer: impl Into<Vec<u8>>) -> Receiver {
        let answer: Arc<[u8]> = answer.into().into();
        Receiver::start(move |mut visit| {
            let answer = answer.clone();
            async move {
                visit.request().await;
                let _ = visit.stream.write_all(&answer).await;
            }
        })
        .await
    }

    fn callback(&self) -> CallbackUrl {
        callback(&format!("http://127.0.0.1:{}/", self.port))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// One connection to a receiver.
struct Visit {
    stream: TcpStream,
    number: usize,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Visit {
    /// The next request as a whole; `None` when the sender has closed the connection.
    async fn request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            if let Some((head, body)) = String::from_utf8_lossy(&bytes).split_once("\r\n\r\n") {
                let length = head.split("\r\ncontent-length: ").nth(1).unwrap();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                if body.len() >= length {
                    let request = format!("{head}\r\n\r\n{body}");
                    self.requests.lock().unwrap().push(request.clone());
                    return Some(request);
                }
            }
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    async fn answer(&mut self, answer: &[u8]) {
        self.stream.write_all(answer).await.unwrap();
    }
}

fn callback(url: &str) -> CallbackUrl {
    CallbackUrl::parse(url).unwrap()
}

fn sender_trusting(tls: Tls, limits: SenderLimits) -> Sender {
    let guard = Guard::callbacks(vec!["127.0.0.0/8".parse().unwrap()]);
    let resolver = Arc::new(Resolver::with_lookup(Arc::new(guard), |host| match host {
        "localhost" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
        _ => Err(std::io::Error::other("no such host")),
    }));
    Sender::new(Dialer::new(resolver, PLENTY), tls, limits)
}

fn sender() -> Sender {
    sender_trusting(Tls::new(None).unwrap(), SenderLimits::default())
}

impl Sender {
    async fn post_text(&self, callback: &CallbackUrl, body: &'static str) -> Outcome {
        let body = Bytes::from_static(body.as_bytes());
        self.post(callback, HeaderMap::new(), body, PLENTY).await
    }

    async fn post(
        &self,
        callback: &CallbackUrl,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Outcome {
        let exchange = self.send(&Method::POST, callback, headers, body, within);
        exchange.await.outcome
    }
}

fn answered(status: u16, excerpt: &str) -> Outcome {
    Outcome::Answered {
        status,
        retry_after: None,
        excerpt: excerpt.to_owned(),
    }
}

#[track_caller]
fn assert_unanswered(outcome: Outcome, expected: Failure, words: &str) {
    match outcome {
        Outcome::Unanswered { failure, detail } if failure == expected => {
            assert!(detail.contains(words), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}
