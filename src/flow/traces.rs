//! Traces: one for a publication, from where it was accepted to each of its deliveries. In: what happens to it, and when. Out: spans, to
//! whoever takes them; nothing at all, and no work, if nobody does.
//!
//! A publication's trace and the spans that others hang on to are made of its id. So nothing is kept of them, and a delivery that comes late,
//! or after a restart, finds its place. Only what a publisher's own trace is has to be remembered, and is not over a restart: then the rest
//! goes on as a trace of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Hub;
use super::clock::random_bytes;
use super::editions::Edition;
use super::tell::Why;
use crate::domain::attempt::{Outcome, Verdict};
use crate::domain::trace::{SpanId, TraceId, TraceParent};
use crate::domain::value::{PublicationId, Timestamp};
use crate::store::{StoreError, Target};

/// Publications whose publisher's trace is remembered; beyond it the oldest are forgotten.
const REMEMBERED: usize = 10_000;
/// What makes the id of a fan-out's span out of that of its publication's.
const OF_FANOUT: u64 = 0x5eed_fa17_0fa2_0001;

tokio::task_local! {
    /// The trace that the request under way is part of.
    static FROM: Option<TraceParent>;
}

/// A request to a target, as it stands in a trace from its beginning on.
pub(super) struct Step {
    /// Where it stands: what its receiver is told.
    pub(super) place: TraceParent,
    parent: SpanId,
    why: Option<Why>,
}

/// Who takes spans.
pub type Sink = Arc<dyn Fn(Span) + Send + Sync>;

/// A step of a trace that has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it stands: its trace, and its own id.
    pub place: TraceParent,
    /// The step that it is part of.
    pub parent: Option<SpanId>,
    /// Whether that is somebody else's.
    pub is_parent_remote: bool,
    /// What is done.
    pub name: &'static str,
    /// Whether that is a request to somebody else.
    pub is_call: bool,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Makes spans.
#[derive(Default)]
pub struct Traces {
    sink: Option<Sink>,
    one_in: u64,
    remembered: Mutex<BTreeMap<PublicationId, TraceParent>>,
}

/// The trace that the request under way is part of, for what it leaves to a task.
pub(super) fn current() -> Option<TraceParent> {
    FROM.try_with(|from| *from).ok().flatten()
}

/// Runs what a request asks for, as part of the trace that the request is part of.
pub async fn within<F: Future>(from: Option<TraceParent>, work: F) -> F::Output {
    FROM.scope(from, work).await
}

impl Traces {
    /// For this sink, of one publication in so many, and of those whose publishers ask for it. Without a sink, of none.
    pub fn new(sink: Option<Sink>, one_in: usize) -> Self {
        Self {
            sink,
            one_in: (one_in as u64).max(1),
            remembered: Mutex::default(),
        }
    }

    /// A publication was accepted, or asked for by a ping, within the request under way. Comes before anything is done with it.
    pub(super) fn accepted(
        &self,
        id: PublicationId,
        name: &'static str,
        topic: &str,
        at: Timestamp,
        now: Timestamp,
    ) {
        let Some(sink) = &self.sink else {
            return;
        };
        let from = current();
        if let Some(from) = from {
            let mut remembered = self
                .remembered
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            remembered.insert(id, from);
            if remembered.len() > REMEMBERED {
                remembered.pop_first();
            }
        }
        let Some(place) = self.place(id) else {
            return;
        };
        sink(Span {
            parent: from.map(|from| from.span),
            is_parent_remote: true,
            attributes: vec![
                ("fanfare.publication", id.to_string()),
                ("fanfare.topic", topic.to_owned()),
            ],
            ..span(place, name, at, now.since(at))
        });
    }

    /// Something was done with a publication: its fetch, or its fan-out.
    pub(super) fn done(
        &self,
        id: PublicationId,
        name: &'static str,
        at: Timestamp,
        now: Timestamp,
        error: Option<String>,
    ) {
        let (Some(sink), Some(root)) = (&self.sink, self.place(id)) else {
            return;
        };
        let own = match name {
            FAN_OUT => fanout_span(root.span),
            _ => SpanId(random_bytes()),
        };
        sink(Span {
            parent: Some(root.span),
            error,
            ..span(TraceParent { span: own, ..root }, name, at, now.since(at))
        });
    }

    /// A request to a target begins, if it is looked at: one of a fan-out, early or late; or beside it, and then `why`.
    pub(super) fn call(&self, edition: &Edition, why: Option<Why>) -> Option<Step> {
        self.sink.as_ref()?;
        let root = self.place(edition.publication().id)?;
        let span = SpanId(random_bytes());
        Some(Step {
            place: TraceParent { span, ..root },
            // A ping has no fan-out.
            parent: match edition.is_ping() {
                true => root.span,
                false => fanout_span(root.span),
            },
            why,
        })
    }

    /// It has ended.
    fn called(
        &self,
        step: Step,
        at: Timestamp,
        took: Duration,
        mut attributes: Vec<(&'static str, String)>,
        error: Option<String>,
    ) {
        let Some(sink) = &self.sink else {
            return;
        };
        attributes.extend(step.why.map(|why| ("fanfare.why", why.name().to_owned())));
        sink(Span {
            parent: Some(step.parent),
            is_call: true,
            attributes,
            error,
            ..span(step.place, "deliver", at, took)
        });
    }

    /// The first span of a publication, if its trace is looked at.
    fn place(&self, id: PublicationId) -> Option<TraceParent> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let from = remembered.get(&id).copied();
        drop(remembered);
        let (_, random) = id.0.as_u64_pair();
        let (trace, sampled) = match from {
            Some(from) => (from.trace, from.sampled),
            None => (
                TraceId(*id.0.as_bytes()),
                random.is_multiple_of(self.one_in),
            ),
        };
        sampled.then_some(TraceParent {
            trace,
            span: SpanId(random.to_be_bytes()),
            sampled,
        })
    }
}

impl Hub {
    /// A job of a publication has ended.
    pub(super) fn traced<T>(
        &self,
        id: PublicationId,
        name: &'static str,
        at: Timestamp,
        ended: &Result<T, StoreError>,
    ) {
        let error = ended.as_ref().err().map(ToString::to_string);
        self.traces.done(id, name, at, self.clock.now(), error);
    }

    /// A request to a target has ended.
    pub(super) fn trace_call(
        &self,
        step: Step,
        target: &Target,
        at: Timestamp,
        took: Duration,
        outcome: &Outcome,
    ) {
        let origin = ("server.address", target.callback().origin().to_owned());
        let mut attributes = vec![("fanfare.target", target.id.to_string()), origin];
        let failure = match outcome {
            Outcome::Answered { status, .. } => {
                attributes.push(("http.response.status_code", status.to_string()));
                format!("it answered {status}")
            }
            Outcome::Unanswered { failure, detail } => format!("{failure:?}: {detail}"),
        };
        let error = (outcome.verdict() != Verdict::Delivered).then_some(failure);
        self.traces.called(step, at, took, attributes, error);
    }
}

/// What a fan-out is called.
pub(super) const FAN_OUT: &str = "fan out";
/// What a hook's ping is called, in which one request hangs.
pub(super) const PING: &str = "ping a hook";
/// What a fetch is called.
pub(super) const FETCH: &str = "fetch";

fn fanout_span(root: SpanId) -> SpanId {
    SpanId((u64::from_be_bytes(root.0) ^ OF_FANOUT).to_be_bytes())
}

fn span(place: TraceParent, name: &'static str, began: Timestamp, took: Duration) -> Span {
    Span {
        place,
        parent: None,
        is_parent_remote: false,
        name,
        is_call: false,
        began,
        took,
        attributes: Vec::new(),
        error: None,
    }
}
