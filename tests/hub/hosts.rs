//! One host does not take all the places: while as many of its callbacks or topics hang as the hub asks at a time, and more,
//! others are verified and fetched, and a client that waits for a verdict gets its answer.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::support::hub::free_address;
use crate::support::{Scene, TOPIC, eventually};
use crate::support_crash::{Answer, Origin};

/// More than the hub verifies at a time.
const CALLBACKS: usize = 300;
/// More than the hub fetches at a time.
const TOPICS: usize = 40;

#[tokio::test]
async fn a_host_that_hangs_does_not_hold_up_the_verifications_of_others() {
    let scene = Scene::with(&[("subscriptions.verify_timeout", "10m")]).await;
    let host = HangingHost::open().await;
    host.subscribe_all(&scene).await;
    let callback = scene.subscriber.callback("/cb");
    scene.hub.subscribe(TOPIC, callback.url()).active().await;
    assert!(host.asked() < CALLBACKS, "the others of the host wait");
    host.release();
    host.is_asked_for(CALLBACKS).await;
}

#[tokio::test]
async fn a_host_that_hangs_does_not_hold_up_the_fetches_of_others() {
    let scene = Scene::with(&[("fetch.timeout", "10m")]).await;
    let host = HangingHost::open().await;
    let callback = scene.subscriber.callback("/cb");
    let hanging: Vec<_> = (0..TOPICS).map(|number| host.url(number)).collect();
    let healthy = scene.publisher.topic("/feed");
    healthy.says("news");
    let topics = hanging.iter().map(String::as_str).chain([healthy.url()]);
    join_all(topics.map(|topic| async {
        let request = scene.hub.subscribe(topic, callback.url());
        request.active().await
    }))
    .await;
    for topic in &hanging {
        scene.hub.ping(&[topic]).await.expect(204);
    }
    assert_eq!(scene.hub.publish(healthy.url()).await["delivered"], 1);
    assert!(host.asked() < TOPICS, "the others of the host wait");
    host.release();
    host.is_asked_for(TOPICS).await;
}

#[tokio::test]
async fn hub_71_hub_72_a_synchronous_request_that_cannot_have_its_turn_is_answered_in_time_and_kept()
 {
    let scene = Scene::start().await;
    let host = HangingHost::open().await;
    host.subscribe_all(&scene).await;
    let confirming = format!("{}?confirms", host.url(CALLBACKS));
    let request = scene.hub.subscribe(TOPIC, &confirming);
    let request = request.field("hub.verify", "sync");
    let answer = request.send().await.expect(202);
    assert!(answer.text().contains("not verified yet"), "{answer:?}");
    assert_eq!(request.known().await, None);
    host.release();
    eventually("its verification", async || request.known().await).await;
}

/// 127.0.0.2: it answers nobody until it is released, except that `?confirms` in a callback makes it repeat the challenge.
struct HangingHost {
    origin: Origin,
    asked: Arc<Mutex<BTreeSet<String>>>,
    release: watch::Sender<bool>,
}

impl HangingHost {
    async fn open() -> Self {
        let (release, released) = watch::channel(false);
        let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let log = asked.clone();
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), free_address().port()));
        let origin = Origin::open_at(address, move |request| {
            log.lock()
                .expect("no panic")
                .insert(request.path().to_owned());
            match request.target.contains("?confirms") {
                true => crate::support_crash::confirmed(&request),
                false => Answer::When(released.clone()),
            }
        })
        .await;
        Self {
            origin,
            asked,
            release,
        }
    }

    fn url(&self, number: usize) -> String {
        self.origin.url(&format!("/{number}"))
    }

    /// Subscribes its callbacks and waits until the hub has asked some of them.
    async fn subscribe_all(&self, scene: &Scene) {
        let callbacks = (0..CALLBACKS).map(|number| self.url(number));
        join_all(callbacks.map(|callback| async move {
            let request = scene.hub.subscribe(TOPIC, &callback);
            request.send().await.expect(202);
        }))
        .await;
        self.is_asked_for(1).await;
    }

    /// How many of its paths have been asked for.
    fn asked(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }

    async fn is_asked_for(&self, paths: usize) {
        eventually("requests at the host", async || {
            (self.asked() >= paths).then_some(())
        })
        .await;
    }

    /// Everybody who waits gets an answer, and everybody from now on gets one at once.
    fn release(&self) {
        self.release.send(true).expect("the origin listens");
    }
}
