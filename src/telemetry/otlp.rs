//! Traces to a collector, by OTLP over HTTP. In: the flow's spans. Out: batches, from a thread of the SDK's own; what the collector does not
//! take is lost, and nobody waits for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use tokio::runtime::Handle;

use crate::config::OtlpEndpoint;
use crate::flow::traces::{Sink, Span};
use crate::net::tls::Tls;

/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long spans wait for others.
const DELAY: Duration = Duration::from_secs(1);

/// What sends spans.
#[derive(Clone)]
pub struct Traces(Arc<BatchSpanProcessor>);

impl Traces {
    /// Begins to send spans to a collector; call it on the runtime.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn begin(endpoint: &OtlpEndpoint, tls: &Tls) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config().clone())
            .timeout(TIMEOUT)
            .build()
            .context("cannot set up the HTTP client for traces")?;
        let client = Client {
            http,
            runtime: Handle::current(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(client)
            .with_endpoint(endpoint.as_str())
            .with_timeout(TIMEOUT)
            .build()
            .context("telemetry.otlp_endpoint")?;
        let batches = BatchConfigBuilder::default()
            .with_scheduled_delay(DELAY)
            .build();
        let mut processor = BatchSpanProcessor::new(exporter, batches);
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder()
            .with_service_name("fanfare")
            .with_attribute(version)
            .build();
        processor.set_resource(&resource);
        Ok(Self(Arc::new(processor)))
    }

    /// Where the flow leaves its spans.
    pub fn sink(&self) -> Sink {
        let processor = Arc::clone(&self.0);
        let scope = InstrumentationScope::builder("fanfare").build();
        Arc::new(move |span| processor.on_end(data(span, scope.clone())))
    }

    /// Sends what is left.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(TIMEOUT));
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not sent"),
            Err(error) => tracing::warn!(%error, "the last traces were not sent"),
        }
    }
}

fn data(span: Span, scope: InstrumentationScope) -> SpanData {
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(span.began.0);
    let attributes = span.attributes.into_iter();
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(span.place.trace.0),
            SpanId::from_bytes(span.place.span.0),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: span
            .parent
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.0)),
        parent_span_is_remote: span.is_parent_remote,
        span_kind: match span.is_call {
            true => SpanKind::Client,
            false => SpanKind::Internal,
        },
        name: span.name.into(),
        start_time: began,
        end_time: began + span.took,
        attributes: attributes
            .map(|(name, value)| KeyValue::new(name, value))
            .collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

/// Asks on the hub's runtime for the SDK's thread, which has none.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let asked = self
            .runtime
            .spawn(async move { http.execute(request).await });
        let status = asked.await??.status();
        // What the collector says beyond that helps nobody here.
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}
