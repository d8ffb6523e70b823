//! HTTP/1.1 as it stands on the wire, written here so that the tests see what libraries hide: header spelling and
//! order, chunking, the raw request target. In: bytes of a connection. Out: requests and responses.

use std::io::{self, ErrorKind};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Header lines in their order.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a header, whatever the case of its name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Whether there is such a header.
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

/// A request as a server of the harness got it.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, undecoded.
    pub target: String,
    pub headers: Headers,
    pub body: Bytes,
    /// When it had arrived completely.
    pub at: Instant,
}

impl Request {
    /// Reads the next request of a connection; none at its end.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let Some((line, headers)) = read_head(stream).await? else {
            return Ok(None);
        };
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(broken("request line"));
        };
        let body = read_body(stream, &headers, false).await?;
        Ok(Some(Self {
            method,
            target,
            headers,
            body,
            at: Instant::now(),
        }))
    }

    /// The target up to the `?`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What follows the `?`, undecoded.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The query's parameters, decoded.
    pub fn params(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query().as_bytes())
            .into_owned()
            .collect()
    }

    /// The last value of a parameter: what the hub appends stands behind the callback's own.
    pub fn param(&self, name: &str) -> Option<String> {
        let mut params = self.params().into_iter();
        params.rfind(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.first(name)
    }
}

/// A response of the hub.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
}

impl Response {
    /// Reads the response to a request; that to a `HEAD` has no body whatever its headers say.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin), head: bool) -> io::Result<Self> {
        loop {
            let (line, headers) = read_head(stream)
                .await?
                .ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "no response"))?;
            let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            let status: u16 = status.ok_or_else(|| broken("status line"))?;
            if status == 100 {
                continue;
            }
            let body = match status {
                _ if head => Bytes::new(),
                204 | 304 => Bytes::new(),
                _ => read_body(stream, &headers, true).await?,
            };
            return Ok(Self {
                status,
                headers,
                body,
            });
        }
    }

    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.first(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The same response, once its status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The receipt's URL.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location").expect("a Location header")
    }

    /// Asserts a refusal in plain words: 4xx, `text/plain`, and each of `words` named in the text.
    #[track_caller]
    pub fn refuses(&self, words: &[&str]) {
        let text = self.text();
        assert!((400..500).contains(&self.status), "{}: {text}", self.status);
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain"), "{kind}: {text}");
        for word in words {
            assert!(text.contains(word), "does not name {word:?}: {text}");
        }
    }
}

async fn read_head(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<(String, Headers)>> {
    let Some(first) = read_line(stream).await? else {
        return Ok(None);
    };
    let mut headers = Headers::default();
    loop {
        let line = read_line(stream).await?.ok_or_else(|| broken("head"))?;
        if line.is_empty() {
            return Ok(Some((first, headers)));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("header"))?;
        headers.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

async fn read_body(
    stream: &mut (impl AsyncBufRead + Unpin),
    headers: &Headers,
    to_the_end: bool,
) -> io::Result<Bytes> {
    let mut body = Vec::new();
    if headers
        .first("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        loop {
            let line = read_line(stream).await?.ok_or_else(|| broken("chunk"))?;
            let size = u64::from_str_radix(line.trim(), 16).map_err(|_| broken("chunk size"))?;
            (&mut *stream).take(size).read_to_end(&mut body).await?;
            read_line(stream).await?.ok_or_else(|| broken("chunk"))?;
            if size == 0 {
                return Ok(body.into());
            }
        }
    }
    if let Some(length) = headers.first("content-length") {
        let length: u64 = length.parse().map_err(|_| broken("Content-Length"))?;
        (&mut *stream).take(length).read_to_end(&mut body).await?;
        if body.len() as u64 != length {
            return Err(broken("short body"));
        }
    } else if to_the_end {
        stream.read_to_end(&mut body).await?;
    }
    Ok(body.into())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}
