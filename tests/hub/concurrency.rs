//! The limit on deliveries in flight holds over all origins.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::support::hub::free_address;
use crate::support::{Hub, PATIENCE, TOPIC};
use crate::support_crash::{Answer, Origin, import};

const ORIGINS: usize = 12;
const LIMIT: usize = 4;

/// How many requests are held, and how many were at the most.
#[derive(Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[tokio::test]
async fn so_many_deliveries_are_in_flight_and_no_more() {
    let port = free_address().port();
    let held: Arc<Held> = Arc::default();
    let (came, mut coming) = mpsc::unbounded_channel();
    let (mut origins, mut doors, mut callbacks) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..ORIGINS {
        let (door, opened) = watch::channel(false);
        let (held, came) = (Arc::clone(&held), came.clone());
        let hold = move |_| {
            let now = held.now.fetch_add(1, Ordering::SeqCst) + 1;
            held.most.fetch_max(now, Ordering::SeqCst);
            came.send(number).expect("the test goes on");
            Answer::When(opened.clone())
        };
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 2, 1 + number as u8), port));
        let origin = Origin::open_at(address, hold).await;
        callbacks.push(origin.url("/callback"));
        origins.push(origin);
        doors.push(door);
    }
    let folder = tempfile::tempdir().expect("a folder");
    import(folder.path(), TOPIC, &callbacks);
    let settings = [
        ("data_dir", folder.path().to_str().expect("a path in UTF-8")),
        ("delivery.concurrency", "4"),
        ("delivery.per_origin", "4"),
        ("delivery.timeout", "10m"),
    ];
    let hub = Hub::with(&settings).await;
    let answer = hub.push(TOPIC, "text/plain", b"news").await.expect(202);

    let mut waiting = VecDeque::new();
    for left in (1..=ORIGINS).rev() {
        while waiting.len() < left.min(LIMIT) {
            let next = timeout(PATIENCE, coming.recv()).await.expect("a request");
            waiting.push_back(next.expect("an origin"));
        }
        // It counts no longer before the hub can know that.
        held.now.fetch_sub(1, Ordering::SeqCst);
        let first = waiting.pop_front().expect("one is held");
        doors[first].send(true).expect("it waits for that");
    }
    hub.receipt_when(&answer, |receipt| receipt["delivered"] == ORIGINS)
        .await;
    assert_eq!(held.most.load(Ordering::SeqCst), LIMIT);
}
