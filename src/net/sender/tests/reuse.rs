//! When a connection carries a second request, and that no request is sent twice.

use tokio::sync::Notify;

use super::*;

#[tokio::test]
async fn a_connection_is_used_again() {
    let answers = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 1\r\n\r\n!",
    ];
    for answer in answers {
        let (receiver, sender) = (Receiver::answering(answer).await, sender());
        for _ in 0..5 {
            let outcome = sender.post_text(&receiver.callback(), "news").await;
            assert!(matches!(outcome, Outcome::Answered { .. }), "{outcome:?}");
        }
        assert_eq!(
            (receiver.connections(), receiver.requests()),
            (1, 5),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_said_to_end_is_not_used_again() {
    let answers = [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    ];
    for answer in answers {
        let (receiver, sender) = (Receiver::answering(answer).await, sender());
        for _ in 0..3 {
            let outcome = sender.post_text(&receiver.callback(), "news").await;
            assert_eq!(outcome, answered(200, ""));
        }
        assert_eq!(
            (receiver.connections(), receiver.requests()),
            (3, 3),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn many_at_once_take_a_connection_each_and_share_them_afterwards() {
    let receiver = Receiver::answering(NO_CONTENT).await;
    let (sender, callback) = (sender(), receiver.callback());
    // All in one task, and more than its budget allows in one go: none may miss its answer for that.
    for _ in 0..5 {
        let posts = (0..200).map(|_| sender.post_text(&callback, "news"));
        let outcomes = futures_util::future::join_all(posts).await;
        assert!(outcomes.iter().all(|outcome| *outcome == answered(204, "")));
    }
    assert!(receiver.connections() <= 200);
    assert_eq!(receiver.requests(), 1000);
}

/// What a receiver does to a connection that has carried one request and waits for the next.
async fn meanwhile(deed: impl Fn(Visit) -> Option<Visit> + Clone + Send + Sync + 'static) {
    let (go, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, done) = (go.clone(), gone.clone());
    let receiver = Receiver::start(move |mut visit| {
        let (told, done, deed) = (told.clone(), done.clone(), deed.clone());
        async move {
            visit.request().await;
            visit.answer(NO_CONTENT).await;
            told.notified().await;
            let rest = deed(visit);
            done.notify_one();
            if let Some(mut visit) = rest {
                visit.request().await;
            }
        }
    })
    .await;
    let sender = sender();
    for round in 1..=5 {
        let outcome = sender.post_text(&receiver.callback(), "news").await;
        assert_eq!(outcome, answered(204, ""), "round {round}");
        assert_eq!(sender.pool.size().1, 1, "it was kept in round {round}");
        go.notify_one();
        gone.notified().await;
        // Lets the runtime learn from the kernel what has happened.
        tokio::task::yield_now().await;
    }
    assert_eq!((receiver.connections(), receiver.requests()), (5, 5));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    meanwhile(|_visit| None).await;
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_not_taken_for_an_answer() {
    meanwhile(|visit| {
        let unasked = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(visit.stream.try_write(unasked).unwrap(), unasked.len());
        Some(visit)
    })
    .await;
}

#[tokio::test]
async fn bytes_behind_an_answer_end_the_connection() {
    let twice = [NO_CONTENT, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"].concat();
    let (receiver, sender) = (Receiver::answering(twice).await, sender());
    for _ in 0..3 {
        let outcome = sender.post_text(&receiver.callback(), "news").await;
        assert_eq!(outcome, answered(204, ""));
    }
    assert_eq!((receiver.connections(), receiver.requests()), (3, 3));
}

#[tokio::test]
async fn a_request_that_the_receiver_may_have_seen_is_not_sent_again() {
    // Each connection answers once, reads a second request, and closes without an answer.
    let receiver = Receiver::start(|mut visit| async move {
        visit.request().await;
        visit.answer(NO_CONTENT).await;
        visit.request().await;
    })
    .await;
    let (sender, callback) = (sender(), receiver.callback());
    assert_eq!(
        sender.post_text(&callback, "first").await,
        answered(204, "")
    );
    let outcome = sender.post_text(&callback, "second").await;
    assert_unanswered(
        outcome,
        Failure::Protocol,
        "connection closed before message completed",
    );
    assert_eq!((receiver.connections(), receiver.requests()), (1, 2));

    assert_eq!(
        sender.post_text(&callback, "third").await,
        answered(204, "")
    );
    assert_eq!((receiver.connections(), receiver.requests()), (2, 3));
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_is_read_ends_the_connection() {
    let receiver = Receiver::start(|mut visit| async move {
        visit
            .answer(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
            .await;
        // Leaves most of the body unread until the sender gives up.
        let _ = visit.stream.readable().await;
        std::future::pending().await
    })
    .await;
    let sender = sender();
    let body = Bytes::from(vec![b'x'; 20_000_000]);
    for _ in 0..2 {
        let callback = receiver.callback();
        let outcome = sender
            .post(&callback, HeaderMap::new(), body.clone(), PLENTY)
            .await;
        assert_eq!(outcome, answered(413, ""));
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_post_that_is_abandoned_closes_its_connection() {
    let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
    let receiver = Receiver::start(move |mut visit| {
        let ended = ended.clone();
        async move {
            visit.request().await;
            let second = visit.request().await;
            ended.send(second).unwrap();
        }
    })
    .await;
    let sender = sender();
    let callback = receiver.callback();
    let post = sender.post_text(&callback, "news");
    assert!(
        tokio::time::timeout(Duration::from_millis(100), post)
            .await
            .is_err()
    );
    assert_eq!(has_ended.recv().await.unwrap(), None);
}
