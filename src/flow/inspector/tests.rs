//! Bins that fill, end and are followed, on a clock that is passed in.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn inspector(settings: InspectorSettings) -> Inspector {
    let clock = Clock::runtime(Timestamp(1_000));
    Inspector::new(settings, clock, CancellationToken::new())
}

fn small() -> InspectorSettings {
    InspectorSettings {
        bins: 2,
        requests_per_bin: 3,
        bytes_per_bin: 2_000,
        body: 1_000,
        keep: HOUR,
    }
}

fn arrival(method: Method, query: Option<&str>, body: &'static [u8]) -> Arrival {
    Arrival {
        from: [127, 0, 0, 1].into(),
        method,
        query: query.map(str::to_owned),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body),
        size: body.len(),
    }
}

fn post(body: &'static [u8]) -> Arrival {
    arrival(Method::POST, None, body)
}

fn numbers(caught: Option<Vec<Arc<Caught>>>) -> Option<Vec<u64>> {
    caught.map(|caught| caught.iter().map(|caught| caught.number).collect())
}

#[tokio::test(start_paused = true)]
async fn a_bin_is_bounded_in_requests_and_in_bytes() {
    let inspector = inspector(small());
    let id = inspector
        .make(Uuid::nil(), Manners::default())
        .expect("room")
        .id;
    for _ in 0..5 {
        inspector.catch(&id, post(b"x")).expect("it is there");
    }
    assert_eq!(numbers(inspector.caught(&id, 0, 9)), Some(vec![3, 4, 5]));
    assert_eq!(numbers(inspector.caught(&id, 4, 9)), Some(vec![5]));
    assert_eq!(inspector.one(&id, 4).map(|caught| caught.number), Some(4));
    assert!(inspector.one(&id, 2).is_none() && inspector.one(&id, 0).is_none());
    for _ in 0..2 {
        inspector
            .catch(&id, post(&[b'x'; 1_000]))
            .expect("it is there");
    }
    assert_eq!(numbers(inspector.caught(&id, 0, 9)), Some(vec![7]));
    let standing = inspector.look(&id).expect("it is there");
    assert_eq!((standing.received, standing.kept), (7, 1));
    assert!(inspector.empty(&id));
    inspector.catch(&id, post(b"x")).expect("it is there");
    assert_eq!(numbers(inspector.caught(&id, 0, 9)), Some(vec![8]));
}

#[tokio::test(start_paused = true)]
async fn a_bin_ends_after_nobody_has_looked_for_an_hour_and_not_while_it_is_followed() {
    let inspector = inspector(small());
    let make = || inspector.make(Uuid::nil(), Manners::default());
    let id = make().expect("room").id;
    make().expect("room");
    assert_eq!(make().expect_err("two are enough"), Full(2));
    tokio::time::advance(HOUR - Duration::from_secs(1)).await;
    assert!(inspector.look(&id).is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(
        inspector.all().len(),
        1,
        "the one that nobody has looked at"
    );
    // What comes keeps no bin: nobody may be there any longer.
    inspector.catch(&id, post(b"x")).expect("it is there");
    let follower = inspector.follow(&id, 0).expect("it is there");
    tokio::time::advance(HOUR * 3).await;
    assert!(inspector.owner(&id).is_some());
    drop(follower);
    tokio::time::advance(HOUR).await;
    assert!(inspector.catch(&id, post(b"x")).is_none());
    assert!(inspector.follow(&id, 0).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_follows_hears_of_each_and_of_the_end() {
    let inspector = inspector(small());
    let id = inspector
        .make(Uuid::nil(), Manners::default())
        .expect("room")
        .id;
    inspector.catch(&id, post(b"1")).expect("it is there");
    let mut follower = inspector.follow(&id, 0).expect("it is there");
    assert_eq!(numbers(inspector.next(&mut follower).await), Some(vec![1]));
    let (next, _) = tokio::join!(inspector.next(&mut follower), async {
        inspector.catch(&id, post(b"2"))
    });
    let next = numbers(next);
    assert_eq!(next, Some(vec![2]));
    assert!(inspector.end(&id) && !inspector.end(&id));
    assert_eq!(numbers(inspector.next(&mut follower).await), None);
}

#[tokio::test(start_paused = true)]
async fn a_verification_is_answered_unless_it_is_told_otherwise() {
    let manners = Manners {
        status: 503,
        delay: Duration::from_secs(2),
        challenge: true,
    };
    let query = "hub.challenge=mine&hub.mode=subscribe&hub.challenge=a%20b";
    let reply = |manners: Manners, method, query| manners.reply(&method, query);
    let asked = reply(manners, Method::GET, Some(query));
    assert_eq!(
        (asked.status, asked.challenge.as_deref()),
        (200, Some("a b"))
    );
    assert_eq!(asked.delay, manners.delay);
    for (challenge, method, query) in [
        (true, Method::POST, Some(query)),
        (true, Method::GET, Some("a=b")),
        (true, Method::GET, None),
        (false, Method::GET, Some(query)),
    ] {
        let manners = Manners {
            challenge,
            ..manners
        };
        let other = reply(manners, method, query);
        assert_eq!((other.status, other.challenge), (503, None));
    }
}
