//! The inspector, live: requests as they arrive at an address, as server-sent events.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::inspector::{Bin, ask};
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, PATIENCE};

/// A stream of server-sent events.
struct Live(BufReader<TcpStream>);

impl Live {
    async fn open(hub: &Hub, path: &str, more: &str) -> Self {
        let mut stream = TcpStream::connect(hub.address).await.expect("a connection");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n{more}\r\n",
            hub.address,
            bearer(ADMIN)
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut live = Self(BufReader::new(stream));
        live.until("text/event-stream").await;
        live
    }

    /// The next line that holds a text; none at the end.
    async fn until(&mut self, text: &str) -> Option<String> {
        let lines = async {
            loop {
                let mut line = String::new();
                if self.0.read_line(&mut line).await.expect("a line") == 0 {
                    return None;
                }
                if line.contains(text) {
                    return Some(line);
                }
            }
        };
        timeout(PATIENCE, lines)
            .await
            .unwrap_or_else(|_| panic!("{text} did not come"))
    }

    /// The number of the next request, and its body.
    async fn next(&mut self) -> (u64, String) {
        let data = self.until("data:").await.expect("one more event");
        let told: Value = serde_json::from_str(data.trim_start_matches("data:")).expect("JSON");
        let body = told["body"].as_str().expect("text").to_owned();
        (told["number"].as_u64().expect("a number"), body)
    }
}

#[tokio::test]
async fn who_follows_an_address_sees_each_request_at_once_and_the_end() {
    let hub = Hub::start().await;
    let bin = Bin::make(&hub, &Value::Null).await;
    bin.send(&hub, "POST", "", b"one").await.expect(200);
    let path = format!("{}/live", bin.api);
    let mut live = Live::open(&hub, &path, "").await;
    assert_eq!(live.next().await, (1, "one".into()));
    assert_eq!(live.until("id:").await.as_deref(), Some("id:1\n"));
    bin.send(&hub, "POST", "", b"two\nlines").await.expect(200);
    assert_eq!(live.next().await, (2, "two\nlines".into()));
    let mut later = Live::open(&hub, &path, "Last-Event-ID: 1\r\n").await;
    assert_eq!(later.next().await.0, 2);
    ask(&hub, ADMIN, "DELETE", &bin.api, &Value::Null)
        .await
        .expect(204);
    for live in [&mut live, &mut later] {
        assert_eq!(live.until("event:").await.as_deref(), Some("event:end\n"));
    }
    hub.admin_get(&path).await.expect(404);
}

#[tokio::test]
async fn a_stream_stays_open_while_nothing_comes_and_ends_with_the_hub() {
    let mut hub = Hub::with(&[
        ("limits.header_timeout", "100ms"),
        ("limits.body_timeout", "100ms"),
    ])
    .await;
    let bin = Bin::make(&hub, &Value::Null).await;
    let mut live = Live::open(&hub, &format!("{}/live", bin.api), "").await;
    for _ in 0..3 {
        // A connection on which nothing is asked is closed meanwhile.
        let mut idle = TcpStream::connect(hub.address).await.expect("a connection");
        let closed = timeout(PATIENCE, idle.read(&mut [0]))
            .await
            .expect("closed");
        assert!(matches!(closed, Ok(0) | Err(_)));
    }
    bin.send(&hub, "POST", "", b"late").await.expect(200);
    assert_eq!(live.next().await, (1, "late".into()));
    let before = Instant::now();
    hub.terminate().await;
    assert!(
        before.elapsed() < Duration::from_secs(4),
        "nobody waits for it"
    );
    assert_eq!(live.until("event:").await, None);
}
