//! Fetches a topic: its URL and what is known of its last content come in; the new content, or that there is none, goes
//! out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LINK, LOCATION, USER_AGENT,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use url::Url;

use super::{CallError, GuardedClient};
use crate::domain::topic::Validators;
use crate::net::resolve::Resolver;
use crate::net::retry_after::retry_after;
use crate::net::tls::Tls;

/// Characters of a bad `Location` that an error repeats.
const LOCATION_SHOWN: usize = 200;
/// How old content must be before its validators are believed: see [`validators`].
const SETTLED: Duration = Duration::from_secs(2);

/// Gets the content of topics, conditionally and through redirects.
pub struct Fetcher {
    client: GuardedClient,
    limits: FetchLimits,
}

/// What one fetch may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchLimits {
    /// For the whole fetch: every hop, from lookup to last byte.
    pub timeout: Duration,
    /// Bytes of content after decompression.
    pub max_body: usize,
    /// Redirects followed in a row.
    pub max_redirects: usize,
}

/// One fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    pub url: Url,
    /// What came with the content that is known already; empty if none is. They are sent only to the URL that gave them:
    /// to another one they mean nothing.
    pub validators: Validators,
    pub user_agent: String,
}

/// A successful fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The content is still the one that the request's validators came with.
    NotModified,
    Content(Box<Content>),
}

/// The content of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Where it was found, after redirects.
    pub final_url: Url,
    /// The topic's new URL, when it has moved for good (301 or 308 from the first hop on).
    pub permanent_url: Option<Url>,
    pub content_type: Option<String>,
    /// The values of its `Link` headers, unparsed.
    pub link_headers: Vec<Bytes>,
    /// For the next fetch.
    pub validators: Validators,
    /// Decompressed.
    pub body: Bytes,
}

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No answer came.
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the server answered with status {status}")]
    Status {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("the content is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("more than {limit} redirects")]
    TooManyRedirects { limit: usize },
    #[error("the server redirects to {location:?}, which is not an http or https URL")]
    BadRedirect { location: String },
}

impl FetchError {
    /// Whether trying again soon is of no use. Most statuses are worth another try: while a site is being deployed it may
    /// answer anything, and giving up would lose an update.
    pub fn is_permanent(&self) -> bool {
        match self {
            FetchError::Call(error) => !error.is_retryable(),
            FetchError::Status { status, .. } => *status == StatusCode::GONE.as_u16(),
            FetchError::TooLarge { .. }
            | FetchError::TooManyRedirects { .. }
            | FetchError::BadRedirect { .. } => true,
        }
    }

    /// How long the server asked us to wait, uncapped.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Fetcher {
    /// Fails only if the HTTP client cannot be set up.
    pub fn new(
        resolver: Arc<Resolver>,
        tls: &Tls,
        limits: FetchLimits,
    ) -> Result<Fetcher, reqwest::Error> {
        let client = GuardedClient::new(resolver, tls, limits.timeout)?;
        Ok(Fetcher { client, limits })
    }

    /// GETs the request's URL and follows redirects, each hop through the guard.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        self.client.within_timeout(self.follow(request)).await
    }

    async fn follow(&self, request: &FetchRequest) -> Result<Fetched, FetchError> {
        let mut hop = Hop {
            url: request.url.clone(),
            permanent_url: None,
            moved_for_good: true,
        };
        for _ in 0..=self.limits.max_redirects {
            let conditions = conditions(&request.validators, &hop.url);
            let conditional = !conditions.is_empty();
            let prepare = |get: RequestBuilder| {
                get.headers(conditions)
                    .header(USER_AGENT, &request.user_agent)
            };
            let response = self.client.get(&hop.url, prepare).await?;
            match response.status() {
                StatusCode::NOT_MODIFIED if conditional => {
                    return Ok(Fetched::NotModified);
                }
                status if is_redirect(status) => hop = hop.next(status, response.headers())?,
                status if has_content(status) => return self.accept(hop, response).await,
                status => {
                    let retry_after = retry_after(response.headers());
                    return Err(FetchError::Status {
                        status: status.as_u16(),
                        retry_after,
                    });
                }
            }
        }
        Err(FetchError::TooManyRedirects {
            limit: self.limits.max_redirects,
        })
    }

    async fn accept(&self, hop: Hop, response: Response) -> Result<Fetched, FetchError> {
        let headers = response.headers();
        let validators = validators(&hop.url, headers);
        let content_type = text(headers, CONTENT_TYPE);
        let links = headers.get_all(LINK).iter();
        let link_headers = links
            .map(|value| Bytes::copy_from_slice(value.as_bytes()))
            .collect();

        let limit = self.limits.max_body;
        let body = self.client.read(response, limit).await?;
        if body.cut {
            return Err(FetchError::TooLarge { limit });
        }
        Ok(Fetched::Content(Box::new(Content {
            final_url: hop.url,
            permanent_url: hop.permanent_url,
            content_type,
            link_headers,
            validators,
            body: body.bytes,
        })))
    }
}

/// Where a fetch has got to.
struct Hop {
    url: Url,
    permanent_url: Option<Url>,
    /// Whether every redirect so far was permanent; after a temporary one, a permanent one says nothing about the topic.
    moved_for_good: bool,
}

impl Hop {
    fn next(self, status: StatusCode, headers: &HeaderMap) -> Result<Hop, FetchError> {
        let location = headers
            .get(LOCATION)
            .map_or(&b""[..], |value| value.as_bytes());
        let location = String::from_utf8_lossy(location).into_owned();
        let next = self.url.join(&location).ok();
        let next =
            next.filter(|url| !location.is_empty() && matches!(url.scheme(), "http" | "https"));
        let url = next.ok_or_else(|| FetchError::BadRedirect {
            location: location.chars().take(LOCATION_SHOWN).collect(),
        })?;

        let permanent = matches!(
            status,
            StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
        );
        let moved_for_good = self.moved_for_good && permanent;
        let permanent_url = if moved_for_good {
            Some(url.clone())
        } else {
            self.permanent_url
        };
        Ok(Hop {
            url,
            permanent_url,
            moved_for_good,
        })
    }
}

/// What to ask with next time. `Last-Modified` counts whole seconds, and many servers make their `ETag` of it: content that
/// has changed just now may change again under the same validators, and an update would be lost (RFC 9110 section 8.8.2.2).
/// Such content is fetched whole once more.
fn validators(url: &Url, headers: &HeaderMap) -> Validators {
    let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    if let Some(modified) = date(LAST_MODIFIED)
        && date(DATE).is_none_or(|now| now < modified + SETTLED)
    {
        return Validators::default();
    }
    Validators {
        url: Some(url.to_string()),
        etag: text(headers, ETAG),
        last_modified: text(headers, LAST_MODIFIED),
    }
}

/// The headers that ask `url` for content newer than what is known; none if `known` is from another URL.
fn conditions(known: &Validators, url: &Url) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if known.url.as_deref() != Some(url.as_str()) {
        return headers;
    }
    for (name, value) in [
        (IF_NONE_MATCH, &known.etag),
        (IF_MODIFIED_SINCE, &known.last_modified),
    ] {
        let value = value
            .as_deref()
            .and_then(|value| HeaderValue::from_str(value).ok());
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

/// The redirects that name the place of the content (RFC 9110 section 15.4).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Success with the whole content; 204 to 206 have none or a part, which must not go out as the topic's new content.
fn has_content(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200..=203)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
