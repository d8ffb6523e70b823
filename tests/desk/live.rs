//! The stream of snapshots and the history, from outside: who may look, what they say, and that they end.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{Busy, admin};
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PATIENCE, PUBLISHER, eventually};

/// A stream that is read.
struct Stream(BufReader<TcpStream>);

impl Stream {
    /// Opens it, with a token; none if the hub refuses.
    async fn open(hub: &Hub, token: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(hub.address).await.expect("it listens");
        let request = format!(
            "GET /api/v1/live HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
            bearer(token)
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut stream = Self(BufReader::new(stream));
        let status = stream.line().await?;
        status.contains(" 200 ").then_some(stream)
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line))
            .await
            .expect("in time");
        (read.ok()? > 0).then_some(line)
    }

    /// The next snapshot; none at the end.
    async fn snapshot(&mut self) -> Option<Value> {
        loop {
            if let Some(data) = self.line().await?.strip_prefix("data:") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }
}

#[tokio::test]
async fn a_snapshot_comes_each_second_and_tells_what_was_done() {
    let scene = Busy::start().await;
    let mut stream = Stream::open(&scene.hub, ADMIN).await.expect("a stream");
    let first = stream.snapshot().await.expect("a snapshot");
    assert_eq!(first["backlog"]["targets"], 2, "{first}");
    assert_eq!(first["backlog"]["entries"], 6, "{first}");
    assert!(first["backlog"]["oldest"].is_string(), "{first}");
    assert_eq!(first["publications"][0]["delivered"], 45, "{first}");
    let mut late = first;
    // One failure is not yet a reason; the sweep counts who has failed.
    while late["origins"].as_array().expect("origins").len() < 2 {
        late = stream.snapshot().await.expect("a snapshot");
    }
    let origins = late["origins"].as_array().expect("origins");
    let of = |part: &str| {
        origins
            .iter()
            .find(|it| it["origin"].as_str().is_some_and(|it| it.contains(part)))
    };
    let refusing = of("127.0.0.2").expect("the one that refuses");
    assert_eq!(
        (&refusing["reason"], &refusing["status"]),
        (&"failing".into(), &503.into()),
        "{late}"
    );
    let gone = of("127.0.0.3").expect("the one that is gone");
    assert_eq!(
        (&gone["reason"], &gone["failure"]),
        (&"failing".into(), &"connect".into()),
        "{late}"
    );
    assert!(
        of("127.0.0.1").is_none(),
        "those who answer are in no trouble: {late}"
    );

    scene
        .hub
        .put_topic("news", "text/plain", b"More")
        .await
        .expect(200);
    let mut delivered = 0;
    while delivered < 45 {
        let next = stream.snapshot().await.expect("a snapshot");
        delivered += next["done"]["delivered"].as_u64().expect("a number");
        let seconds = next["seconds"].as_f64().expect("a number");
        assert!(seconds > 0.5, "{next}");
    }
    assert_eq!(delivered, 45);
}

#[tokio::test]
async fn the_page_and_the_metrics_name_the_same_origins_for_the_same_reasons() {
    let scene = Busy::start().await;
    let mut stream = Stream::open(&scene.hub, ADMIN).await.expect("a stream");
    let mut last = Value::Null;
    // The sweep between the two counts anew.
    eventually("one reading of who is late", async || {
        last = stream.snapshot().await.expect("a snapshot");
        let metrics = scene.hub.get("/metrics").await.expect(200).text();
        let named = |line: &&str| line.starts_with("fanfare_origin_backlog_entries{");
        let told: Vec<_> = metrics.lines().filter(named).map(str::to_owned).collect();
        let origins = last["origins"].as_array().expect("origins").iter();
        let shown = origins.map(|it| {
            let text = |member: &str| it[member].as_str().expect("text").to_owned();
            let (origin, reason) = (text("origin"), text("reason"));
            let labels = format!("origin=\"{origin}\",reason=\"{reason}\"");
            format!(
                "fanfare_origin_backlog_entries{{{labels}}} {}",
                it["backlog"]
            )
        });
        let shown: Vec<_> = shown.collect();
        (shown.len() == 2 && shown == told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_the_administrator_looks_and_so_many_at_a_time() {
    let hub = Hub::start().await;
    assert!(Stream::open(&hub, PUBLISHER).await.is_none());
    let mut streams = Vec::new();
    while let Some(stream) = Stream::open(&hub, ADMIN).await {
        streams.push(stream);
        assert!(streams.len() <= 64, "there is no end");
    }
    assert_eq!(streams.len(), 64);
    // Who leaves makes room.
    streams.clear();
    eventually("room for another", async || Stream::open(&hub, ADMIN).await).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_hub_stops() {
    let mut hub = Hub::start().await;
    let mut stream = Stream::open(&hub, ADMIN).await.expect("a stream");
    stream.snapshot().await.expect("a snapshot");
    let began = std::time::Instant::now();
    assert!(hub.terminate().await.success());
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.0.read_to_end(&mut rest))
        .await
        .expect("it ends")
        .expect("in order");
}

#[tokio::test]
async fn a_stream_outlives_the_patience_for_connections() {
    let hub = Hub::with(&[
        ("limits.header_timeout", "1s"),
        ("limits.body_timeout", "1s"),
    ])
    .await;
    let mut stream = Stream::open(&hub, ADMIN).await.expect("a stream");
    for _ in 0..6 {
        stream.snapshot().await.expect("a snapshot");
    }
}

#[tokio::test]
async fn the_history_is_asked_for_by_minutes() {
    let hub = Hub::start().await;
    let history = admin(&hub, "GET", "/api/v1/history", &Value::Null)
        .await
        .expect(200);
    assert_eq!(history.json()["minutes"], serde_json::json!([]));
    for minutes in ["0", "1441", "many", "-1"] {
        let path = format!("/api/v1/history?minutes={minutes}");
        admin(&hub, "GET", &path, &Value::Null).await.expect(400);
    }
    hub.get("/api/v1/history").await.expect(401);
}
