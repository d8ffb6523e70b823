//! What a replay says of how far it has looked.

use super::*;
use crate::flow::tests::{fanout, hub, subscriber};

#[tokio::test]
async fn who_has_not_looked_at_all_does_not_say_that_there_is_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = hub(&folder);
    let subscription = subscriber(&hub, "http://127.0.0.1:9/").subscription;
    let since = subscription.active_since;
    for _ in 0..5 {
        fanout(&hub, 1).await;
    }
    let mut service = SelfService::new(Arc::clone(&hub));
    for (rows, found, is_all) in [(100, 5, true), (5, 5, false), (3, 3, false)] {
        service.rows_max = rows;
        let kept = service.kept_since(&subscription, since, Which::All).await;
        let (kept, whole) = kept.expect("the store tells");
        assert_eq!((kept.len(), whole), (found, is_all), "{rows} rows");
    }
    let ended = service.send_again(&subscription, since, Which::All).await;
    let ended = ended.expect("the store tells");
    assert!(ended.contains("there may be more"), "{ended}");
    hub.store.close().await.expect("closed");
}
