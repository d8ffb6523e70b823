//! How many deliveries a second the sender makes, in relation to wrk against the same sink in the same run.
//!
//!     cargo bench --bench sender [-- POSTS TASKS...]

#![allow(
    clippy::disallowed_methods,
    reason = "a bench has no tracker of its own"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{cpu, sink::Sink, wrk};
use fanfare::domain::attempt::Verdict;
use fanfare::domain::value::CallbackUrl;
use fanfare::net::dial::Dialer;
use fanfare::net::guard::Guard;
use fanfare::net::resolve::Resolver;
use fanfare::net::sender::{Sender, SenderLimits};
use fanfare::net::tls::Tls;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio_util::task::TaskTracker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ORIGINS: usize = 16;
const WITHIN: Duration = Duration::from_secs(10);

#[tokio::main(worker_threads = 2)]
async fn run(sink: &Sink, posts: usize, tasks: usize) -> f64 {
    let guard = Guard::callbacks(vec!["127.0.0.0/8".parse().expect("a network")]);
    let resolver = Arc::new(Resolver::new(Arc::new(guard)));
    let dialer = Dialer::new(resolver, WITHIN);
    let tls = Tls::new(None).expect("the common authorities");
    let limits = SenderLimits::default();
    let sender = Arc::new(Sender::new(dialer, tls, limits));

    let callbacks = sink.ports.iter().flat_map(|port| {
        (0..100).map(move |path| {
            let url = format!("http://127.0.0.1:{port}/callback/{path}?id=4711");
            CallbackUrl::parse(&url).expect("a callback")
        })
    });
    let callbacks: Arc<[CallbackUrl]> = callbacks.collect();
    let (headers, body) = (headers(), Bytes::from(vec![b'x'; 1024]));
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let tracker = TaskTracker::new();
    for _ in 0..tasks {
        let (sender, callbacks) = (Arc::clone(&sender), Arc::clone(&callbacks));
        let (headers, body, next) = (headers.clone(), body.clone(), Arc::clone(&next));
        tracker.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= posts {
                    return;
                }
                // Origins take turns, as keys that are hashes make them.
                let callback = &callbacks[number * 101 % callbacks.len()];
                let exchange = sender
                    .send(
                        &Method::POST,
                        callback,
                        headers.clone(),
                        body.clone(),
                        WITHIN,
                    )
                    .await;
                assert_eq!(
                    exchange.outcome.verdict(),
                    Verdict::Delivered,
                    "{exchange:?}"
                );
            }
        });
    }
    tracker.close();
    tracker.wait().await;
    posts as f64 / began.elapsed().as_secs_f64()
}

/// The headers of a signed delivery.
fn headers() -> HeaderMap {
    let signature = "0123456789abcdef0123456789abcdef01234567";
    let pairs = [
        ("content-type", "application/atom+xml; charset=utf-8"),
        (
            "link",
            "<https://example.org/feed>; rel=\"self\", <https://hub.example.org/>; rel=\"hub\"",
        ),
        ("user-agent", "fanfare/0.1"),
        ("x-hub-delivery", "0190a1f2-5c3d-7e4f-8a9b-0c1d2e3f4a5b"),
        ("x-hub-signature", signature),
        ("x-hub-signature-256", signature),
    ];
    let pairs = pairs.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    HeaderMap::from_iter(pairs)
}

fn main() {
    Sink::run_if_asked();
    let arguments: Vec<usize> = std::env::args()
        .filter_map(|text| text.parse().ok())
        .collect();
    let posts = arguments.first().copied().unwrap_or(200_000);
    let tasks = match arguments.get(1..) {
        None | Some([]) => &[64, 256, 512],
        Some(tasks) => tasks,
    };
    for &tasks in tasks {
        // A sink for each, as wrk leaves requests behind that would be counted later.
        let (sink, burnt) = (Sink::start(1), cpu::of_children());
        let reference = wrk::rate(&format!("http://127.0.0.1:{}/", sink.ports[0]), 3);
        let burnt = (cpu::of_children() - burnt) / sink.count() as f64;
        println!(
            "wrk, 64 connections: {reference:.0}/s, {:.1} us of CPU each",
            burnt * 1e6
        );

        let (sink, burnt) = (Sink::start(ORIGINS), cpu::of_this_process());
        let rate = run(&sink, posts, tasks);
        let burnt = (cpu::of_this_process() - burnt) / posts as f64;
        assert_eq!(sink.count(), posts as u64, "one request for each post");
        println!(
            "sender, {tasks} tasks: {rate:.0}/s, {:.2} of wrk, {:.1} us of CPU each",
            rate / reference,
            burnt * 1e6
        );
    }
}
