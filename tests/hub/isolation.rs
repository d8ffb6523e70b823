//! Nobody is held up: those who answer have a publication while others hang or are not there. How much longer it takes
//! them is measured by `benches/isolation.rs`; here nothing depends on a clock.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::support::hub::free_address;
use crate::support::{Hub, Request, TOPIC, eventually};
use crate::support_crash::{Answer, Origin, import};

const HEALTHY: usize = 800;
const HANGING: usize = 100;
const REFUSING: usize = 100;

#[tokio::test]
async fn one_hanging_origin_holds_up_nobody() {
    let hanging = free_address();
    holds_up_nobody(|_, _| hanging).await;
}

#[tokio::test]
async fn many_hanging_origins_hold_up_nobody() {
    let port = free_address().port();
    let addresses =
        |number: usize| SocketAddr::from((Ipv4Addr::new(127, 0, 1, 1 + number as u8), port));
    holds_up_nobody(|_, number| addresses(number)).await;
}

#[tokio::test]
async fn hanging_paths_do_not_hold_up_others_of_their_origin() {
    holds_up_nobody(|healthy, number| healthy[number % healthy.len()]).await;
}

/// Two publications reach everybody who is healthy while everybody who hangs goes on hanging. `hangs_at` tells where the
/// hanging receivers are, given the healthy origins.
async fn holds_up_nobody(hangs_at: impl Fn(&[SocketAddr], usize) -> SocketAddr) {
    let healthy = [
        free_address(),
        free_address(),
        free_address(),
        free_address(),
    ];
    let refusing = free_address();
    let mut callbacks = Vec::new();
    for number in 0..HEALTHY {
        callbacks.push(format!(
            "http://{}/healthy/{number}",
            healthy[number % healthy.len()]
        ));
    }
    let mut addresses = BTreeSet::from(healthy);
    for number in 0..HANGING {
        let address = hangs_at(&healthy, number);
        addresses.insert(address);
        callbacks.push(format!("http://{address}/hanging/{number}"));
    }
    for number in 0..REFUSING {
        callbacks.push(format!("http://{refusing}/refusing/{number}"));
    }
    let (release, released) = watch::channel(false);
    let got: Arc<Mutex<BTreeSet<(String, String)>>> = Arc::default();
    let mut origins = Vec::new();
    for address in addresses {
        let (released, got) = (released.clone(), got.clone());
        let receive = move |request: Request| {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            got.lock()
                .expect("no panic")
                .insert((text, request.target.clone()));
            match request.target.starts_with("/hanging/") {
                true => Answer::When(released.clone()),
                false => Answer::Now(200, String::new()),
            }
        };
        origins.push(Origin::open_at(address, receive).await);
    }
    let count = |text: &str, path: &str| {
        let got = got.lock().expect("no panic");
        got.iter()
            .filter(|(body, target)| body == text && target.starts_with(path))
            .count()
    };

    let folder = tempfile::tempdir().expect("a folder");
    import(folder.path(), TOPIC, &callbacks);
    let data = folder.path().to_str().expect("a path in UTF-8");
    let settings = [
        ("data_dir", data),
        ("delivery.timeout", "10m"),
        ("log.level", "warn"),
    ];
    let hub = Hub::with(&settings).await;
    let first = hub.push(TOPIC, "text/plain", b"first").await.expect(202);
    eventually("the first one for all who are healthy", async || {
        (count("first", "/healthy/") == HEALTHY).then_some(())
    })
    .await;
    let second = hub.push(TOPIC, "text/plain", b"second").await.expect(202);
    eventually("the second one for all who are healthy", async || {
        (count("second", "/healthy/") == HEALTHY).then_some(())
    })
    .await;
    assert!(count("first", "/hanging/") > 0, "somebody hangs");
    assert_eq!(
        count("second", "/hanging/"),
        0,
        "who hangs gets one at a time"
    );

    release.send(true).expect("somebody hangs");
    for answer in [&first, &second] {
        let receipt = hub
            .receipt_when(answer, |receipt| receipt["delivered"] == HEALTHY + HANGING)
            .await;
        assert_eq!(receipt["in_backlog"], REFUSING, "{receipt:#}");
    }
    assert_eq!(count("second", "/hanging/"), HANGING);
}

#[tokio::test]
async fn a_dead_origin_costs_a_few_requests_for_each_step_however_much_is_published() {
    const FAILURES: usize = 5;
    const AT_A_TIME: usize = 4;
    const STEP: Duration = Duration::from_secs(1);
    let requests: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = requests.clone();
    let dead = Origin::open(move |_| {
        log.lock().expect("no panic").push(Instant::now());
        Answer::Close
    })
    .await;
    let callbacks: Vec<_> = (0..100)
        .map(|number| dead.url(&format!("/cb{number}")))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    import(folder.path(), TOPIC, &callbacks);
    let hub = Hub::with(&[
        ("data_dir", folder.path().to_str().expect("a path in UTF-8")),
        ("delivery.circuit_failures", &FAILURES.to_string()),
        ("delivery.per_origin", &AT_A_TIME.to_string()),
        ("delivery.retry", "1s"),
    ])
    .await;
    // Bursts are apart by most of a step: jitter takes a tenth of it at most.
    let bursts = || {
        let mut bursts: Vec<Vec<Instant>> = Vec::new();
        for at in requests.lock().expect("no panic").iter() {
            match bursts.last_mut() {
                Some(burst) if at.duration_since(burst[0]) < STEP / 2 => burst.push(*at),
                _ => bursts.push(vec![*at]),
            }
        }
        bursts.iter().map(Vec::len).collect::<Vec<_>>()
    };
    let mut published = 0;
    eventually("some steps", async || {
        published += 1;
        hub.push(TOPIC, "text/plain", format!("{published}").as_bytes())
            .await
            .expect(202);
        (bursts().len() > 4).then_some(())
    })
    .await;
    let bursts = bursts();
    eprintln!("{published} publications to 100 targets of a dead origin: {bursts:?} requests");
    assert!(published > 20, "there was enough to do: {published}");
    // A request that fails on a kept connection is made anew on a fresh one.
    assert!(bursts[0] <= 2 * (FAILURES + AT_A_TIME), "{bursts:?}");
    assert!(
        bursts[1..].iter().all(|requests| *requests <= 2),
        "{bursts:?}"
    );
}
