//! The client's side of the protocol, for any hub: a URL and parameters in, the answer out. It runs on the user's own
//! machine at the user's own wish, so no guard stands before the addresses, and the system's proxy settings count.

use std::error::Error;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::exit::Failure;
use crate::app::PRODUCT;
use crate::domain::notation;
use crate::domain::value::{CallbackUrl, TopicUrl};
use crate::net::tls::Tls;

/// How long one exchange may take: a hub that verifies in sync mode waits for the callback in it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For answers that go on: a year, which is none.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// The most of an answer that is read, in bytes.
const BODY_MAX: usize = 10 << 20;
/// Letters of an error's text that are repeated.
const TEXT_SHOWN: usize = 500;

/// Speaks HTTP.
pub struct Client {
    http: reqwest::Client,
}

/// What a server answered.
pub struct Answer {
    /// Where it came from, redirects followed.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        Self::patient(TIMEOUT)
    }

    /// One that waits so long for an answer.
    ///
    /// # Errors
    /// As `new`.
    pub fn patient(timeout: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Tls::new(None)?.config().clone())
            .user_agent(PRODUCT)
            .timeout(timeout)
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http })
    }

    /// GETs a URL.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn get(&self, url: &Url, token: Option<&str>) -> anyhow::Result<Answer> {
        let request = self.http.get(url.clone());
        exchange(url, with_token(request, token)).await
    }

    /// GETs a URL whose answer goes on for as long as it likes.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn open(&self, url: &Url, token: Option<&str>) -> anyhow::Result<Response> {
        let request = self.http.get(url.clone()).timeout(FOREVER);
        let response = with_token(request, token).send().await;
        response.map_err(|error| no_answer(url, &error).into())
    }

    /// POSTs a form.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> anyhow::Result<Answer> {
        exchange(url, self.http.post(url.clone()).form(form)).await
    }

    /// POSTs content as it is.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        token: Option<&str>,
        content: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.send(Method::POST, url, headers, token, content).await
    }

    /// Sends content as it is, by any method.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        token: Option<&str>,
        content: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let request = self.http.request(method, url.clone());
        let request = request.headers(headers).body(content);
        exchange(url, with_token(request, token)).await
    }
}

impl Answer {
    /// The status, and what the server said about it: `422 Unprocessable Entity: hub.topic is missing`.
    pub fn in_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = printable(text.trim());
        if text.is_empty() || text.starts_with('<') {
            return self.status.to_string();
        }
        format!("{}: {}", self.status, clipped(&text, TEXT_SHOWN))
    }

    /// The URL in `Location`, made absolute.
    pub fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().ok()?;
        self.url.join(location).ok()
    }
}

async fn exchange(url: &Url, request: RequestBuilder) -> anyhow::Result<Answer> {
    let none = |error: reqwest::Error| no_answer(url, &error);
    let mut response = request.send().await.map_err(none)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(none)? {
        if body.len() + chunk.len() > BODY_MAX {
            let most = notation::format_size(BODY_MAX);
            return Err(anyhow!("the answer of {url} is larger than {most}"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        url: response.url().clone(),
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: body.into(),
    })
}

fn no_answer(url: &Url, error: &reqwest::Error) -> Failure {
    Failure::unreachable(format!("no answer from {url}: {}", deepest(error)))
}

fn with_token(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// The first cause: what reqwest and hyper wrap around it only repeats that a request failed.
fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

/// A stranger's text for a terminal: control characters, with which it could rewrite the screen, are replaced.
pub fn printable(text: &str) -> String {
    let safe = |letter: char| match letter {
        '\n' | '\t' => letter,
        letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.replace("\r\n", "\n").chars().map(safe).collect()
}

/// The first `most` letters, and `…` if there are more.
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Reads an argument that is a topic.
pub fn topic(text: &str) -> Result<TopicUrl, String> {
    TopicUrl::parse(text).map_err(|error| format!("it {error}"))
}

/// Reads an argument that is a callback.
pub fn callback(text: &str) -> Result<CallbackUrl, String> {
    CallbackUrl::parse(text).map_err(|error| format!("it {error}"))
}

/// Reads an argument that is the URL of a hub.
pub fn hub(text: &str) -> Result<Url, String> {
    let url = topic(text)?.fetchable();
    url.ok_or_else(|| "it is not a URL".to_owned())
}

/// Reads an argument that is a lease.
pub fn lease(text: &str) -> Result<Duration, String> {
    let lease = notation::parse_duration(text)?;
    if lease < Duration::from_secs(1) {
        return Err("a lease is at least 1s".to_owned());
    }
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_steer_the_terminal() {
        assert_eq!(
            printable("a\r\nb\tc\x1b[2J\u{9b}"),
            "a\nb\tc\u{fffd}[2J\u{fffd}"
        );
    }

    #[test]
    fn clipping_counts_letters_and_not_bytes() {
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöü", 2), "äö…");
    }
}
