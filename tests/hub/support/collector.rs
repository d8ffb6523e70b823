//! A collector of traces that takes OTLP over HTTP. In: the hub's batches. Out: their spans.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::{Reply, Server, eventually};

/// See the module.
pub struct Collector(Server);

/// Spans by their names.
pub type Spans = BTreeMap<String, Vec<Span>>;

impl Collector {
    pub async fn start() -> Self {
        Self(Server::start_on([127, 0, 0, 1].into(), |_| Reply::ok("")).await)
    }

    /// What `telemetry.otlp_endpoint` has to be.
    pub fn endpoint(&self) -> String {
        self.0.url("/v1/traces")
    }

    /// All spans that have come.
    pub fn spans(&self) -> Spans {
        let mut spans = Spans::new();
        for request in self.0.log().matching(|_| true) {
            assert_eq!(request.path(), "/v1/traces");
            assert_eq!(
                request.header("content-type"),
                Some("application/x-protobuf")
            );
            let batch = ExportTraceServiceRequest::decode(request.body.clone()).expect("spans");
            let scopes = batch.resource_spans.into_iter();
            for scope in scopes.flat_map(|it| it.scope_spans) {
                for span in scope.spans {
                    spans.entry(span.name.clone()).or_default().push(span);
                }
            }
        }
        spans
    }

    /// Waits until there are so many of a name.
    pub async fn told(&self, name: &str, count: usize) -> Spans {
        eventually(name, async || {
            let spans = self.spans();
            let its = spans.get(name).map_or(0, Vec::len);
            (its == count).then_some(spans)
        })
        .await
    }
}

/// Where a span stands, as `traceparent` has it.
pub fn place(span: &Span) -> String {
    format!(
        "00-{}-{}-01",
        hex::encode(&span.trace_id),
        hex::encode(&span.span_id)
    )
}

/// What else a span says.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let its = span.attributes.iter().find(|it| it.key == name)?;
    match its.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}
