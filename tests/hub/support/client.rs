//! What clients say to the hub: any request at all, and the few that most tests need. In: method, path, headers, body,
//! or raw bytes. Out: the response.

use std::io;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ADMIN, Hub, PATIENCE, PUBLISHER, Response, form};

/// The type of hub requests.
pub const FORM: &str = "application/x-www-form-urlencoded";

impl Hub {
    /// Sends these bytes and reads one response. The connection is closed after it.
    pub async fn raw(&self, bytes: &[u8]) -> Response {
        let head = bytes.starts_with(b"HEAD ");
        let exchange = self.exchange(bytes, head);
        match timeout(PATIENCE, exchange).await {
            Ok(Ok(response)) => response,
            failure => panic!(
                "no response to {:?}: {failure:?}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
            ),
        }
    }

    /// Sends a request with a body of known length.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.raw(&self.written(method, target, headers, body)).await
    }

    /// Posts fields as a form to a path.
    pub async fn post(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        let body = form(fields);
        self.request("POST", target, &[("Content-Type", FORM)], body.as_bytes())
            .await
    }

    /// Gets a path, or a URL of this hub.
    pub async fn get(&self, target: &str) -> Response {
        self.request("GET", self.path_of(target), &[], b"").await
    }

    /// Gets a path as the administrator.
    pub async fn admin_get(&self, target: &str) -> Response {
        let admin = bearer(ADMIN);
        self.request(
            "GET",
            self.path_of(target),
            &[("Authorization", &admin)],
            b"",
        )
        .await
    }

    /// Gets a path, or says why not: the hub may not run yet.
    pub async fn try_get(&self, target: &str) -> io::Result<Response> {
        self.try_raw(&self.written("GET", target, &[], b"")).await
    }

    /// Sends these bytes and reads one response, if there is one: who sends rubbish may be hung up on.
    pub async fn try_raw(&self, bytes: &[u8]) -> io::Result<Response> {
        timeout(PATIENCE, self.exchange(bytes, false)).await?
    }

    /// Pings topics with `hub.url`.
    pub async fn ping(&self, topics: &[&str]) -> Response {
        let mut fields = vec![("hub.mode", "publish")];
        fields.extend(topics.iter().map(|topic| ("hub.url", *topic)));
        self.post("/", &fields).await
    }

    /// Pushes content of a topic as a publisher.
    pub async fn push(&self, topic: &str, content_type: &str, body: &[u8]) -> Response {
        let link = format!("<{topic}>; rel=\"self\"");
        let publisher = bearer(PUBLISHER);
        let headers = [
            ("Content-Type", content_type),
            ("Link", &link),
            ("Authorization", &publisher),
        ];
        self.request("POST", "/publish", &headers, body).await
    }

    /// Puts the content of a hosted topic as a publisher.
    pub async fn put_topic(&self, name: &str, content_type: &str, body: &[u8]) -> Response {
        let publisher = bearer(PUBLISHER);
        let headers = [
            ("Content-Type", content_type),
            ("Authorization", publisher.as_str()),
        ];
        self.request("PUT", &format!("/topics/{name}"), &headers, body)
            .await
    }

    /// Path and query of a URL of this hub; a path stays as it is.
    pub fn path_of<'a>(&self, target: &'a str) -> &'a str {
        target
            .strip_prefix(self.url.trim_end_matches('/'))
            .unwrap_or(target)
    }

    fn written(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT") {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(body);
        bytes
    }

    async fn exchange(&self, bytes: &[u8], head: bool) -> io::Result<Response> {
        let stream = TcpStream::connect(self.address).await?;
        let (reading, mut writing) = stream.into_split();
        // A hub may refuse before it has read everything; what it said counts, not that writing failed.
        let sent = async {
            let _ = writing.write_all(bytes).await;
            std::future::pending::<()>().await;
        };
        let mut reading = BufReader::new(reading);
        tokio::select! {
            () = sent => unreachable!("pending"),
            response = Response::read(&mut reading, head) => response,
        }
    }
}

/// The value of an `Authorization` header.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
