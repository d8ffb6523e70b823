//! Isolation: of 10,000 subscribers a tenth hang and a tenth refuse. How much later does the last of the rest have the
//! publication than when the rest are alone? Printed for three kinds of hanging; above [`BOUND`] the run fails.
//!
//! Hanging paths on the healthy origins cost something even if nobody has to wait for them: requests that cannot be told from the
//! others, and a new connection after each, on a machine that the hub shares with its receivers. So the same is measured with
//! paths that answer and then close the connection, and this kind is judged against that.
//!
//! Both are measured in the same run, one right after the other, and the median of the ratios counts: other work on the
//! machine slows both down.
//! Each round with trouble has origins of its own, so that no circuit knows them yet.
//!
//! `cargo bench --bench isolation`
#![allow(
    clippy::disallowed_methods,
    reason = "the bans are for the hub's own code"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use common::sections::median;
use common::sink::request_length;

/// What is allowed.
const BOUND: f64 = 1.3;
const ROUNDS: usize = 7;
const HEALTHY: usize = 8_000;
const HEALTHY_ORIGINS: usize = 16;
/// The set of healthy origins that never know trouble.
const APART: usize = 2 * ROUNDS;
const HANGING: usize = 1_000;
const REFUSING: usize = 1_000;
const TOKEN: &str = "publisher-token-of-the-bench";
/// Ports below those that outgoing connections take.
const FIRST_PORT: u16 = 12_000;

/// Where the hanging subscribers are.
#[derive(Clone, Copy)]
enum Trouble {
    OneOrigin,
    ManyOrigins,
    AmongTheHealthy,
    /// Nowhere: they close the connection.
    Nowhere,
}

const TROUBLES: [(Trouble, &str); 4] = [
    (Trouble::OneOrigin, "one hanging origin"),
    (Trouble::ManyOrigins, "1,000 hanging origins"),
    (Trouble::AmongTheHealthy, "hanging paths on healthy origins"),
    (
        Trouble::Nowhere,
        "for comparison, closing paths on healthy origins",
    ),
];

#[tokio::main]
async fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("more open files");
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Arc::new(Sink::default());
    let mut doors = JoinSet::new();
    for set in 0..=APART {
        for origin in 0..HEALTHY_ORIGINS {
            sink.listen(&mut doors, healthy_origin(set, origin)).await;
        }
    }
    import(folder.path());
    let hub = Hub::start(folder.path());
    let mut number = 0;
    let mut measure = async |topic: &str| {
        number += 1;
        sink.count.store(0, Ordering::SeqCst);
        let began = Instant::now();
        hub.publish(topic, number);
        sink.complete.notified().await;
        began.elapsed()
    };

    measure("alone").await;
    let mut troubled = [const { Vec::new() }; TROUBLES.len()];
    for round in 0..ROUNDS {
        for (kind, (trouble, _)) in TROUBLES.into_iter().enumerate() {
            let alone = measure("alone").await;
            hub.wait_until_idle();
            let mut hanging = JoinSet::new();
            for origin in hanging_origins(trouble, round) {
                sink.listen(&mut hanging, origin).await;
            }
            let slowed = measure(&topic(kind, round)).await;
            println!(
                "{} ms alone, {} ms so",
                alone.as_millis(),
                slowed.as_millis()
            );
            troubled[kind].push(slowed.as_secs_f64() / alone.as_secs_f64());
            hub.wait_until_idle();
        }
    }

    let mut medians = [0.0; TROUBLES.len()];
    for ((_, name), (ratios, ratio)) in TROUBLES
        .into_iter()
        .zip(troubled.iter_mut().zip(&mut medians))
    {
        *ratio = median(ratios);
        println!("{name}: {ratio:.2} times as long, of {ratios:.2?}");
    }
    let [one_origin, many_origins, among, nowhere] = medians;
    let because = among / nowhere;
    println!("hanging paths on healthy origins, against paths that close: {because:.2}");
    let worst = one_origin.max(many_origins).max(because);
    if worst > BOUND {
        println!("isolation is broken: {worst:.2} is more than {BOUND}");
        drop(hub);
        std::process::exit(1);
    }
}

fn topic(kind: usize, round: usize) -> String {
    format!("trouble-{kind}-{round}")
}

fn topic_url(topic: &str) -> String {
    format!("http://publisher.example/{topic}")
}

/// There is a set for each round that has trouble among the healthy, since the circuits of those open; and [`APART`].
fn healthy_origin(set: usize, origin: usize) -> SocketAddrV4 {
    let port = FIRST_PORT + 200 + (set * HEALTHY_ORIGINS + origin % HEALTHY_ORIGINS) as u16;
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// The set of healthy origins for a round of trouble.
fn set_of(trouble: Trouble, round: usize) -> usize {
    match trouble {
        Trouble::AmongTheHealthy => round,
        Trouble::Nowhere => ROUNDS + round,
        Trouble::OneOrigin | Trouble::ManyOrigins => APART,
    }
}

/// A port of its own for what goes wrong in a round.
fn port(kind: usize, round: usize) -> u16 {
    FIRST_PORT + 100 + (kind * ROUNDS + round) as u16
}

/// The addresses that answer to nobody and are not healthy origins.
fn hanging_origins(trouble: Trouble, round: usize) -> Vec<SocketAddrV4> {
    match trouble {
        Trouble::OneOrigin => vec![hanging_callback(trouble, round, 0)],
        Trouble::ManyOrigins => (0..HANGING)
            .map(|number| hanging_callback(trouble, round, number))
            .collect(),
        Trouble::AmongTheHealthy | Trouble::Nowhere => Vec::new(),
    }
}

fn hanging_callback(trouble: Trouble, round: usize, number: usize) -> SocketAddrV4 {
    match trouble {
        Trouble::OneOrigin => SocketAddrV4::new(Ipv4Addr::LOCALHOST, port(0, round)),
        Trouble::ManyOrigins => SocketAddrV4::new(loopback(1, number), port(1, round)),
        Trouble::AmongTheHealthy | Trouble::Nowhere => {
            healthy_origin(set_of(trouble, round), number)
        }
    }
}

/// One of many addresses of this machine: 127.0.x.y.
fn loopback(block: u8, number: usize) -> Ipv4Addr {
    Ipv4Addr::new(
        127,
        0,
        block + (number / 250) as u8,
        1 + (number % 250) as u8,
    )
}

/// Writes all subscriptions into the data folder, as `fanfare import` does.
fn import(folder: &Path) {
    let mut lines = String::new();
    let mut subscribe = |topic: &str, origin: SocketAddrV4, path: &str| {
        let topic = topic_url(topic);
        lines += &format!(
            "{{\"topic\":\"{topic}\",\"callback\":\"http://{origin}{path}\",\"secret\":\"a secret of the bench\"}}\n"
        );
    };
    let healthy = |topic: &str, set, subscribe: &mut dyn FnMut(&str, SocketAddrV4, &str)| {
        for number in 0..HEALTHY {
            let origin = healthy_origin(set, number);
            subscribe(topic, origin, &format!("/healthy/{number}"));
        }
    };
    healthy("alone", APART, &mut subscribe);
    for (kind, (trouble, _)) in TROUBLES.into_iter().enumerate() {
        for round in 0..ROUNDS {
            let topic = topic(kind, round);
            healthy(&topic, set_of(trouble, round), &mut subscribe);
            for number in 0..HANGING {
                let origin = hanging_callback(trouble, round, number);
                let path = match trouble {
                    Trouble::Nowhere => "closing",
                    _ => "hanging",
                };
                subscribe(&topic, origin, &format!("/{path}/{kind}/{round}/{number}"));
            }
            for number in 0..REFUSING {
                // Nobody listens there. Ten of them share an origin.
                let origin = SocketAddrV4::new(loopback(8, number / 10), port(kind, round));
                subscribe(&topic, origin, &format!("/refusing/{number}"));
            }
        }
    }
    let input = folder.join("subscriptions.jsonl");
    std::fs::write(&input, lines).expect("the file of subscriptions");
    let status = fanfare(folder).arg("import").arg(&input).status();
    assert!(status.expect("the hub's binary runs").success());
}

/// The release binary, with a data folder and without the settings of whoever runs this.
fn fanfare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("FANFARE_LISTEN", hub_address().to_string())
        .env("FANFARE_AUTH__ADMIN_TOKEN", "admin-token-of-the-bench")
        .env("FANFARE_AUTH__PUBLISHER_TOKENS", TOKEN)
        // Shorter than usual, so that the rounds are soon over, and so long that nothing comes again.
        .env("FANFARE_DELIVERY__TIMEOUT", "5s")
        .env("FANFARE_DELIVERY__RETRY", "1h")
        .env("FANFARE_LIMITS__SUBSCRIPTIONS_PER_CALLBACK_HOST", "0")
        .env("FANFARE_LOG__LEVEL", "error");
    command
}

fn hub_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + 99))
}

/// The hub's process; ends when dropped.
struct Hub(Child);

impl Hub {
    fn start(folder: &Path) -> Self {
        let child = fanfare(folder).arg("serve").stdout(Stdio::null()).spawn();
        let hub = Self(child.expect("the hub's binary runs"));
        let deadline = Instant::now() + Duration::from_secs(60);
        while hub
            .ask("GET", "/readyz", "", "")
            .is_none_or(|answer| !answer.starts_with("HTTP/1.1 200"))
        {
            assert!(Instant::now() < deadline, "the hub is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        hub
    }

    fn publish(&self, topic: &str, number: usize) {
        let content = format!("{number:0>1024}");
        let link = format!(
            "Link: <{}>; rel=\"self\"\r\nContent-Type: text/plain\r\n",
            topic_url(topic)
        );
        let answer = self
            .ask("POST", "/publish", &link, &content)
            .expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }

    /// Waits until no delivery is in flight.
    fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let idle = "\nfanfare_deliveries_in_flight 0\n";
        while !self
            .ask("GET", "/metrics", "", "")
            .expect("an answer")
            .contains(idle)
        {
            assert!(Instant::now() < deadline, "deliveries stay in flight");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The response as text; none if there is none.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(hub_address()).ok()?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            hub_address(),
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All receivers: who is asked at `/hanging/` never answers, at `/closing/` once, the others do and are counted.
#[derive(Default)]
struct Sink {
    count: AtomicUsize,
    /// The last healthy one has it.
    complete: Notify,
}

impl Sink {
    async fn listen(self: &Arc<Self>, doors: &mut JoinSet<()>, address: SocketAddrV4) {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let sink = self.clone();
        doors.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(sink.clone().answer_all(stream));
                while connections.try_join_next().is_some() {}
            }
        });
    }

    async fn answer_all(self: Arc<Self>, mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
        let mut buffer = Vec::with_capacity(4 * 1024);
        loop {
            while let Some(length) = request_length(&buffer) {
                let hangs = buffer.starts_with(b"POST /hanging/");
                let closes = buffer.starts_with(b"POST /closing/");
                buffer.drain(..length);
                if hangs {
                    continue;
                }
                if closes {
                    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                    return stream.write_all(answer).await;
                }
                if self.count.fetch_add(1, Ordering::SeqCst) + 1 == HEALTHY {
                    self.complete.notify_one();
                }
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }
}
