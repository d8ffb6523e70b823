//! What comes of a delivery in a round that goes wrong.

use bytes::Bytes;

use super::super::tests::{fanout, hub, publication, subscriber};
use super::*;

#[tokio::test]
async fn a_delivery_that_panics_goes_through_the_backlog() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    // It connects, and never answers.
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", receiver.local_addr().expect("an address"));
    let target = Target::from(subscriber(&hub, &url));
    let id = target.id;
    let publication = publication(&hub, fanout(&hub, 0).await.publication);
    let edition = hub.edition_of(publication, Bytes::from_static(b"x"));
    let carrier = Carrier::new(Arc::clone(&hub), Arc::new(edition), Tally::default());
    let gate = hub.gates.of(target.callback().origin());
    let permit = gate.try_pass().expect("a permit");
    assert!(hub.turns.begin(id, false));
    let (mut patience, mut panicked) = (Patience::new(), false);
    let panics = || {
        panicked = true;
        panic!("on purpose");
    };
    let landing = carrier.carry(&target, permit, &mut patience, panics);
    assert!(matches!(landing.await, Landing::Settled));
    assert!(panicked);
    assert!(hub.turns.resume(id).is_some(), "its turn is over");
    let waiting = hub.store.waiting(id, 10).await.expect("a read");
    assert_eq!(waiting.len(), 1);
    hub.store.close().await.expect("closed");
}
