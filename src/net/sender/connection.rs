//! One HTTP connection to a receiver: an opened stream comes in, requests go out, answers come back.
//!
//! Invariant: an HTTP/1 connection is driven by the task that waits for its answer and by nobody else, so that an
//! exchange costs no second task and no wake-up across threads. While it is idle nothing runs; that the far end has
//! closed it is noticed when it is used again, before the request is written. An HTTP/2 connection is shared by many
//! tasks and driven by one of its own.

use std::error::Error as _;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, Uri, http};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::unconstrained;
use tokio_util::task::TaskTracker;

use crate::domain::value::CallbackUrl;

/// The most of an answer's head that is read, in bytes; a longer one is refused.
const HEAD_MAX_BYTES: usize = 32 * 1024;

/// What one HTTP/2 answer may send ahead of its reader, in bytes: little, as little of it is ever read.
const STREAM_WINDOW_BYTES: u32 = 16 * 1024;

/// How often a shared connection with requests under way is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to that may take.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

type Body = Full<Bytes>;

/// An open connection that requests can be sent over.
pub(super) enum Connection {
    Http1(Http1),
    Http2(Http2),
}

/// Used by one exchange at a time.
pub(super) struct Http1 {
    requests: http1::SendRequest<Body>,
    /// Moves the bytes; `None` once the connection has ended.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    host: HeaderValue,
}

/// One of many handles to a connection; it closes when the last one is dropped.
#[derive(Clone)]
pub(super) struct Http2 {
    requests: http2::SendRequest<Body>,
    /// Set when the far end has said that it takes no more requests.
    spent: Arc<AtomicBool>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// The receiver has not seen the request, whose headers these are: another connection may carry it.
    #[error("the receiver closed the connection before the request was sent")]
    Unsent(HeaderMap),
    /// Whether the receiver has seen the request is unknown.
    #[error("{error}{}", cause(.error))]
    Broken {
        #[from]
        error: hyper::Error,
    },
    /// The callback does not fit into a request.
    #[error("the callback cannot be put into a request: {0}")]
    Unfit(#[from] http::Error),
}

impl Connection {
    /// An HTTP/1 connection over `stream`, to the receiver that `callback` names.
    pub(super) async fn http1(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        callback: &CallbackUrl,
    ) -> Result<Connection, ConnectionError> {
        let origin = callback.origin();
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
        let host = HeaderValue::from_str(authority).map_err(http::Error::from)?;
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(HEAD_MAX_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Connection::Http1(Http1 {
            requests,
            driver: Some(Box::pin(driver)),
            host,
        }))
    }

    /// An HTTP/2 connection over `stream`, driven by a task on `tracker` until its last handle is dropped.
    pub(super) async fn http2(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        tracker: &TaskTracker,
    ) -> Result<Connection, ConnectionError> {
        let (requests, driver) = http2::Builder::new(OnTracker(tracker.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .max_header_list_size(HEAD_MAX_BYTES as u32)
            .handshake(TokioIo::new(stream))
            .await?;
        // Its error comes to each request that was under way, too.
        tracker.spawn(async { drop(driver.await) });
        Ok(Connection::Http2(Http2 {
            requests,
            spent: Arc::default(),
        }))
    }

    /// Another handle to the same connection, if it can carry many exchanges at once.
    pub(super) fn share(&self) -> Option<Connection> {
        match self {
            Connection::Http1(_) => None,
            Connection::Http2(http2) => Some(Connection::Http2(http2.clone())),
        }
    }

    /// Whether it can carry a request now, as far as is known here.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Connection::Http1(http1) => http1.driver.is_some() && http1.requests.is_ready(),
            Connection::Http2(http2) => {
                !http2.spent.load(Ordering::Relaxed) && !http2.requests.is_closed()
            }
        }
    }

    /// Sends `body` to `callback` and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        method: &Method,
        callback: &CallbackUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, ConnectionError> {
        match self {
            Connection::Http1(http1) => http1.send(method, callback, headers, body).await,
            Connection::Http2(http2) => http2.send(method, callback, headers, body).await,
        }
    }

    /// Reads an answer's body into `beginning` until that has `max` bytes; tells whether the body ended with that.
    pub(super) async fn read(
        &mut self,
        body: &mut Incoming,
        beginning: &mut Vec<u8>,
        max: usize,
    ) -> bool {
        let reading = async {
            while beginning.len() < max {
                match body.frame().await {
                    None => return true,
                    Some(Err(_)) => return false,
                    Some(Ok(frame)) => {
                        let data = frame.into_data().unwrap_or_default();
                        beginning.extend_from_slice(&data[..data.len().min(max - beginning.len())]);
                    }
                }
            }
            body.is_end_stream()
        };
        match self {
            Connection::Http1(http1) => http1.drive(reading).await,
            Connection::Http2(_) => reading.await,
        }
    }
}

impl Http1 {
    async fn send(
        &mut self,
        method: &Method,
        callback: &CallbackUrl,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, ConnectionError> {
        headers.insert(HOST, self.host.clone());
        let target =
            Bytes::copy_from_slice(&callback.as_str().as_bytes()[callback.origin().len()..]);
        let target = PathAndQuery::from_maybe_shared(target).map_err(http::Error::from)?;
        let answer = self
            .requests
            .try_send_request(request(method, target.into(), headers, body));
        Ok(self.drive(answer).await?)
    }

    /// Polls the connection, and `work`, which waits for the connection and for nothing else.
    async fn drive<W: Future>(&mut self, work: W) -> W::Output {
        // All that `work` waits for happens while this very task polls the driver, and it is polled right after
        // that: it need not wake anybody. Outside the budget, as it could not announce that the budget is used up.
        let mut work = pin!(unconstrained(work));
        poll_fn(|cx| {
            if let Some(driver) = &mut self.driver
                && driver.as_mut().poll(cx).is_ready()
            {
                self.driver = None;
            }
            work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }
}

impl Http2 {
    async fn send(
        &mut self,
        method: &Method,
        callback: &CallbackUrl,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, ConnectionError> {
        let url = Uri::try_from(callback.as_str()).map_err(http::Error::from)?;
        let spare = headers.clone();
        let request = request(method, url, headers, body);
        let answer = self.requests.try_send_request(request).await;
        answer.map_err(|error| {
            let error = match ConnectionError::from(error) {
                ConnectionError::Broken { error } if is_refusal(&error) => {
                    ConnectionError::Unsent(spare)
                }
                error => error,
            };
            if let ConnectionError::Unsent(_) = error {
                self.spent.store(true, Ordering::Relaxed);
            }
            error
        })
    }
}

fn request(method: &Method, uri: Uri, mut headers: HeaderMap, body: Bytes) -> Request<Body> {
    if body.is_empty() {
        // The only length that hyper leaves out.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

impl From<TrySendError<Request<Body>>> for ConnectionError {
    /// hyper gives a request back only if nothing of it was written.
    fn from(mut error: TrySendError<Request<Body>>) -> Self {
        match error.take_message() {
            Some(request) => ConnectionError::Unsent(request.into_parts().0.headers),
            None => ConnectionError::Broken {
                error: error.into_error(),
            },
        }
    }
}

fn cause(error: &hyper::Error) -> String {
    error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default()
}

/// Whether an HTTP/2 error says that the receiver has not looked at the request (RFC 9113 section 8.7).
fn is_refusal(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|error| match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    })
}

/// Runs an HTTP/2 connection's tasks where the sender knows of them.
#[derive(Clone)]
struct OnTracker(TaskTracker);

impl<F> hyper::rt::Executor<F> for OnTracker
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
