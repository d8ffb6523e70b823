//! The client that carries deliveries. A callback, headers and a body come in, one request goes out, and what became of it
//! comes back as an `Exchange`.
//!
//! It does less than a general client, as this is the program's hottest path: no redirects (a 3xx is an answer like
//! any other), no cookies, no decompression, no proxies, and of an answer's body only the beginning.
//!
//! Invariants: one deadline covers all of an exchange. A request that the receiver may have seen is never sent again
//! from here: that is for the retry schedule, which counts.

mod connection;
mod pool;

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::body::Body as _;
use hyper::header::HeaderMap;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use self::connection::{Connection, ConnectionError};
use self::pool::Pool;
pub use self::pool::SenderLimits;
use super::dial::{DialError, Dialer};
use super::resolve::ResolveError;
use super::retry_after::retry_after;
use super::tls::{Tls, chose_http2};
use crate::domain::attempt::{Failure, Outcome};
use crate::domain::value::CallbackUrl;

/// The most of an answer's body that is read. A connection whose answer is longer is closed, not read to its end.
const BODY_MAX_BYTES: usize = 4 * 1024;

/// Sends deliveries over connections that it keeps.
pub struct Sender {
    dialer: Dialer,
    tls: Tls,
    /// The tasks of HTTP/2 connections, which live as long as the sender: whoever stops must not wait for them.
    tracker: TaskTracker,
    pool: Pool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How it ended.
    pub outcome: Outcome,
    /// The headers of the answer; none if there was no answer.
    pub headers: HeaderMap,
}

/// When an exchange must be over.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    within: Duration,
}

impl Sender {
    /// `dialer` decides what may be connected to. Only HTTP/2 connections need tasks, which end when the
    /// sender is dropped.
    pub fn new(dialer: Dialer, tls: Tls, limits: SenderLimits) -> Sender {
        Sender {
            dialer,
            tls,
            tracker: TaskTracker::new(),
            pool: Pool::new(limits),
        }
    }

    /// Sends `body` to `callback`, whose query stays as it is (HUB-38, HUB-49), with its Content-Length.
    ///
    /// `headers` are complete but for Host and Content-Length. From connecting to the end of the answer at most
    /// `within` passes. Once the head of an answer has come, the outcome is `Answered`, whatever its body does (HUB-46).
    pub async fn send(
        &self,
        method: &Method,
        callback: &CallbackUrl,
        mut headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Exchange {
        let deadline = Deadline {
            at: Instant::now() + within,
            within,
        };
        if let Some(connection) = self.pool.take(callback.origin()) {
            let body = body.clone();
            match self
                .exchange(connection, method, callback, headers, body, deadline)
                .await
            {
                Err(ConnectionError::Unsent(given_back)) => headers = given_back,
                result => return result.unwrap_or_else(|error| protocol_failure(error).into()),
            }
        }
        // Boxed, as it is rare and large: every delivery's future would be as large otherwise.
        match Box::pin(self.connect(callback, deadline)).await {
            Ok(connection) => self
                .exchange(connection, method, callback, headers, body, deadline)
                .await
                .unwrap_or_else(|error| protocol_failure(error).into()),
            Err(outcome) => outcome.into(),
        }
    }

    /// Closes the connections that have been idle for too long. Their number is limited without this, but a call now
    /// and then keeps a quiet hub from holding connections that nobody needs.
    pub fn prune(&self) {
        self.pool.prune();
    }

    /// One request and its answer over `connection`, which is kept if it can carry another one.
    async fn exchange(
        &self,
        mut connection: Connection,
        method: &Method,
        callback: &CallbackUrl,
        headers: HeaderMap,
        body: Bytes,
        deadline: Deadline,
    ) -> Result<Exchange, ConnectionError> {
        let sending = connection.send(method, callback, headers, body);
        let Ok(answer) = timeout_at(deadline.at, sending).await else {
            return Ok(deadline.passed("connected, but no answer").into());
        };
        let (head, mut body) = answer?.into_parts();
        let mut beginning = Vec::new();
        // Most answers have no body; they need no second timer.
        let ended = body.is_end_stream() || {
            let reading = connection.read(&mut body, &mut beginning, BODY_MAX_BYTES);
            timeout_at(deadline.at, reading).await == Ok(true)
        };
        if ended {
            self.pool.put_back(callback.origin(), connection);
        }
        Ok(Exchange {
            outcome: Outcome::Answered {
                status: head.status.as_u16(),
                retry_after: retry_after(&head.headers).map(|wait| wait.as_secs()),
                excerpt: Outcome::excerpt(&beginning),
            },
            headers: head.headers,
        })
    }

    async fn connect(
        &self,
        callback: &CallbackUrl,
        deadline: Deadline,
    ) -> Result<Connection, Outcome> {
        let connecting = async {
            if callback.is_https() {
                return self.connect_tls(callback).await;
            }
            let stream = self.dialer.connect(callback.host(), port(callback)).await;
            let stream = stream.map_err(dial_failure)?;
            Connection::http1(stream, callback)
                .await
                .map_err(protocol_failure)
        };
        let late = |_| deadline.passed("not connected");
        timeout_at(deadline.at, connecting).await.map_err(late)?
    }

    /// Of many who want to connect to the same new origin one goes ahead: if it finds HTTP/2, its connection is for all.
    async fn connect_tls(&self, callback: &CallbackUrl) -> Result<Connection, Outcome> {
        let origin = callback.origin();
        let mut turn = None;
        if let Some(lock) = self.pool.turn(origin) {
            turn = Some(lock.lock_owned().await);
            if let Some(connection) = self.pool.take(origin) {
                return Ok(connection);
            }
            if self.pool.turn(origin).is_none() {
                turn = None;
            }
        }
        let stream = self
            .dialer
            .connect_tls(callback.host(), port(callback), &self.tls)
            .await;
        let stream = stream.map_err(dial_failure)?;
        let connection = if chose_http2(&stream) {
            Connection::http2(stream, &self.tracker).await
        } else {
            Connection::http1(stream, callback).await
        };
        let connection = connection.map_err(protocol_failure)?;
        self.pool.introduce(origin, &connection);
        drop(turn);
        Ok(connection)
    }
}

impl From<Outcome> for Exchange {
    /// An exchange without an answer.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            headers: HeaderMap::new(),
        }
    }
}

impl Deadline {
    fn passed(self, state: &str) -> Outcome {
        unanswered(Failure::Timeout, format!("{state} after {:?}", self.within))
    }
}

/// The port that a callback names, or its scheme's.
fn port(callback: &CallbackUrl) -> u16 {
    let standard = if callback.is_https() { 443 } else { 80 };
    let named = callback.origin().rsplit_once(':');
    named
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(standard)
}

/// Why nobody could be asked, as the outcome of the delivery.
pub(super) fn dial_failure(error: DialError) -> Outcome {
    let failure = match &error {
        DialError::Resolve(ResolveError::Refused { .. }) => Failure::Refused,
        DialError::Resolve(ResolveError::Lookup { .. }) => Failure::Resolve,
        DialError::Connect { .. } => Failure::Connect,
        DialError::Tls { .. } => Failure::Tls,
        DialError::Timeout { .. } => Failure::Timeout,
    };
    unanswered(failure, error)
}

fn protocol_failure(error: ConnectionError) -> Outcome {
    unanswered(Failure::Protocol, error)
}

fn unanswered(failure: Failure, detail: impl ToString) -> Outcome {
    Outcome::Unanswered {
        failure,
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests;
