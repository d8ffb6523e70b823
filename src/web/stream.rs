//! Answers that go on as long as somebody reads them: server-sent events. In: what makes the events. Out: a reply that ends when the reader
//! leaves, or takes nothing for a while, or the hub stops.
//!
//! Invariant: there is room for so many readers, and who makes events for a reader that has left is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::poll_fn;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use warp::Reply as _;
use warp::http::HeaderValue;
use warp::reply::Response;
pub use warp::sse::Event;

use super::call::Call;
use super::problem::Problem;

/// The most readers at a time.
const READERS: usize = 64;
/// A reader that takes nothing for this long is left.
const PATIENCE: Duration = Duration::from_secs(15);
/// When the browser comes back after a stream has ended.
const COME_BACK: Duration = Duration::from_secs(2);

/// Where streams live.
pub struct Streams {
    room: Arc<Semaphore>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Streams {
    /// On this tracker, until `stop`.
    pub fn new(tracker: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            room: Arc::new(Semaphore::new(READERS)),
            tracker,
            stop,
        }
    }

    /// A reply to a request: the events, each as soon as it is there. They should come at least every few seconds, be it a comment: else
    /// the connection counts as quiet.
    ///
    /// # Errors
    /// [`Problem::TooMany`] when there is no room for another reader.
    pub fn open(
        &self,
        call: &Call,
        events: impl Stream<Item = Event> + Send + 'static,
    ) -> Result<Response, Problem> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let place = room.map_err(|_| Problem::TooMany(PATIENCE))?;
        let (sender, mut receiver) = mpsc::channel(1);
        let (stop, line) = (self.stop.clone(), call.line.clone());
        self.tracker.spawn(async move {
            let _place = place;
            let hello = Event::default().comment("hello").retry(COME_BACK);
            let events = futures_util::stream::once(async { hello }).chain(events);
            let mut events = std::pin::pin!(events);
            loop {
                let event = tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    () = sender.closed() => break,
                    event = events.next() => event,
                };
                let Some(event) = event else { break };
                match sender.send_timeout(event, PATIENCE).await {
                    Ok(()) => line.beat(),
                    Err(_) => break,
                }
            }
        });
        let events = poll_fn(move |context| receiver.poll_recv(context));
        let mut reply =
            warp::sse::reply(events.map(Ok::<_, std::convert::Infallible>)).into_response();
        // A proxy that gathers an answer before it passes it on would show nothing for ever.
        for (name, value) in [
            ("x-accel-buffering", "no"),
            ("x-content-type-options", "nosniff"),
        ] {
            let value = HeaderValue::from_static(value);
            reply.headers_mut().insert(name, value);
        }
        Ok(reply)
    }
}
