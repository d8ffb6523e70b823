//! The subscribers of the bench: one HTTP server that is many callbacks. In: the hub's verifications and deliveries. Out: how many have
//! come, and when the first and the last did.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::form_urlencoded;

use crate::domain::signature;
use crate::domain::value::{Secret, TopicUrl};

/// The largest delivery that is taken, in bytes.
const BODY_MAX: usize = 2 << 20;

/// How long the last answers may take to go out.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The header with the signature; every hub sends it.
const SIGNATURE: &str = "x-hub-signature";

/// The callbacks, while they are served.
pub struct Callbacks {
    site: Arc<Site>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

struct Site {
    topic: TopicUrl,
    secret: Secret,
    count: Mutex<Count>,
    changed: Notify,
}

/// What has come.
#[derive(Default)]
struct Count {
    /// The paths that have agreed to a subscription, and not to its end.
    verified: HashSet<String>,
    /// The paths that have the publication under way.
    had: HashSet<String>,
    expected: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    wrongly_signed: usize,
}

type Answer = Response<Full<Bytes>>;

impl Callbacks {
    /// Starts to serve.
    pub fn start(listener: TcpListener, topic: TopicUrl, secret: Secret) -> Self {
        let site = Arc::new(Site {
            topic,
            secret,
            count: Mutex::default(),
            changed: Notify::new(),
        });
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let accepting = accept(listener, Arc::clone(&site), tracker.clone(), stop.clone());
        let stopped = stop.clone();
        tracker.spawn(async move {
            tokio::select! {
                () = accepting => {}
                () = stopped.cancelled() => {}
            }
        });
        Self {
            site,
            tracker,
            stop,
        }
    }

    /// Accepts no more, and lets the last answers go out.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        // Who has not got the last answer by then hears from the closed connection.
        let _ = timeout(LAST_WORDS, self.tracker.wait()).await;
    }

    /// Waits until so many callbacks have agreed.
    pub async fn verified(&self, number: usize) {
        self.until(|count| (count.verified.len() >= number).then_some(()))
            .await;
    }

    /// Waits until all of them have agreed to the end.
    pub async fn all_left(&self) {
        self.until(|count| count.verified.is_empty().then_some(()))
            .await;
    }

    /// How many have agreed so far.
    pub fn verified_now(&self) -> usize {
        self.site.lock().verified.len()
    }

    /// Nobody has the next publication yet, which so many are to get.
    pub fn expect(&self, number: usize) {
        let mut count = self.site.lock();
        count.had.clear();
        count.expected = number;
        (count.first, count.last) = (None, None);
    }

    /// Waits until everybody has it: when the first got it, and when the last.
    pub async fn complete(&self) -> (Instant, Instant) {
        self.until(|count| Some((count.first?, count.last?))).await
    }

    /// How many have it so far.
    pub fn had_now(&self) -> usize {
        self.site.lock().had.len()
    }

    /// How many deliveries had no signature, or a wrong one.
    pub fn wrongly_signed(&self) -> usize {
        self.site.lock().wrongly_signed
    }

    async fn until<T>(&self, found: impl Fn(&Count) -> Option<T>) -> T {
        loop {
            let changed = self.site.changed.notified();
            if let Some(found) = found(&self.site.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        // A failed accept is that one client's matter.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (site, stop) = (Arc::clone(&site), stop.clone());
        tracker.spawn(async move {
            let answer = service_fn(|request| {
                let site = Arc::clone(&site);
                async move { Ok::<_, Infallible>(site.answer(request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            let mut connection = std::pin::pin!(connection);
            // How it ends is the hub's matter.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
}

impl Site {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match *request.method() {
            Method::GET => self.intent(&request),
            Method::POST => self.delivery(request).await,
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, String::new()),
        }
    }

    /// Agrees to whatever the hub asks of the topic of this run, a denial too.
    fn intent(&self, request: &Request<Incoming>) -> Answer {
        let query = request.uri().query().unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let value = pairs.find(|(key, _)| key == name);
            value.map(|(_, value)| value.into_owned())
        };
        if value("hub.topic").as_deref() != Some(self.topic.as_str()) {
            return plain(StatusCode::NOT_FOUND, String::new());
        }
        let path = request.uri().path();
        match value("hub.mode").as_deref() {
            Some("subscribe") => self.lock().verified.insert(path.to_owned()),
            _ => self.lock().verified.remove(path),
        };
        self.changed.notify_waiters();
        plain(StatusCode::OK, value("hub.challenge").unwrap_or_default())
    }

    async fn delivery(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_MAX).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, String::new());
        };
        let body = body.to_bytes();
        let signature = head.headers.get(SIGNATURE).map(|value| value.to_str());
        let is_signed =
            matches!(signature, Some(Ok(value)) if signature::verify(value, &self.secret, &body));
        let now = Instant::now();
        let mut count = self.lock();
        count.wrongly_signed += usize::from(!is_signed);
        count.had.insert(head.uri.path().to_owned());
        count.first.get_or_insert(now);
        if count.had.len() == count.expected {
            count.last.get_or_insert(now);
            self.changed.notify_waiters();
        }
        plain(StatusCode::NO_CONTENT, String::new())
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plain(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    answer
}
