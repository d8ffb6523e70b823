//! Random changes, made on the engine and on the model: every read must agree.

use proptest::prelude::*;

use super::*;
use crate::domain::publication::digest;

mod hooks;

fn targets() -> impl Strategy<Value = (u8, u8)> {
    (0..2_u8, 0..3_u8)
}

fn publications() -> impl Strategy<Value = u8> {
    1..5_u8
}

fn stages() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Fetching { last_failure: None }),
        Just(Stage::Unheard),
        Just(Stage::Delivering),
    ]
}

fn counts() -> impl Strategy<Value = Tally> {
    (0..9_u64, prop::option::of(0..9_u64)).prop_map(|(delivered, at)| Tally {
        targets: delivered,
        delivered,
        last_delivery: at.map(Timestamp),
        ..Tally::default()
    })
}

fn subscription_changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (targets(), 0..4_u64)
            .prop_map(|((topic, at), time)| Change::Activate(subscription(topic, at, time))),
        2 => (targets(), prop::option::of(0..4_u64)).prop_map(|((topic, at), time)| Change::End {
            target: target(topic, at),
            verified_at: time.map(Timestamp),
        }),
        1 => (0..2_u8).prop_map(|topic| Change::PutTopic(Topic {
            digest: Some([3; 32]),
            ..Topic::new(topic_url(topic))
        })),
        1 => (0..2_u8).prop_map(|topic| Change::ForgetTopic(topic_url(topic).id())),
        1 => (0..2_u8, 0..150_000_usize).prop_map(|(topic, size)| Change::Host(
            Hosted {
                name: "news".to_owned(),
                topic: topic_url(topic),
                content_type: "text/plain".to_owned(),
                digest: [size as u8; 32],
                modified_at: Timestamp(3),
                size: size as u64,
            },
            Bytes::from(vec![size as u8; size])
        )),
        1 => (0..2_u8).prop_map(|topic| Change::Unhost(topic_url(topic).id())),
    ]
}

fn publication_changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (publications(), stages()).prop_map(|(n, stage)| Change::Receive(receipt(n, stage))),
        1 => (publications(), stages()).prop_map(|(n, stage)| Change::Stage(id(n), stage)),
        3 => (publications(), 0..150_000_usize).prop_map(|(n, size)| Change::Journal(
            publication(n, size),
            Bytes::from(vec![n; size])
        )),
        2 => (publications(), counts()).prop_map(|(n, tally)| Change::Put(Job::Fanout(Fanout {
            tally,
            ..Fanout::new(id(n), vec![topic_url(0).id()])
        }))),
        2 => (publications(), counts()).prop_map(|(n, tally)| Change::Visited(id(n), tally)),
        1 => publications().prop_map(|n| Change::Finish(JobId::Fanout(id(n)))),
        1 => publications().prop_map(|n| Change::Bundle(Bundle {
            id: id(n),
            accepted_at: Timestamp(7),
            receipts: vec![id(n)],
            unheard: Vec::new(),
        })),
        1 => publications().prop_map(|n| Change::Prune(id(n))),
    ]
}

fn backlog_changes() -> impl Strategy<Value = Change> {
    let whose = || (targets(), publications());
    prop_oneof![
        4 => (whose(), 0..600_u64, 0..9_u64, prop::option::of(1..5_u32)).prop_map(
            |(((topic, at), n), size, due, failures)| Change::Wait {
                target: target(topic, at),
                callback: callback(at),
                entry: waiting(n, size),
                due: Timestamp(due),
                failed: failures.map(|failures| (attempt(due), failures)),
            }
        ),
        2 => (whose(), 0..9_u64).prop_map(|(((topic, at), n), time)| Change::Settle {
            target: target(topic, at),
            publication: id(n),
            at: Timestamp(time),
        }),
        1 => whose().prop_map(|((topic, at), n)| Change::GiveUp {
            target: target(topic, at),
            publication: id(n),
        }),
        1 => whose().prop_map(|((topic, at), n)| Change::Forgo {
            target: target(topic, at),
            publication: id(n),
        }),
        1 => (whose(), 0..9_u64).prop_map(|(((topic, at), n), due)| Change::Postpone {
            target: target(topic, at),
            publication: id(n),
            due: Timestamp(due),
            failures: 2,
            attempt: attempt(due),
            rejected: (due % 2 == 0).then(|| rejected(due)),
        }),
        1 => (targets(), 0..9_u64).prop_map(|((topic, at), time)| Change::Rouse {
            target: target(topic, at),
            at: Timestamp(time),
        }),
        1 => whose().prop_map(|((topic, at), n)| Change::Unname {
            publication: id(n),
            target: target(topic, at),
        }),
        1 => whose().prop_map(|((topic, at), n)| Change::Lose {
            target: target(topic, at),
            callback: callback(at),
            publication: id(n),
            attempt: attempt(3),
        }),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => subscription_changes().boxed(),
        3 => publication_changes().boxed(),
        4 => backlog_changes().boxed(),
        4 => hooks::changes().boxed(),
    ]
}

/// Everything that can be read, in words.
async fn everything(store: &dyn Store) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &dyn std::fmt::Debug| all.push(format!("{what:?}"));
    say(&store.topics(None, 99).await.expect("a page"));
    say(&store.subscriptions(None, 99).await.expect("a page"));
    say(&store.receipts(None, 99).await.expect("a page"));
    let newest = store.receipts_before(None, 99).await.expect("a page");
    say(&newest);
    let before = newest.first().map(|newest| newest.id);
    say(&store.receipts_before(before, 2).await.expect("a page"));
    say(&store.bundles(None, 99).await.expect("a page"));
    say(&store.jobs(None, 99).await.expect("a page"));
    say(&store.all_missing(None, 99).await.expect("a page"));
    say(&store.publications(None, 99).await.expect("a page"));
    say(&store.kept_bytes().await.expect("a read"));
    for topic in 0..2 {
        let topic = topic_url(topic).id();
        say(&store.topic(topic).await.expect("a read"));
        let hosted = store.hosted(topic).await.expect("a read");
        say(&hosted.map(|(hosted, body)| (hosted, digest("", &body))));
        say(&store.subscribers(topic).await.expect("a read"));
        say(&store.targets(topic, None, 99).await.expect("a page"));
    }
    for host in ["c0.example", "c1.example"] {
        let count = store.subscriptions_at_host(host).await.expect("a read");
        say(&count);
    }
    for n in 1..5 {
        let publication = store.publication(id(n)).await.expect("a read");
        say(&publication.map(|(publication, body)| (publication, digest("", &body))));
        say(&store.receipt(id(n)).await.expect("a read"));
        say(&store.bundle(id(n)).await.expect("a read"));
        say(&store.missing(id(n), None, 99).await.expect("a page"));
        say(&store.job(JobId::Fanout(id(n))).await.expect("a read"));
    }
    for (topic, at) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
        let target = target(topic, at);
        say(&store.subscription(target).await.expect("a read"));
        say(&store.waiting(target, 99).await.expect("a page"));
        say(&store.job(JobId::Backlog(target)).await.expect("a read"));
    }
    hooks::everything(store, &mut say).await;
    all
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sled_and_memory_agree(commits in prop::collection::vec(prop::collection::vec(changes(), 1..5), 1..30)) {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let model = MemoryStore::new(LIMITS);
            let store = open(&folder);
            for changes in &commits {
                commit(&model, changes.clone()).await;
            }
            // All at once, so that they share groups.
            let made = commits.iter().map(|changes| store.commit(changes.clone()));
            for made in futures_util::future::join_all(made).await {
                made.expect("a commit");
            }
            let expected = everything(&model).await;
            assert_eq!(everything(&store).await, expected);
            drop(store);
            assert_eq!(everything(&open(&folder)).await, expected);
        });
    }

    #[test]
    fn the_same_change_again_changes_nothing_more(changes in prop::collection::vec(changes(), 1..60)) {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let model = MemoryStore::new(LIMITS);
            let store = open(&folder);
            for change in changes {
                commit(&model, vec![change.clone()]).await;
                commit(&store, vec![change.clone()]).await;
                commit(&store, vec![change]).await;
            }
            assert_eq!(everything(&store).await, everything(&model).await);
        });
    }
}

/// What can still become of a publication after its fan-out has visited everybody.
fn late_changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Visited(id(1), Tally::default())),
        1 => subscription_changes(),
        4 => backlog_changes().prop_filter("only a fan-out makes these", |change| {
            !matches!(change, Change::Wait { .. } | Change::Lose { .. })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_receipt_adds_up_once_everybody_was_visited(
        before in prop::collection::vec(backlog_changes(), 0..40),
        counted in (0..6_u64, 0..6_u64),
        after in prop::collection::vec(late_changes(), 0..20),
    ) {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let counted = Tally { targets: counted.0, delivered: counted.1, ..Tally::default() };
            let (model, store) = (MemoryStore::new(LIMITS), open(&folder));
            for store in [&model as &dyn Store, &store] {
                publish(store, 1).await;
                commit(store, before.clone()).await;
                commit(store, vec![Change::Visited(id(1), counted)]).await;
                let visited = tally(store, 1).await.targets;
                assert!(visited >= counted.targets);
                for change in after.clone() {
                    commit(store, vec![change]).await;
                    let it = tally(store, 1).await;
                    assert_eq!(it.targets, it.delivered + it.backlog + it.given_up + it.gone, "{it:?}");
                    assert_eq!(it.targets, visited);
                }
            }
        });
    }
}

#[tokio::test]
async fn a_store_that_is_told_to_fail_changes_nothing() {
    let store = MemoryStore::new(LIMITS);
    store.fail_next_commits(1);
    let change = || vec![Change::Receive(receipt(1, Stage::Unheard))];
    store.commit(change()).await.expect_err("as it was told");
    assert_eq!(store.receipts(None, 9).await.expect("a page"), []);
    store.commit(change()).await.expect("only once");
    assert_eq!(store.receipts(None, 9).await.expect("a page").len(), 1);
}
