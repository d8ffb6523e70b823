//! The server: a listener comes in, connections are accepted up to a limit and served until they fall quiet or the hub
//! stops. HTTP/1.1, and HTTP/2 without TLS; TLS is the reverse proxy's.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::filters::BoxedFilter;

use super::call::Peer;
use super::settings::LimitSettings;
use super::stream::Streams;
use super::{Reply, Site, Web, routes};

/// How long to wait when no connection can be accepted, as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The largest head of a request, in bytes.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Requests that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;

/// Serves until `stop`. Connections and requests live on `tracker`; those that are open then may end in their own time.
pub async fn serve(listener: TcpListener, web: Web, tracker: TaskTracker, stop: CancellationToken) {
    let streams = Streams::new(tracker.clone(), stop.clone());
    let site = Arc::new(Site::new(web, streams));
    let pruning = Arc::clone(&site);
    let until = stop.clone();
    tracker.spawn(async move { pruning.admission.prune_until(until).await });
    let inspector = Arc::clone(&site.inspector);
    tracker.spawn(async move { inspector.tidy_regularly().await });

    let connection = Connection {
        routes: routes(Arc::clone(&site), tracker.clone()),
        http: http(&site.limits, tracker.clone()),
        quiet_after: site.limits.header_timeout,
        patience: site.limits.body_timeout,
        stop: stop.clone(),
    };
    let room = Arc::new(Semaphore::new(site.limits.connections));
    let next = async || {
        let permit = Arc::clone(&room).acquire_owned().await.ok()?;
        Some((permit, listener.accept().await))
    };
    while let Some(Some((permit, accepted))) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, peer)) => {
                let served = connection.clone().serve(stream, peer.ip(), permit);
                tracker.spawn(served);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How each connection is served.
#[derive(Clone)]
struct Connection {
    routes: BoxedFilter<(Reply,)>,
    http: Builder<OnTracker>,
    /// A connection without a request for this long, or twice this long, is closed.
    quiet_after: Duration,
    /// How long a closing connection may take to read what is still on its way to it.
    patience: Duration,
    stop: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: IpAddr, _permit: OwnedSemaphorePermit) {
        // Failing to set it costs speed, no more.
        let _ = stream.set_nodelay(true);
        let calls = Arc::new(Calls::default());
        let counted = Arc::clone(&calls);
        let routes = TowerToHyperService::new(warp::service(self.routes));
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer {
                address: peer.to_canonical(),
                line: Line(Arc::clone(&counted)),
            });
            let open = Open::begin(&counted);
            let reply = routes.call(request);
            async move {
                let reply = reply.await;
                drop(open);
                reply
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let closing = async {
            let quiet = calls.quiet(self.quiet_after);
            self.stop.run_until_cancelled(quiet).await;
        };
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = closing => {
                connection.as_mut().graceful_shutdown();
                let last = tokio::time::timeout(self.patience, connection).await;
                last.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, %peer, "a connection broke");
        }
    }
}

fn http(limits: &LimitSettings, tracker: TaskTracker) -> Builder<OnTracker> {
    let mut http = Builder::new(OnTracker(tracker));
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_MAX_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.header_timeout)
        .max_header_list_size(HEAD_MAX_BYTES as u32)
        .max_concurrent_streams(STREAMS);
    http
}

/// Puts hyper's tasks where all others are, so that stopping waits for them.
#[derive(Clone)]
struct OnTracker(TaskTracker);

impl<F> hyper::rt::Executor<F> for OnTracker
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// The requests of one connection: how many have begun, and how many have ended.
#[derive(Debug, Default)]
struct Calls {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Calls {
    /// Waits until there has been no request for a span: not one open, none begun, none ended.
    async fn quiet(&self, span: Duration) {
        let mut before = 0;
        loop {
            tokio::time::sleep(span).await;
            let ended = self.ended.load(Ordering::Relaxed);
            let begun = self.begun.load(Ordering::Relaxed);
            if (begun, ended) == (before, before) {
                return;
            }
            before = ended;
        }
    }
}

/// A connection, for an answer that goes on and on: as long as something of it is taken, the connection is not quiet.
#[derive(Clone, Debug)]
pub struct Line(Arc<Calls>);

impl Line {
    /// Something was taken.
    pub fn beat(&self) {
        drop(Open::begin(&self.0));
    }
}

/// A request that is open; it ends when this is dropped.
struct Open(Arc<Calls>);

impl Open {
    fn begin(calls: &Arc<Calls>) -> Self {
        calls.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(calls))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_when_nothing_happens_for_a_span() {
        let calls = Arc::new(Calls::default());
        let begun = tokio::time::Instant::now();
        calls.quiet(SPAN).await;
        assert_eq!(begun.elapsed(), SPAN, "a client that says nothing at all");

        let open = Open::begin(&calls);
        let waited = tokio::time::timeout(10 * SPAN, calls.quiet(SPAN)).await;
        assert!(waited.is_err(), "an open request is not quiet");
        drop(open);
        let quiet = tokio::time::timeout(2 * SPAN, calls.quiet(SPAN)).await;
        assert!(quiet.is_ok());
    }
}
