//! How many connections are kept, and for how long.

use super::*;

fn sender_keeping(idle_per_origin: usize, idle_total: usize, idle_timeout: Duration) -> Sender {
    let limits = SenderLimits {
        idle_per_origin,
        idle_total,
        idle_timeout,
    };
    sender_trusting(Tls::new(None).unwrap(), limits)
}

/// Posts to `receiver` so many times at once.
async fn post_at_once(sender: &Sender, receiver: &Receiver, times: usize) {
    let callback = receiver.callback();
    let posts = (0..times).map(|_| sender.post_text(&callback, "news"));
    for outcome in futures_util::future::join_all(posts).await {
        assert_eq!(outcome, answered(204, ""));
    }
}

/// A receiver that answers when `together` requests have come, so that none of them can share a connection.
async fn gathering(together: usize) -> Receiver {
    let gate = Arc::new(tokio::sync::Barrier::new(together));
    Receiver::start(move |mut visit| {
        let gate = gate.clone();
        async move {
            while visit.request().await.is_some() {
                gate.wait().await;
                visit.answer(NO_CONTENT).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn at_most_so_many_are_kept_for_one_origin() {
    let receiver = gathering(5).await;
    let sender = sender_keeping(2, 100, PLENTY);
    post_at_once(&sender, &receiver, 5).await;
    assert_eq!(sender.pool.size(), (1, 2));
    post_at_once(&sender, &receiver, 5).await;
    assert_eq!(receiver.connections(), 5 + 3);
}

#[tokio::test]
async fn at_most_so_many_are_kept_in_all_and_origins_are_forgotten() {
    let sender = sender_keeping(10, 4, PLENTY);
    for _ in 0..20 {
        let receiver = Receiver::answering(NO_CONTENT).await;
        post_at_once(&sender, &receiver, 1).await;
        post_at_once(&sender, &receiver, 1).await;
        assert_eq!(receiver.connections(), 1, "the newest is kept");
        let (origins, connections) = sender.pool.size();
        assert!(origins <= 4 && connections <= 4, "{origins} {connections}");
    }
}

#[tokio::test]
async fn origins_that_never_answer_well_are_forgotten_too() {
    let sender = sender_keeping(10, 4, PLENTY);
    for port in 1..50 {
        // Ports where nobody listens; https, as only that is remembered before there is a connection.
        let callback = callback(&format!("https://127.0.0.1:{port}/"));
        sender
            .post(&callback, HeaderMap::new(), Bytes::new(), Duration::ZERO)
            .await;
    }
    assert!(sender.pool.size().0 <= 2 * 4);
}

#[tokio::test]
async fn nothing_is_kept_when_nothing_may_be_kept() {
    for (per_origin, total) in [(0, 10), (10, 0)] {
        let receiver = Receiver::answering(NO_CONTENT).await;
        let sender = sender_keeping(per_origin, total, PLENTY);
        for _ in 0..3 {
            post_at_once(&sender, &receiver, 1).await;
        }
        assert_eq!(receiver.connections(), 3);
    }
}

#[tokio::test]
async fn a_connection_is_not_used_after_the_idle_timeout() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let sender = sender_keeping(10, 10, Duration::ZERO);
    post_at_once(&sender, &receiver, 1).await;
    assert_eq!(sender.pool.size(), (1, 1));
    post_at_once(&sender, &receiver, 1).await;
    assert_eq!(receiver.connections(), 2);
    assert_eq!(sender.pool.size(), (1, 1));
    sender.prune();
    assert_eq!(sender.pool.size(), (0, 0));
}

#[tokio::test]
async fn pruning_leaves_what_is_fresh() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let sender = sender_keeping(10, 10, PLENTY);
    post_at_once(&sender, &receiver, 1).await;
    sender.prune();
    assert_eq!(sender.pool.size(), (1, 1));
}
