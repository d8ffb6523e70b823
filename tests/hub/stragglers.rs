//! A publication whose last receiver is slow lets the next one begin, but not before it is written down who has it: when
//! the process is killed then, it does not come anew to those who may have the next one already.

use std::collections::BTreeMap;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::receipts::assert_counts;
use crate::support::{Hub, PATIENCE, Request, TOPIC};
use crate::support_crash::{Answer, Origin, import};

const PROMPT: usize = 30;
const EVERYBODY: u64 = PROMPT as u64 + 1;
const CRASHES: usize = 5;

/// What came to each callback, in order.
type Arrivals = BTreeMap<String, Vec<String>>;

#[tokio::test]
async fn a_crash_while_one_is_slow_does_not_bring_the_publication_to_those_who_have_the_next() {
    let arrivals = watch::Sender::new(Arrivals::new());
    let log = arrivals.clone();
    let prompt = Origin::open(move |request| {
        note(&log, request);
        Answer::Now(200, String::new())
    })
    .await;
    let (release, released) = watch::channel(false);
    let log = arrivals.clone();
    let slow = Origin::open(move |request| {
        note(&log, request);
        Answer::When(released.clone())
    })
    .await;
    let mut callbacks: Vec<_> = (0..PROMPT)
        .map(|at| prompt.url(&format!("/{at}")))
        .collect();
    callbacks.push(slow.url("/slow"));
    let folder = tempfile::tempdir().expect("a folder");
    import(folder.path(), TOPIC, &callbacks);
    let data = folder.path().to_str().expect("a path in UTF-8");
    let settings = [
        ("data_dir", data),
        ("delivery.timeout", "10m"),
        ("log.level", "warn"),
    ];
    let mut hub = Hub::with(&settings).await;

    for _ in 0..CRASHES {
        arrivals.send_modify(Arrivals::clear);
        release.send_replace(false);
        let first = hub.push(TOPIC, "text/plain", b"first").await.expect(202);
        let second = hub.push(TOPIC, "text/plain", b"second").await.expect(202);
        let mut arrived = arrivals.subscribe();
        let next_began = arrived
            .wait_for(|arrived| arrived.contains_key("/slow") && count(arrived, "second") > 0);
        let next_began = timeout(PATIENCE, next_began).await;
        drop(next_began.expect("in time").expect("the sender is here"));
        let known = hub.receipt(&first).await;
        assert_eq!(known["targets"], EVERYBODY, "written down: {known:#}");
        let delivered = known["delivered"].as_u64().expect("a number") as usize;
        hub.kill9().await;
        prompt.drained().await;
        slow.drained().await;

        let before = count(&arrivals.borrow(), "first");
        release.send_replace(true);
        hub.start_again().await;
        for answer in [&first, &second] {
            let counts = [EVERYBODY, EVERYBODY, 0, 0, 0];
            assert_counts(&hub.ended(answer).await, counts);
        }
        let arrived = arrivals.borrow();
        let repeated = count(&arrived, "first") - before;
        // An answer that the hub knew of when it was killed may not have been written down yet.
        assert!(repeated <= PROMPT + 1 - delivered, "{known:#} {arrived:#?}");
        for (callback, got) in arrived.iter() {
            let at = |text| got.iter().position(|it| it == text).expect("it came");
            assert!(at("first") < at("second"), "{callback}: {got:?}");
        }
        assert_eq!(arrived["/slow"][..3], ["first", "first", "second"]);
    }
}

fn note(log: &watch::Sender<Arrivals>, request: Request) {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    log.send_modify(|all| all.entry(request.target).or_default().push(text));
}

fn count(arrivals: &Arrivals, text: &str) -> usize {
    arrivals.values().flatten().filter(|it| *it == text).count()
}
