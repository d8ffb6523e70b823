//! The requests of `src/dialect/golden`, written by hand from the users' documents, at a socket: the hub raises each event, and what
//! its hook's receiver gets is that request, byte for byte and header for header, but for what differs each time.

use std::collections::BTreeMap;
use std::path::Path;

use fanfare::domain::source::Dialect;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::declared::ask;
use crate::hooking::receiver;
use crate::support::client::bearer;
use crate::support::http::Headers;
use crate::support::{Hub, PUBLISHER, Reply, Request};

/// A request as it must be, and the event that it tells of.
#[derive(Debug, Deserialize)]
pub struct Golden {
    pub dialect: String,
    pub source: String,
    pub event: String,
    pub secret: Option<String>,
    pub form: bool,
    pub type_key: bool,
    pub brand: String,
    pub raise: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Golden {
    /// All of them, and the names of their files.
    pub fn all() -> Vec<(String, Self)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect/golden");
        let files = std::fs::read_dir(folder).expect("the folder");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let file = file.expect("a file");
            let text = std::fs::read_to_string(file.path()).expect("text");
            let name = file.file_name().to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("a golden request"))
        };
        files.map(read).collect()
    }

    /// Raises the event. Where its time is part of the request it comes in by the inbox, and brings its time along.
    async fn raise(&self, hub: &Hub, file: &str) {
        let is_timed = ["mastodon", "pleroma"].contains(&self.dialect.as_str());
        let mut headers = BTreeMap::new();
        let (path, body) = match is_timed {
            true => {
                headers.clone_from(&self.headers);
                // An id that came before would be a repeat.
                headers.insert("x-fanfare-delivery".into(), file.into());
                (format!("/{}/inbox", self.source), &self.body)
            }
            false => {
                headers.insert("authorization".into(), bearer(PUBLISHER));
                headers.insert("content-type".into(), "application/json".into());
                let path = format!("/{}/events/{}", self.source, self.event);
                (path, &self.raise)
            }
        };
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = hub.request("POST", &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 202, "{file}: {}", answer.text());
    }

    /// Holds a request against this one.
    fn assert_is(&self, request: &Request, hub: &Hub, hook: u64, file: &str) {
        assert_eq!(request.method, "POST", "{file}");
        let body = str::from_utf8(&request.body).expect("UTF-8");
        assert_eq!(body, self.body, "{file}");
        let mut expected = self.headers.clone();
        expected.insert("host".into(), host(request));
        expected.insert("content-length".into(), self.body.len().to_string());
        for (name, value) in &mut expected {
            let arrived = request.header(name).unwrap_or_default();
            if name.ends_with("-delivery") {
                assert!(
                    Uuid::parse_str(arrived).is_ok(),
                    "{file}: {name}: {arrived}"
                );
                *value = arrived.to_owned();
            } else if name.ends_with("-hook-id") {
                *value = hook.to_string();
            } else if name == "user-agent" {
                *value = user_agent(value, arrived);
            }
            *value = value.replace("http://hub.example/", &hub.url);
        }
        assert_eq!(by_name(&request.headers), expected, "{file}");
    }
}

/// The product's version is not the document's.
fn user_agent(expected: &str, arrived: &str) -> String {
    let split = |text: &str| {
        let (product, rest) = text.split_once('/').expect("a product");
        let (version, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        (product.to_owned(), version.to_owned(), rest.to_owned())
    };
    let ((product, _, rest), (_, version, _)) = (split(expected), split(arrived));
    let is_version = |letter: char| letter.is_ascii_hexdigit() || letter == '.';
    assert!(
        !version.is_empty() && version.chars().all(is_version),
        "{arrived}"
    );
    let blank = if rest.is_empty() { "" } else { " " };
    format!("{product}/{version}{blank}{rest}")
}

fn host(request: &Request) -> String {
    request.header("host").expect("a host").to_owned()
}

fn by_name(headers: &Headers) -> BTreeMap<String, String> {
    let pairs = headers.0.iter();
    let named: BTreeMap<_, _> = pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    assert_eq!(
        named.len(),
        headers.0.len(),
        "each header once: {headers:?}"
    );
    named
}

#[tokio::test]
async fn what_arrives_is_what_the_documents_show() {
    let all = Golden::all();
    let mut shown = 0;
    for brand in ["SocialGateway", "GitHub"] {
        for dialect in Dialect::ALL {
            let mut golden = all
                .iter()
                .filter(|(_, golden)| golden.dialect == dialect.name() && golden.brand == brand)
                .peekable();
            if golden.peek().is_none() {
                continue;
            }
            let hub = Hub::with(&[("hooks.brand", brand)]).await;
            let server = receiver(Reply::status(200)).await;
            for (file, golden) in golden {
                let mut source =
                    json!({ "dialect": golden.dialect, "inbound_secret": golden.secret });
                if dialect == Dialect::Websub {
                    source["events"] = json!([golden.event]);
                }
                let declared = hub.declare(&golden.source, &source).await;
                assert!([200, 201].contains(&declared.status), "{}", declared.text());
                let path = format!("/{file}");
                let wish = json!({
                    "source": golden.source,
                    "events": [golden.event],
                    "secret": golden.secret,
                    "content_type": if golden.form { "form" } else { "json" },
                    "type_key": golden.type_key,
                });
                let hook = hub.hook(&server.url(&path), &wish).await;
                golden.raise(&hub, file).await;
                let is_it = |request: &Request| request.path() == path;
                let arrived = server.log().wait_for("the request", 1, is_it).await;
                golden.assert_is(&arrived[0], &hub, hook, file);
                // The next one may be of the same event.
                let hook = format!("/api/v1/hooks/{hook}");
                ask(&hub, "DELETE", &hook, &Value::Null).await.expect(204);
                shown += 1;
            }
        }
    }
    assert_eq!(shown, all.len());
}
