//! The subscriber's HTTP server. Requests of the hub (and of anybody else who finds the port) come in; what they mean goes
//! out as events, in the order of arrival.
//!
//! Invariants: only verifications of what was asked for are confirmed (WebSub section 5.3); every delivery is answered
//! 200, also one with a wrong signature (section 8); each connection carries one exchange, with
//! one deadline and a cap on its body.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::form_urlencoded;

use super::delivery::Delivery;
use crate::domain::notation;
use crate::domain::value::{Secret, TopicUrl};
use crate::flow::clock::Clock;

/// The largest delivery that is taken, in bytes.
const BODY_MAX: usize = 16 << 20;
/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(60);
/// Exchanges at once.
const EXCHANGES: usize = 32;
/// How long the last answers may take to go out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the hub has to know.
pub struct Expected {
    /// The topic, letter for letter.
    pub topic: TopicUrl,
    /// The path of the callback; none, any.
    pub path: Option<String>,
    /// The secret of the signatures.
    pub secret: Secret,
}

/// What a request meant.
pub enum Event {
    /// The hub asked whether we want the subscription, and we do.
    Confirmed {
        /// How long it lasts, if the hub said so.
        lease: Option<Duration>,
    },
    /// The hub asked whether we want it to end, and we do.
    Ended,
    /// The hub will not send anything (HUB-24).
    Denied {
        /// Why, in the hub's words.
        reason: String,
    },
    /// An update.
    Delivered(Box<Delivery>),
}

/// A server that runs.
pub struct Receiver {
    site: Arc<Site>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

struct Site {
    expected: Expected,
    events: mpsc::Sender<Event>,
    /// Whether we want the subscription to end.
    leaving: AtomicBool,
}

type Answer = Response<Full<Bytes>>;

impl Receiver {
    /// Starts to serve.
    pub fn start(listener: TcpListener, expected: Expected) -> (Self, mpsc::Receiver<Event>) {
        let (events, received) = mpsc::channel(EXCHANGES);
        let receiver = Self {
            site: Arc::new(Site {
                expected,
                events,
                leaving: AtomicBool::new(false),
            }),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let accepting = accept(
            listener,
            Arc::clone(&receiver.site),
            receiver.tracker.clone(),
        );
        let stopped = receiver.stop.clone();
        receiver.tracker.spawn(async move {
            tokio::select! {
                () = accepting => {}
                () = stopped.cancelled() => {}
            }
        });
        (receiver, received)
    }

    /// From now on the end of the subscription is confirmed, and its beginning no longer.
    pub fn leave(&self) {
        self.site.leaving.store(true, Ordering::Relaxed);
    }

    /// Accepts no more, and lets the last answers go out.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        // Who has not got the last answer by then hears from the closed connection.
        let _ = timeout(LAST_WORDS, self.tracker.wait()).await;
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>, tracker: TaskTracker) {
    let places = Arc::new(Semaphore::new(EXCHANGES));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        // A failed accept is that one client's matter.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let site = Arc::clone(&site);
        tracker.spawn(async move {
            let _ = timeout(EXCHANGE, exchange(stream, site)).await;
            drop(place);
        });
    }
}

async fn exchange(stream: TcpStream, site: Arc<Site>) -> hyper::Result<()> {
    let answer = service_fn(|request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = self.expected.path.as_deref();
        if path.is_some_and(|path| path != request.uri().path()) {
            return plain(StatusCode::NOT_FOUND, "nothing is here");
        }
        match *request.method() {
            Method::GET => self.intent(request.uri().query().unwrap_or_default()).await,
            Method::POST => self.delivery(request).await,
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST"),
        }
    }

    /// A verification or a denial. The callback's own parameters may have the same names; the hub's stand last (HUB-15).
    async fn intent(&self, query: &str) -> Answer {
        let value = |name: &str| {
            let pairs = form_urlencoded::parse(query.as_bytes());
            let values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
            values.last().map(|value| value.into_owned())
        };
        if value("hub.topic").as_deref() != Some(self.expected.topic.as_str()) {
            return plain(StatusCode::NOT_FOUND, "no such topic was asked for");
        }
        let leaving = self.leaving.load(Ordering::Relaxed);
        let event = match value("hub.mode").as_deref() {
            Some("subscribe") if !leaving => Event::Confirmed {
                lease: value("hub.lease_seconds").and_then(|text| {
                    let seconds = Duration::from_secs(text.parse().ok()?);
                    Some(seconds.clamp(Duration::from_secs(1), notation::LONGEST))
                }),
            },
            Some("unsubscribe") if leaving => Event::Ended,
            Some("denied") => Event::Denied {
                reason: value("hub.reason").unwrap_or_else(|| "it gave no reason".to_owned()),
            },
            _ => return plain(StatusCode::NOT_FOUND, "this was not asked for"),
        };
        self.tell(event, &value("hub.challenge").unwrap_or_default())
            .await
    }

    async fn delivery(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
            return plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large, or broke off",
            );
        };
        let now = Clock::System.now();
        let Expected { topic, secret, .. } = &self.expected;
        let delivery = Delivery::new(now, topic.clone(), head.headers, body.to_bytes(), secret);
        self.tell(Event::Delivered(Box::new(delivery)), "").await
    }

    /// Success is answered only when somebody heard of it.
    async fn tell(&self, event: Event, answer: &str) -> Answer {
        match self.events.send(event).await {
            Ok(()) => plain(StatusCode::OK, answer),
            Err(_) => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "this subscriber is leaving",
            ),
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Full::from(text.to_owned()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}
