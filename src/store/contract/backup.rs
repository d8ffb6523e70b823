//! What only an engine on disk can show: a backup of a store that is written to is what it had at one moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::hooks::samples::source;
use super::*;
use crate::store::restore::{RestoreError, restore};
use crate::store::{HookChange, HookStore as _};

/// Rows between those that belong together, some pages of them.
const BETWEEN: u128 = 6_000;

async fn back_up(store: &SledStore, path: &Path) {
    let files = BTreeMap::from([("note".to_owned(), "kept beside".to_owned())]);
    let made = store.back_up(path.to_owned(), "now".to_owned(), files);
    made.await.expect("a backup");
}

fn restored(archive: &Path, folder: &Path) -> SledStore {
    let archive = File::open(archive).expect("the archive");
    let restored = restore(archive, folder, |_, _| ()).expect("it is whole");
    assert_eq!(restored.unreadable, 0);
    SledStore::open(folder, options()).expect("the store opens")
}

/// Two rows that always say the same, far from each other, and one that is there in every other round only.
fn round(n: u64) -> Vec<Change> {
    let source = crate::domain::source::Source {
        created_at: Timestamp(n),
        ..source(1)
    };
    let topic = Topic {
        last_publication: Some(PublicationId(Uuid::from_u128(n.into()))),
        ..Topic::new(topic_url(0))
    };
    let now_and_then = match n % 2 {
        0 => Change::Activate(subscription(1, 1, 5)),
        _ => Change::End {
            target: target(1, 1),
            verified_at: None,
        },
    };
    vec![
        HookChange::PutSource(source).into(),
        Change::PutTopic(topic),
        now_and_then,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_shows_one_moment_of_a_store_that_is_written_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SledStore::open(&folder.path().join("data"), options()).expect("a store"));
    let between = (0..BETWEEN).map(|n| {
        let mut receipt = receipt(0, Stage::Unheard);
        receipt.id = PublicationId(Uuid::from_u128(n));
        Change::Receive(receipt)
    });
    commit(&*store, between.collect()).await;
    commit(&*store, round(0)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                commit(&*store, round(n)).await;
            }
            n
        }
    });
    let mut moments = Vec::new();
    for number in 0..4 {
        let archive = folder.path().join(format!("{number}.fanfare"));
        back_up(&store, &archive).await;
        let into = folder.path().join(format!("restored-{number}"));
        let copy = restored(&archive, &into);
        let note = std::fs::read_to_string(into.join("note")).expect("the file beside");
        assert_eq!(note, "kept beside");
        let source = copy.sources(None, 9).await.expect("a read");
        let moment = source[0].created_at.0;
        let topic = copy.topic(topic_url(0).id()).await.expect("a read");
        let last = topic.and_then(|topic| topic.last_publication);
        assert_eq!(last, Some(PublicationId(Uuid::from_u128(moment.into()))));
        let subscription = copy.subscription(target(1, 1)).await.expect("a read");
        assert_eq!(subscription.is_some(), moment.is_multiple_of(2));
        let receipts = copy.receipts(None, usize::MAX).await.expect("a page");
        assert_eq!(receipts.len() as u128, BETWEEN);
        moments.push(moment);
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = writing.await.expect("no panic");
    assert!(
        moments.is_sorted() && moments[3] <= rounds,
        "{moments:?} of {rounds}"
    );
    assert!(moments[3] > 0, "something was written meanwhile");
}

#[tokio::test]
async fn a_restore_takes_an_empty_folder_only_and_goes_on_as_the_store_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SledStore::open(&folder.path().join("data"), options()).expect("a store");
    publish(&store, 1).await;
    let archive = folder.path().join("a.fanfare");
    back_up(&store, &archive).await;
    let error = restore(
        File::open(&archive).expect("the archive"),
        &folder.path().join("data"),
        |_, _| (),
    );
    assert!(matches!(error, Err(RestoreError::NotEmpty(_))), "{error:?}");
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let copy = restored(&archive, &empty);
    assert!(has_body(&copy, 1).await);
    assert_eq!(copy.kept_bytes().await.expect("a read"), 10);
    commit(&copy, vec![Change::Visited(id(1), Tally::default())]).await;
    assert!(!has_body(&copy, 1).await, "nobody wants it any longer");
    assert_eq!(copy.kept_bytes().await.expect("a read"), 0);
}
