//! How long a visit may take, and how it spends that: on paused time.

use tokio::io::AsyncReadExt;
use tokio::time::sleep;

use super::*;

#[tokio::test(start_paused = true)]
async fn more_than_five_lines_come_one_a_second() {
    let outcome = outcome(&room(), &["x"; 7], async |mut server| {
        server.lets_in().await;
        let start = Instant::now();
        for expected in [0, 0, 0, 0, 0, 1, 2] {
            server.hears("PRIVMSG #news :x").await;
            assert_eq!(start.elapsed().as_secs(), expected);
        }
        server.consents().await;
    })
    .await;
    assert_eq!(outcome, answered(200, "fanfare said 7 lines in #news"));
}

#[tokio::test(start_paused = true)]
async fn who_came_in_late_is_heard_out() {
    let outcome = outcome(&room(), &["x"; 12], async |mut server| {
        sleep(Duration::from_secs(9)).await;
        server.lets_in().await;
        for _ in 0..12 {
            server.hears("PRIVMSG #news :x").await;
        }
        sleep(Duration::from_secs(9)).await;
        server.consents().await;
    })
    .await;
    assert_eq!(outcome, answered(200, "fanfare said 12 lines in #news"));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_confirmed_does_not_wait_for_ever() {
    let start = Instant::now();
    let outcome = outcome(&room(), &["x"; 7], async |mut server| {
        server.lets_in().await;
        // Until the visit has ended.
        while server.stream.read_u8().await.is_ok() {}
    })
    .await;
    let expected = "said, but not confirmed after 12s".to_owned();
    assert_eq!(outcome, unanswered(Failure::Timeout, expected));
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn one_deadline_covers_the_way_in_and_says_how_far_it_came() {
    let start = Instant::now();
    let outcome = outcome(&room(), &["x"], async |mut server| {
        server.welcomes().await;
        // Until the visit has ended.
        while server.stream.read_u8().await.is_ok() {}
    })
    .await;
    let expected = "registered, but not let into the channel after 10s".to_owned();
    assert_eq!(outcome, unanswered(Failure::Timeout, expected));
    assert_eq!(start.elapsed(), WITHIN);
}
