//! GET requests to strangers. `Fetcher` gets the content of a topic, `Caller` asks a callback whether it agrees; both
//! stand on the guarded client here.
//!
//! Invariants: every URL passes the guard by its literal host or by its resolved addresses, on every hop; no body is
//! read beyond its cap; one deadline covers an exchange from lookup to last byte; no proxy is taken from the environment.

mod call;
mod fetch;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{RequestBuilder, Response};
use url::Url;

pub use call::{CallbackAnswer, Caller};
pub use fetch::{Content, FetchError, FetchLimits, FetchRequest, Fetched, Fetcher};

use super::resolve::{ResolveError, Resolver};
use super::tls::Tls;

/// How long a connection is kept for the next request: enough for a burst to one host, short because most hosts are
/// asked once, and each idle connection holds a file descriptor.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host has no address, or none that the guard admits.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No address of it accepted the connection, or its encryption failed.
    #[error("cannot connect to {host}: {reason}")]
    Connect { host: String, reason: String },
    /// The whole exchange took longer than it may.
    #[error("no complete answer within {} s", .after.as_secs_f32())]
    Timeout { after: Duration },
    /// The connection broke, or what came is not HTTP.
    #[error("no valid HTTP answer: {reason}")]
    Protocol { reason: String },
}

impl CallError {
    /// Whether the guard refused the host.
    pub fn is_refused(&self) -> bool {
        matches!(self, CallError::Resolve(ResolveError::Refused { .. }))
    }

    /// Whether the same request may succeed later: any failure but a refusal.
    pub fn is_retryable(&self) -> bool {
        !self.is_refused()
    }
}

/// A reqwest client that connects only where the guard admits, and follows no redirect by itself.
struct GuardedClient {
    http: reqwest::Client,
    resolver: Arc<Resolver>,
    timeout: Duration,
}

/// The part of a body that was read.
struct Body {
    bytes: Bytes,
    /// Whether there was more than the cap.
    cut: bool,
}

impl GuardedClient {
    fn new(resolver: Arc<Resolver>, tls: &Tls, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config().clone())
            .dns_resolver(AdmittedOnly(Arc::clone(&resolver)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .pool_idle_timeout(IDLE_FOR)
            .build()?;
        Ok(GuardedClient {
            http,
            resolver,
            timeout,
        })
    }

    /// Gives `exchange` the deadline.
    async fn within_timeout<T, E: From<CallError>>(
        &self,
        exchange: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let after = self.timeout;
        let late = |_| CallError::Timeout { after };
        tokio::time::timeout(after, exchange).await.map_err(late)?
    }

    /// GETs `url` with what `prepare` adds, up to the end of the head of the answer.
    async fn get(
        &self,
        url: &Url,
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, CallError> {
        // A literal address never reaches the resolver, so it is checked here.
        self.resolver.check_literal(url)?;
        let request = prepare(self.http.get(url.clone()));
        request.send().await.map_err(|error| no_answer(url, error))
    }

    /// Reads the decoded body, at most `cap` bytes of it.
    async fn read(&self, mut response: Response, cap: usize) -> Result<Body, CallError> {
        let mut bytes = BytesMut::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| no_answer(response.url(), error))? {
                None => {
                    return Ok(Body {
                        bytes: bytes.freeze(),
                        cut: false,
                    });
                }
                Some(chunk) if chunk.len() > cap - bytes.len() => {
                    bytes.extend_from_slice(&chunk[..cap - bytes.len()]);
                    return Ok(Body {
                        bytes: bytes.freeze(),
                        cut: true,
                    });
                }
                Some(chunk) => bytes.extend_from_slice(&chunk),
            }
        }
    }
}

/// Gives reqwest the addresses that the guard admits, and none else.
struct AdmittedOnly(Arc<Resolver>);

impl Resolve for AdmittedOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = resolver.resolve(name.as_str()).await?;
            // Port 0 stands for the URL's own.
            let sockets: Vec<_> = addresses
                .iter()
                .map(|&address| SocketAddr::new(address, 0))
                .collect();
            Ok(Box::new(sockets.into_iter()) as Addrs)
        })
    }
}

fn no_answer(url: &Url, error: reqwest::Error) -> CallError {
    // The URL may carry a capability in its query; the messages go to logs and to the admin page.
    let error = error.without_url();
    let (refusal, reason) = causes(&error);
    if let Some(refusal) = refusal {
        return CallError::Resolve(refusal);
    }
    if error.is_connect() {
        CallError::Connect {
            host: url.host_str().unwrap_or_default().to_owned(),
            reason,
        }
    } else {
        CallError::Protocol { reason }
    }
}

/// Our resolver's own error, if it is among the causes, and the deepest cause: what reqwest and hyper wrap around that
/// only repeats that a request failed.
fn causes(error: &dyn Error) -> (Option<ResolveError>, String) {
    let mut deepest = error;
    let mut refusal = None;
    while let Some(cause) = deepest.source() {
        refusal = refusal.or(cause.downcast_ref::<ResolveError>());
        deepest = cause;
    }
    (refusal.cloned(), deepest.to_string())
}
