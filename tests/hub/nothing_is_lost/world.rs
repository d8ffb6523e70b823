//! The world around the hub in the crash test: readers of several tempers, topics' own servers, and visitors who repeat a
//! request until it is answered. What happens is written into the ledger.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};

use super::ledger::{Ledger, Promise};
use crate::support::client::FORM;
use crate::support::{Request, Response, form};
use crate::support_crash::{Answer, confirmed, visit};

/// How content of a topic comes to the hub.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Hosted,
    Pushed,
    Pinged,
}

/// A topic.
pub struct Topic {
    pub way: Way,
    pub url: String,
    /// The number of the content that its own server has.
    pub content: AtomicU64,
}

/// How the readers of an origin behave.
#[derive(Clone, Copy, PartialEq)]
pub enum Temper {
    /// They answer at once.
    Steady,
    /// Some take their time.
    Slow,
    /// In some lives of the hub, some answer 500.
    Failing,
    /// In some lives of the hub, nobody is there.
    Closing,
}

/// What all parts of the test share.
pub struct World {
    pub hub: SocketAddr,
    pub topics: Vec<Topic>,
    /// In this life, so many of a hundred readers fail where readers fail.
    pub failing: AtomicU64,
    ledger: Mutex<Ledger>,
    fetches: AtomicU64,
}

impl World {
    /// Nothing has happened yet.
    pub fn new(hub: SocketAddr, topics: Vec<Topic>, ledger: Ledger) -> Self {
        Self {
            hub,
            topics,
            failing: AtomicU64::new(0),
            ledger: Mutex::new(ledger),
            fetches: AtomicU64::new(0),
        }
    }

    /// The books.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader is asked to confirm something, or gets a delivery.
    pub fn receive(&self, temper: Temper, request: &Request) -> Answer {
        let reader = number_in(request.path(), "/r");
        if request.method == "GET" {
            return confirmed(request);
        }
        let (topic, number) = numbers_of(&request.body);
        let delivery = request.header("x-fanfare-delivery").unwrap_or_default();
        let mut ledger = self.ledger();
        if topic != ledger.readers[reader].topic || request.body != content(topic, number) {
            let fault = format!("reader {reader} got something else as {number} of {topic}");
            ledger.faults.push(fault);
        }
        if temper == Temper::Failing {
            let fate = (reader * 7 + ledger.life * 31) as u64 % 100;
            if fate < self.failing.load(Ordering::Relaxed) {
                ledger.readers[reader].refused += 1;
                return Answer::Now(500, String::new());
            }
        }
        ledger.arrived(reader, number, delivery.to_owned());
        match temper {
            Temper::Slow if reader % 16 == 6 => Answer::After(Duration::from_millis(120), 200),
            _ => Answer::Now(200, String::new()),
        }
    }

    /// A topic's own server is asked for its content. Every fourth time it fails.
    pub fn serve(&self, request: &Request) -> Answer {
        if self.fetches.fetch_add(1, Ordering::Relaxed) % 4 == 3 {
            return Answer::Now(500, String::new());
        }
        let topic = number_in(request.path(), "/t");
        let number = self.topics[topic].content.load(Ordering::SeqCst);
        Answer::Now(200, content(topic, number))
    }

    /// Subscribes readers, as many as there are turns, until none is left. Every other asks for an answer after its
    /// verification.
    pub async fn subscribe(self: Arc<Self>, left: Arc<Mutex<Vec<usize>>>, turns: Arc<Semaphore>) {
        loop {
            turns.acquire().await.expect("never closed").forget();
            let reader = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(reader) = reader else {
                return;
            };
            let sync = reader % 2 == 0;
            let answer = self.ask_for("subscribe", reader, sync).await;
            match answer.status {
                // Where nobody is there, nobody confirms.
                409 if sync => {
                    left.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(0, reader);
                    turns.add_permits(1);
                }
                204 if sync => {
                    let mut ledger = self.ledger();
                    ledger.readers[reader].accepted = true;
                    ledger.readers[reader]
                        .active
                        .get_or_insert_with(Instant::now);
                }
                202 if !sync => self.ledger().readers[reader].accepted = true,
                _ => self
                    .ledger()
                    .faults
                    .push(format!("subscribing: {answer:?}")),
            }
        }
    }

    /// Ends a subscription.
    pub async fn leave(self: Arc<Self>, reader: usize) {
        self.ledger().readers[reader].leaving = true;
        let answer = self.ask_for("unsubscribe", reader, false).await;
        if answer.status != 202 {
            self.ledger()
                .faults
                .push(format!("unsubscribing: {answer:?}"));
        }
    }

    /// Publishes the next content of a topic whenever it is told to, after the pause that it is told.
    pub async fn publish(
        self: Arc<Self>,
        topic: usize,
        mut orders: mpsc::UnboundedReceiver<Duration>,
    ) {
        let mut number = 0;
        while let Some(pause) = orders.recv().await {
            tokio::time::sleep(pause).await;
            number += 1;
            let asked = Instant::now();
            self.ledger().asking(topic);
            self.topics[topic].content.store(number, Ordering::SeqCst);
            let answer = self.announce(topic, number).await;
            let receipt = answer.header("location").unwrap_or_default().to_owned();
            let mut ledger = self.ledger();
            if !matches!(answer.status, 200 | 201 | 202 | 204) || receipt.is_empty() {
                ledger.faults.push(format!("publishing: {answer:?}"));
            }
            ledger.promises[topic].push(Promise {
                number,
                asked,
                or_newer: self.topics[topic].way == Way::Pinged,
                receipt,
            });
        }
    }

    async fn ask_for(&self, mode: &str, reader: usize, sync: bool) -> Response {
        let body = {
            let ledger = self.ledger();
            let reader = &ledger.readers[reader];
            form(&[
                ("hub.mode", mode),
                ("hub.topic", &self.topics[reader.topic].url),
                ("hub.callback", &reader.callback),
                ("hub.verify", if sync { "sync" } else { "async" }),
            ])
        };
        self.answered("POST", "/", &[("Content-Type", FORM)], &body)
            .await
    }

    async fn announce(&self, topic: usize, number: u64) -> Response {
        let Topic { way, url, .. } = &self.topics[topic];
        let text = ("Content-Type", "text/plain");
        let body = content(topic, number);
        match way {
            Way::Hosted => {
                self.answered("PUT", &format!("/topics/t{topic}"), &[text], &body)
                    .await
            }
            Way::Pushed => {
                let link = format!("<{url}>; rel=\"self\"");
                self.answered("POST", "/publish", &[text, ("Link", &link)], &body)
                    .await
            }
            Way::Pinged => {
                let body = form(&[("hub.mode", "publish"), ("hub.url", url)]);
                self.answered("POST", "/", &[("Content-Type", FORM)], &body)
                    .await
            }
        }
    }

    /// Asks again and again until a hub has answered: what a dead one has taken is not known.
    async fn answered(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        loop {
            if let Some(answer) = visit(self.hub, method, target, headers, body.as_bytes()).await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The content of a topic; every fifth is larger than what one row of the store holds.
fn content(topic: usize, number: u64) -> String {
    let size = if number.is_multiple_of(5) && topic != 0 {
        100_000
    } else {
        400
    };
    let mut text = format!("topic {topic} number {number}\n");
    let padding = format!("{number:08} ");
    while text.len() < size {
        text += &padding;
    }
    text
}

fn numbers_of(body: &[u8]) -> (usize, u64) {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let words: Vec<_> = text.lines().next().unwrap_or_default().split(' ').collect();
    match words[..] {
        ["topic", topic, "number", number] => (
            topic.parse().unwrap_or(usize::MAX),
            number.parse().unwrap_or(0),
        ),
        _ => (usize::MAX, 0),
    }
}

fn number_in(path: &str, prefix: &str) -> usize {
    let number = path
        .strip_prefix(prefix)
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("a path that nobody has: {path}"))
}
