//! What only an engine on disk can show: that data outlives the process, that damage is told, that syncs are shared.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::hooks::samples::{delivery_id, hook, hook_id, own_delivery};
use super::*;
use crate::store::key::Key;
use crate::store::record::Record as _;
use crate::store::{HookChange, HookStore as _, StoreError};

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
                Ok(metadata) => metadata.len(),
                Err(_) => 0,
            }
        })
        .sum()
}

/// Writes behind the store's back.
fn plant(folder: &TempDir, key: &Key, value: &[u8]) {
    let database = ::sled::Config::new().path(folder.path()).open();
    let database = database.expect("the raw database");
    database.insert(key.bytes(), value).expect("a row");
    database.flush().expect("a flush");
}

#[tokio::test]
async fn everything_committed_is_there_after_a_drop_and_after_a_close() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 1..=6 {
        let store = open(&folder);
        for n in 1..round {
            assert_eq!(
                store.receipt(id(n)).await.expect("a read"),
                Some(receipt(n, Stage::Delivering))
            );
            assert!(has_body(&store, n).await);
        }
        let begin = Change::Receive(receipt(round, Stage::Delivering));
        let body = Bytes::from(vec![round; 130_000]);
        let journal = Change::Journal(publication(round, body.len()), body);
        commit(&store, vec![begin, journal]).await;
        if round % 2 == 0 {
            store.close().await.expect("it closes");
            let error = store.commit(Vec::new()).await.expect_err("it is closed");
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
            let error = store.receipt(id(1)).await.expect_err("it is closed");
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
    }
}

#[tokio::test]
async fn a_folder_is_for_one_store_and_one_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("made").join("data");
    let first = SledStore::open(&inner, options()).expect("the store opens");
    let mode = fs::metadata(&inner).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let error = SledStore::open(&inner, options()).err();
    assert!(matches!(error, Some(StoreError::InUse(_))), "{error:?}");
    first.close().await.expect("it closes");
    // Closed is enough: the first need not be dropped.
    SledStore::open(&inner, options()).expect("the store opens");
}

#[tokio::test]
async fn commits_that_come_together_share_syncs() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(open(&folder));
    let before = store.syncs();
    let commits = (0..400_u128).map(|n| {
        let mut receipt = receipt(0, Stage::Unheard);
        receipt.id = PublicationId(Uuid::from_u128(n));
        store.commit(vec![Change::Receive(receipt)])
    });
    for committed in futures_util::future::join_all(commits).await {
        committed.expect("a commit");
    }
    let syncs = store.syncs() - before;
    assert!((1..=100).contains(&syncs), "{syncs} syncs");
    assert_eq!(store.receipts(None, 999).await.expect("a page").len(), 400);
}

#[tokio::test]
async fn a_big_body_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let body: Bytes = (0..5_000_000_u32).map(|n| (n / 7) as u8).collect();
    let store = open(&folder);
    let begin = Change::Receive(receipt(1, Stage::Delivering));
    let journal = Change::Journal(publication(1, body.len()), body.clone());
    commit(&store, vec![begin, journal]).await;
    drop(store);
    let read = open(&folder).publication(id(1)).await.expect("a read");
    assert_eq!(read, Some((publication(1, body.len()), body)));
}

#[tokio::test]
async fn bodies_that_came_and_went_leave_no_mountain() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    for n in 0..120_u8 {
        let body = Bytes::from(vec![n; 250_000]);
        let begin = Change::Receive(receipt(n, Stage::Delivering));
        let journal = Change::Journal(publication(n, body.len()), body);
        commit(&store, vec![begin, journal]).await;
        if let Some(old) = n.checked_sub(4) {
            commit(&store, vec![Change::Visited(id(old), Tally::default())]).await;
        }
    }
    // 30 MB went through, one is kept.
    let size = size_of(folder.path());
    assert!(size < 20_000_000, "{size} bytes");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = Key::Subscription(target(0, 2));
    {
        let store = open(&folder);
        let all = (1..=3).map(|at| Change::Activate(subscription(0, at, 5)));
        commit(&store, all.collect()).await;
    }
    plant(&folder, &key, b"\x00no subscription");
    let store = open(&folder);
    for _ in 0..2 {
        let page = store.subscriptions(None, 99).await.expect("a page");
        assert_eq!(page.len(), 2);
        let row = store.subscription(target(0, 2)).await.expect("a read");
        assert_eq!(row, None);
        assert_eq!(store.quarantined(), 1);
    }
    // Others of the same group of commits are not harmed by a change of the bad row, which heals it.
    let end = Change::End {
        target: target(0, 2),
        verified_at: Some(Timestamp(5)),
    };
    let (ended, activated) = tokio::join!(
        store.commit(vec![end]),
        store.commit(vec![Change::Activate(subscription(0, 4, 5))])
    );
    ended.expect("a commit");
    activated.expect("a commit");
    let topic = topic_url(0).id();
    assert_eq!(store.subscribers(topic).await.expect("a read"), 3);
    store.close().await.expect("it closes");

    let raw = ::sled::Config::new().path(folder.path()).open();
    let copy = raw
        .expect("the raw database")
        .get(Key::Quarantined(key.bytes()).bytes());
    let copy = copy.expect("a read").expect("a copy");
    assert_eq!(&*copy, b"\x00no subscription");
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(&folder));
    plant(&folder, &Key::Format, &4_u64.encode());
    let error = SledStore::open(folder.path(), options()).err();
    let error = error.expect("refused").to_string();
    assert!(error.contains("format 4"), "{error}");
    assert!(error.contains("newer version"), "{error}");
}

/// What the first version wrote is read; and that version, which knows format 1 only, refuses the folder from then on.
#[tokio::test]
async fn a_folder_of_an_older_version_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let store = open(&folder);
        let subscribe = Change::Activate(subscription(0, 1, 5));
        let begin = Change::Receive(receipt(1, Stage::Delivering));
        commit(&store, vec![subscribe, begin]).await;
    }
    let golden = include_str!("../golden/v1.txt").lines();
    let lines = golden.filter_map(|line| line.strip_prefix("publication "));
    let row: Vec<_> = lines
        .flat_map(|line| line.split(' '))
        .map(|word| hex::decode(word).expect("hex"))
        .collect();
    let key = Key::parse(&row[0]).expect("a key");
    plant(&folder, &key, &row[1]);
    plant(&folder, &Key::BodyChunk(id(1), 0), b"in a piece");
    plant(&folder, &Key::Format, &1_u64.encode());

    let store = open(&folder);
    let kept = store.publication(id(1)).await.expect("a read");
    let expected = (publication(1, 70_000), Bytes::from_static(b"in a piece"));
    assert_eq!(kept, Some(expected));
    let held = store.subscription(target(0, 1)).await.expect("a read");
    assert_eq!(held, Some(subscription(0, 1, 5)));
    commit(&store, vec![Change::Visited(id(1), Tally::default())]).await;
    assert!(!has_body(&store, 1).await);
    assert_eq!(store.quarantined(), 0);
    drop(store);
    let raw = ::sled::Config::new().path(folder.path()).open();
    let raw = raw.expect("the raw database");
    let format = raw.get(Key::Format.bytes()).expect("a read");
    assert_eq!(format.as_deref(), Some(&*3_u64.encode()));
    assert_eq!(raw.get(Key::BodyChunk(id(1), 0).bytes()), Ok(None));
}

#[tokio::test]
async fn a_cut_database_opens_with_what_is_sound_or_is_told() {
    let whole = tempfile::tempdir().expect("a folder");
    {
        let store = open(&whole);
        for at in 0..250 {
            let all = (0..20).map(|topic| Change::Activate(subscription(topic, at, 5)));
            commit(&store, all.collect()).await;
        }
    }
    let length = fs::metadata(whole.path().join("db")).expect("a file").len();
    let (mut opened, mut refused) = (0, 0);
    for cut in (0..8).map(|eighth| length * eighth / 8 + 77).rev() {
        let folder = tempfile::tempdir().expect("a folder");
        for entry in fs::read_dir(whole.path()).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.path().is_file() {
                fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy");
            }
        }
        let file = OpenOptions::new()
            .write(true)
            .open(folder.path().join("db"));
        file.expect("a file").set_len(cut).expect("a cut");
        match SledStore::open(folder.path(), options()) {
            Ok(store) => {
                opened += 1;
                // Whatever is left can be read to its end or says that it cannot, and is never more than there was.
                if let Ok(rows) = store.subscriptions(None, 99_999).await {
                    assert!(rows.len() <= 5_000);
                }
            }
            Err(StoreError::Damaged { cause, .. }) => {
                refused += 1;
                assert!(!cause.is_empty());
            }
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
    assert_eq!(opened + refused, 8);
}

#[tokio::test]
async fn a_start_that_was_cut_short_does_not_stop_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    commit(
        &open(&folder),
        vec![Change::Activate(subscription(0, 1, 5))],
    )
    .await;
    let piece = folder.path().join("snap.7FFFFFFFFFFFFFFF.generating");
    fs::write(piece, "half").expect("a file");
    let kept = open(&folder).subscription(target(0, 1)).await;
    assert_eq!(kept.expect("a read"), Some(subscription(0, 1, 5)));
}

#[test]
fn garbage_is_refused_or_opens_empty_and_a_file_in_the_way_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("db"), vec![0xa5; 1_300_000]).expect("a file");
    match SledStore::open(folder.path(), options()).err() {
        None | Some(StoreError::Damaged { .. }) => {}
        Some(error) => panic!("{error}"),
    }
    let file = folder.path().join("file");
    fs::write(&file, "no folder").expect("a file");
    let error = SledStore::open(&file, options()).err();
    assert!(
        matches!(error, Some(StoreError::Unusable { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn of_deliveries_the_newest_that_fit_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let hook = HookChange::PutHook {
        hook: hook(1, 0),
        topics: Vec::new(),
    };
    commit(&store, vec![hook.into()]).await;
    for n in 1..=10 {
        let log = HookChange::Log(own_delivery(1, n), Bytes::from(vec![n; 10_000]));
        commit(&store, vec![log.into()]).await;
    }
    // Each has some hundred bytes beside its body.
    for (bytes, first) in [
        (200_000, None),
        (35_000, Some(8)),
        (12_000, Some(10)),
        (1, Some(10)),
    ] {
        let oldest = store
            .oldest_within(hook_id(1), bytes)
            .await
            .expect("a read");
        assert_eq!(oldest, first.map(delivery_id), "{bytes}");
    }
    assert_eq!(
        store.oldest_within(hook_id(2), 1).await.expect("a read"),
        None
    );
}

#[tokio::test]
async fn a_folder_that_does_not_say_how_much_it_keeps_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    publish(&store, 1).await;
    publish(&store, 2).await;
    store.close().await.expect("it closes");
    drop(store);
    let database = ::sled::Config::new().path(folder.path()).open();
    let database = database.expect("the raw database");
    database.remove(Key::KeptBytes.bytes()).expect("no row");
    database.flush().expect("a flush");
    drop(database);
    // Its length has changed, which the mark would take for damage.
    fs::remove_file(folder.path().join("db.length")).expect("no mark");
    assert_eq!(open(&folder).kept_bytes().await.expect("a read"), 20);
}
