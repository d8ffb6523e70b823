//! Replays: what a source has raised, sent to a hook once more; all of it or what had failed, with progress, over a restart, until
//! it is done or somebody ends it. And one delivery made again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::declared::ask;
use crate::raising::assert_refused;
use crate::support::{Hub, Reply, Server, eventually};

/// A hub with a source, and a receiver that answers as it is told.
struct Scene {
    hub: Hub,
    receiver: Server,
    status: Arc<AtomicU16>,
}

impl Scene {
    /// The receiver takes `pause` for each answer; `retry` is the schedule of the deliveries.
    async fn start(pause: Duration, retry: &str) -> Self {
        let hub = Hub::with(&[("delivery.retry", retry)]).await;
        let source = json!({ "events": ["posted", "other"] });
        hub.declare("blog", &source).await.expect(201);
        let status = Arc::new(AtomicU16::new(204));
        let told = Arc::clone(&status);
        let answer = move |_: &_| Reply::status(told.load(Ordering::SeqCst)).after(pause);
        let receiver = Server::start_on([127, 0, 0, 1].into(), answer).await;
        Self {
            hub,
            receiver,
            status,
        }
    }

    async fn raise(&self, numbers: std::ops::Range<u64>) {
        let events: Vec<_> = numbers.map(|n| json!({ "n": n })).collect();
        self.hub
            .raise("/blog/events/posted", &json!(events))
            .await
            .expect(202);
    }

    /// Raises an event that the hook does not ask for; when it was accepted.
    async fn other(&self) -> String {
        let raised = self.hub.raise("/blog/events/other", &json!({})).await;
        let receipt = self
            .at(self.hub.path_of(raised.expect(202).location()))
            .await;
        let at = receipt["accepted_at"].as_str();
        at.expect("a time").to_owned()
    }

    async fn hook(&self) -> u64 {
        let wish =
            json!({ "source": "blog", "url": self.receiver.url("/hook"), "events": ["posted"] });
        let made = ask(&self.hub, "POST", "/api/v1/hooks", &wish).await;
        made.expect(201).json()["id"].as_u64().expect("a number")
    }

    /// Begins a replay, and gives the path where it is.
    async fn replay(&self, hook: u64, wish: &Value) -> String {
        let path = format!("/api/v1/hooks/{hook}/replay");
        let begun = ask(&self.hub, "POST", &path, wish).await.expect(202);
        let location = begun.header("Location").expect("where it is").to_owned();
        let begun = begun.json();
        assert_eq!(
            (&begun["hook"], &begun["state"]),
            (&json!(hook), &json!("running"))
        );
        self.hub.path_of(&location).to_owned()
    }

    async fn at(&self, path: &str) -> Value {
        ask(&self.hub, "GET", path, &Value::Null)
            .await
            .expect(200)
            .json()
    }

    /// The replay, once it has ended.
    async fn ended(&self, path: &str) -> Value {
        eventually("the end of the replay", async || {
            let replay = self.at(path).await;
            (replay["state"] != "running").then_some(replay)
        })
        .await
    }

    /// The numbers of the events that arrived, in their order.
    fn arrived(&self) -> Vec<u64> {
        let requests = self.receiver.log().matching(|_| true);
        let number = |body: &[u8]| {
            let body: Value = serde_json::from_slice(body).expect("JSON");
            body["n"].as_u64().expect("a number")
        };
        requests
            .iter()
            .map(|request| number(&request.body))
            .collect()
    }

    async fn until_arrived(&self, count: usize) {
        eventually("requests", async || {
            (self.arrived().len() >= count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_new_hook_gets_what_was_raised_before_it_was_there() {
    let scene = Scene::start(Duration::ZERO, "100ms").await;
    scene.raise(0..3).await;
    let first = scene.other().await;
    // So that a time stands between those before and those after.
    let since = eventually("a later time", async || {
        Some(scene.other().await).filter(|at| *at > first)
    })
    .await;
    scene.raise(3..5).await;
    let hook = scene.hook().await;

    let path = scene.replay(hook, &json!({ "since": "1h" })).await;
    let done = scene.ended(&path).await;
    assert_eq!(done["state"], "finished", "{done}");
    assert_eq!(
        (&done["delivered"], &done["failed"]),
        (&json!(5), &json!(0))
    );
    assert!(done["seen"].as_u64() >= Some(7), "the others are seen too");
    assert!(done["ended_at"].is_string() && done["reason"].is_null());
    assert_eq!(scene.arrived(), [0, 1, 2, 3, 4]);

    let path = scene
        .replay(hook, &json!({ "since": since, "only": "all" }))
        .await;
    let done = scene.ended(&path).await;
    assert_eq!(done["delivered"], 2, "{done}");
    assert_eq!(scene.arrived(), [0, 1, 2, 3, 4, 3, 4]);

    let list = scene.at(&format!("/api/v1/hooks/{hook}/replays")).await;
    let sinces = list["items"].as_array().expect("a list");
    assert_eq!(sinces.len(), 2);
    assert_eq!(list["items"][0]["id"], done["id"], "the newest first");
    let page = |after: &str| format!("/api/v1/hooks/{hook}/replays?limit=1{after}");
    let first = scene.at(&page("")).await;
    assert_eq!(
        (&first["items"][0], first["items"].as_array().map(Vec::len)),
        (&list["items"][0], Some(1))
    );
    let next = first["next"].as_str().expect("there is another page");
    let second = scene.at(&page(&format!("&after={next}"))).await;
    assert_eq!(
        (&second["items"][0], &second["next"]),
        (&list["items"][1], &Value::Null)
    );
}

#[tokio::test]
async fn only_what_had_failed_comes_again() {
    let scene = Scene::start(Duration::ZERO, "1h").await;
    let hook = scene.hook().await;
    scene.raise(0..2).await;
    scene.until_arrived(2).await;
    scene.status.store(500, Ordering::SeqCst);
    scene.raise(2..3).await;
    let failures = format!("/api/v1/hooks/{hook}/deliveries?status=failure");
    let failed = eventually("the failure in the log", async || {
        scene.at(&failures).await["items"].get(0).cloned()
    })
    .await;
    scene.status.store(204, Ordering::SeqCst);

    let wish = json!({ "since": "1h", "only": "failed" });
    let path = scene.replay(hook, &wish).await;
    let done = scene.ended(&path).await;
    assert_eq!(
        (&done["seen"], &done["delivered"], &done["only"]),
        (&json!(3), &json!(1), &json!("failed"))
    );
    assert_eq!(scene.arrived()[3..], [2]);
    // It has it now: nothing is left to be done.
    eventually("the success in the log", async || {
        let list = format!("/api/v1/hooks/{hook}/deliveries?status=success");
        (scene.at(&list).await["items"].as_array()?.len() == 3).then_some(())
    })
    .await;
    let path = scene.replay(hook, &wish).await;
    assert_eq!(scene.ended(&path).await["delivered"], 0);

    let again = format!("/api/v1/hooks/{hook}/deliveries/{}/redeliver", failed["id"]);
    ask(&scene.hub, "POST", &again, &Value::Null)
        .await
        .expect(202);
    scene.until_arrived(5).await;
    assert_eq!(scene.arrived()[4..], [2]);
    let newest = eventually("the redelivery in the log", async || {
        let list = scene.at(&format!("/api/v1/hooks/{hook}/deliveries")).await;
        (list["items"].as_array()?.len() == 5).then(|| list["items"][0].clone())
    })
    .await;
    assert_eq!(newest["redelivery"], true);
    assert_eq!(newest["publication"], failed["publication"]);
}

#[tokio::test]
async fn what_has_failed_since_comes_again_whenever_it_was_raised() {
    let scene = Scene::start(Duration::ZERO, "1s,1h").await;
    let hook = scene.hook().await;
    scene.status.store(500, Ordering::SeqCst);
    scene.raise(0..1).await;
    let failures = format!("/api/v1/hooks/{hook}/deliveries?status=failure");
    let since = eventually("the second failure", async || {
        let page = scene.at(&failures).await;
        let items = page["items"].as_array()?.clone();
        (items.len() == 2).then(|| items[0]["at"].clone())
    })
    .await;
    scene.status.store(204, Ordering::SeqCst);
    let wish = json!({ "since": since, "only": "failed" });
    let path = scene.replay(hook, &wish).await;
    let done = scene.ended(&path).await;
    assert_eq!(
        (&done["seen"], &done["delivered"]),
        (&json!(1), &json!(1)),
        "{done}"
    );
    assert_eq!(scene.arrived(), [0, 0, 0]);
}

#[tokio::test]
async fn a_replay_tells_how_far_it_is_and_stops_at_once() {
    let scene = Scene::start(Duration::from_millis(100), "100ms").await;
    scene.raise(0..1_000).await;
    let hook = scene.hook().await;
    let path = scene.replay(hook, &json!({ "since": "1h" })).await;
    let underway = eventually("progress", async || {
        let replay = scene.at(&path).await;
        (replay["seen"] != 0).then_some(replay)
    })
    .await;
    assert_eq!(underway["state"], "running");
    assert_eq!(underway["seen"], underway["delivered"]);

    let stopped = ask(&scene.hub, "DELETE", &path, &Value::Null).await;
    let stopped = stopped.expect(200).json();
    let arrived = scene.arrived().len();
    assert_eq!(stopped["state"], "stopped");
    assert_eq!(stopped["reason"], "it was stopped on request");
    // Its own last word says what has arrived: one request more than had when it was stopped, at most.
    let last = eventually("the last word", async || {
        let replay = scene.at(&path).await;
        (replay["delivered"].as_u64()? as usize >= arrived).then_some(replay)
    })
    .await;
    assert_eq!(last["state"], "stopped");
    assert!(last["delivered"].as_u64().expect("a number") as usize <= arrived + 1);
    assert!(scene.arrived().len() <= arrived + 1);

    let again = ask(&scene.hub, "DELETE", &path, &Value::Null).await;
    assert_eq!(again.expect(200).json(), last, "it has ended before");
}

#[tokio::test]
async fn a_replay_that_waits_for_its_receiver_ends_with_its_hook() {
    let scene = Scene::start(Duration::ZERO, "1h,1h").await;
    scene.status.store(500, Ordering::SeqCst);
    scene.raise(0..2).await;
    let hook = scene.hook().await;
    let path = scene.replay(hook, &json!({ "since": "1h" })).await;
    scene.until_arrived(1).await;
    let disable = format!("/api/v1/hooks/{hook}/disable");
    ask(&scene.hub, "POST", &disable, &Value::Null)
        .await
        .expect(200);
    let done = scene.ended(&path).await;
    assert_eq!(
        (&done["state"], &done["reason"]),
        (&json!("stopped"), &json!("the hook was disabled"))
    );
    assert_eq!(scene.arrived(), [0], "nothing came after that");
}

#[tokio::test]
async fn a_replay_goes_on_after_a_restart_and_skips_nothing() {
    for gracefully in [true, false] {
        let mut scene = Scene::start(Duration::from_millis(10), "100ms").await;
        scene.raise(0..200).await;
        let hook = scene.hook().await;
        let path = scene.replay(hook, &json!({ "since": "1h" })).await;
        scene.until_arrived(60).await;
        match gracefully {
            true => drop(scene.hub.terminate().await),
            false => scene.hub.kill9().await,
        }
        let before = scene.arrived().len();
        assert!(before < 200, "it was in the middle");
        scene.hub.start_again().await;
        let done = scene.ended(&path).await;
        assert_eq!(done["state"], "finished", "{done}");
        assert_eq!(
            (&done["seen"], &done["delivered"]),
            (&json!(200), &json!(200))
        );
        let arrived = scene.arrived();
        let each: HashSet<u64> = arrived.iter().copied().collect();
        assert_eq!(each.len(), 200, "none is skipped");
        assert!(arrived[before..].is_sorted(), "in their order");
        let most = if gracefully { 200 } else { 251 };
        assert!(arrived.len() <= most, "{} came", arrived.len());
    }
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said_and_not_begun() {
    let scene = Scene::start(Duration::ZERO, "100ms").await;
    let hook = scene.hook().await;
    let path = format!("/api/v1/hooks/{hook}/replay");
    for (wish, status, words) in [
        (json!({}), 400, "since is missing"),
        (json!({ "since": "soon" }), 400, "such as 2h"),
        (
            json!({ "since": "2099-01-01T00:00:00Z" }),
            422,
            "still to come",
        ),
        (
            json!({ "since": "2h", "only": "failing" }),
            400,
            "neither all nor failed",
        ),
        (json!({ "sinse": "2h" }), 400, "did you mean since?"),
    ] {
        let answer = ask(&scene.hub, "POST", &path, &wish).await;
        assert_refused(&answer, status, &[words]);
    }
    let wish = json!({ "since": "2h" });
    let nowhere = ask(&scene.hub, "POST", "/api/v1/hooks/99/replay", &wish).await;
    assert_refused(&nowhere, 404, &["no hook \"99\""]);
    let reader = scene.hub.token("reader", &["blog"], &[]).await;
    let weak = scene.hub.send_json(&reader, "POST", &path, &wish).await;
    assert_refused(&weak, 403, &["manager"]);
    let unknown = ask(&scene.hub, "GET", "/api/v1/replays/x", &Value::Null).await;
    assert_refused(&unknown, 404, &["no replay \"x\""]);
    let missing = format!("/api/v1/hooks/{hook}/deliveries/7/redeliver");
    let missing = ask(&scene.hub, "POST", &missing, &Value::Null).await;
    assert_refused(&missing, 404, &["no delivery \"7\""]);

    let disable = format!("/api/v1/hooks/{hook}/disable");
    ask(&scene.hub, "POST", &disable, &Value::Null)
        .await
        .expect(200);
    let disabled = ask(&scene.hub, "POST", &path, &wish).await;
    assert_refused(&disabled, 422, &["disabled", "/enable"]);
    let list = scene.at(&format!("/api/v1/hooks/{hook}/replays")).await;
    assert_eq!(list["items"], json!([]));
    assert!(scene.arrived().is_empty());

    let manager = scene.hub.token("manager", &["blog"], &[]).await;
    let enable = format!("/api/v1/hooks/{hook}/enable");
    scene
        .hub
        .send_json(&manager, "POST", &enable, &Value::Null)
        .await
        .expect(200);
    let begun = scene.hub.send_json(&manager, "POST", &path, &wish).await;
    let begun = begun.expect(202).json();
    let path = format!("/api/v1/replays/{}", begun["id"].as_str().expect("an id"));
    scene.hub.get_as(&manager, &path).await.expect(200);
    let other = scene.hub.token("manager", &["other"], &[]).await;
    scene.hub.get_as(&other, &path).await.expect(403);
}
