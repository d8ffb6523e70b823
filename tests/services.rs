//! The messages of services at a socket: what `dialect::service` writes, sent by the sender of deliveries, arrives as the
//! service's own documentation says. Requests written by hand; IRC has tests of its own (`tests/irc`).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use fanfare::dialect::service::{Outgoing, find, summary};
use fanfare::domain::attempt::Verdict;
use fanfare::domain::event::{Event, EventName};
use fanfare::domain::json::Json;
use fanfare::domain::source::SourceName;
use fanfare::domain::value::Timestamp;
use fanfare::net::dial::Dialer;
use fanfare::net::guard::Guard;
use fanfare::net::resolve::Resolver;
use fanfare::net::sender::{Sender, SenderLimits};
use fanfare::net::tls::Tls;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(20);

/// A request: its first line, its headers, its body.
struct Arrived {
    request_line: String,
    head: String,
    body: String,
}

/// Delivers a ping to a service; `BASE` in the config stands for a receiver on loopback. Gives back what arrived there.
async fn arrived(service: &str, config: &[(&str, &str)]) -> Arrived {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let filled = |(name, value): &(&str, &str)| ((*name).to_owned(), value.replace("BASE", &base));
    let config = config.iter().map(filled).collect();
    let service = find(service).expect("a service");
    service.check(&config).expect("a right config");
    let event = Event {
        name: EventName::parse("ping").expect("a name"),
        created_at: Timestamp(0),
        payload: Json::of(&json!({ "zen": "Less & <more>" })),
    };
    let said = summary(&SourceName::parse("a/b").expect("a source"), &event);
    let message = service.message(&said, &config, uuid::Uuid::from_u128(7));
    let Ok(Outgoing::Http {
        method,
        url,
        headers,
        body,
    }) = message
    else {
        panic!("no request: {message:?}");
    };
    let receiving = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !is_whole(&request) {
            request.push(stream.read_u8().await.expect("a byte"));
        }
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.write_all(answer).await.expect("answered");
        String::from_utf8(request).expect("UTF-8")
    };
    let sender = sender();
    let sending = sender.send(&method, &url, headers, body, WITHIN);
    let (request, exchange) = tokio::join!(receiving, sending);
    assert_eq!(
        exchange.outcome.verdict(),
        Verdict::Delivered,
        "{exchange:?}"
    );
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let (request_line, head) = head.split_once("\r\n").expect("a request line");
    Arrived {
        request_line: request_line.to_owned(),
        head: format!("\r\n{head}\r\n"),
        body: body.to_owned(),
    }
}

/// Whether the head and as much as its Content-Length says are there.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("a length").parse().expect("a number");
    request.len() >= head.len() + 4 + length
}

fn sender() -> Sender {
    let guard = Guard::callbacks(vec!["127.0.0.0/8".parse().expect("a network")]);
    let resolver = Arc::new(Resolver::new(Arc::new(guard)));
    let tls = Tls::new(None).expect("authorities");
    Sender::new(Dialer::new(resolver, WITHIN), tls, SenderLimits::default())
}

impl Arrived {
    fn json(&self) -> Value {
        assert!(
            self.head.contains("\r\ncontent-type: application/json\r\n"),
            "{}",
            self.head
        );
        serde_json::from_str(&self.body).expect("JSON")
    }
}

#[tokio::test]
async fn slack_discord_and_mattermost_are_posted_to_their_webhooks() {
    for (service, expected) in [
        (
            "slack",
            json!({ "text": "The hook of a/b works.\nLess &amp; &lt;more&gt;", "mrkdwn": false }),
        ),
        (
            "discord",
            json!({ "content": "The hook of a/b works.\nLess & \\<more\\>", "allowed_mentions": { "parse": [] } }),
        ),
        (
            "mattermost",
            json!({ "text": "The hook of a/b works.\nLess & \\<more\\>" }),
        ),
    ] {
        let arrived = arrived(service, &[("url", "BASE/hooks/T0/B1?wait=true")]).await;
        assert_eq!(
            arrived.request_line, "POST /hooks/T0/B1?wait=true HTTP/1.1",
            "{service}"
        );
        assert_eq!(arrived.json(), expected, "{service}");
    }
}

#[tokio::test]
async fn matrix_is_put_to_with_the_deliverys_id_and_the_token() {
    let config = [
        ("homeserver", "BASE"),
        ("room", "!r:m.example"),
        ("token", "syt_abc"),
    ];
    let arrived = arrived("matrix", &config).await;
    assert_eq!(
        arrived.request_line,
        "PUT /_matrix/client/v3/rooms/%21r%3Am.example/send/m.room.message/00000000-0000-0000-0000-000000000007 HTTP/1.1"
    );
    assert!(
        arrived
            .head
            .contains("\r\nauthorization: Bearer syt_abc\r\n"),
        "{}",
        arrived.head
    );
    let body = "The hook of a/b works.\nLess & <more>";
    assert_eq!(
        arrived.json(),
        json!({ "msgtype": "m.text", "body": body, "m.mentions": {} })
    );
}

#[tokio::test]
async fn ones_own_campfire_gets_the_text_alone() {
    let arrived = arrived("campfire", &[("url", "BASE/rooms/1/7-key/messages")]).await;
    assert_eq!(
        arrived.request_line,
        "POST /rooms/1/7-key/messages HTTP/1.1"
    );
    assert!(
        arrived
            .head
            .contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"),
        "{}",
        arrived.head
    );
    assert_eq!(
        arrived.body,
        "The hook of a/b works.<br>Less &amp; &lt;more&gt;"
    );
}
