//! The codec: golden rows of every version, and input that no version wrote.

mod hooks;

use proptest::prelude::*;

use super::*;
use crate::domain::attempt::{Attempt, Failure, Outcome};
use crate::domain::job::{Backlog, JobId};
use crate::domain::receipt::{MissingState, Stage, Tally};
use crate::domain::topic::{Fetched, Validators};
use crate::domain::value::Timestamp;
use crate::store::contract::samples::{
    attempt, callback, id, publication, receipt, sample_jobs, subscription, target, topic_url,
    waiting,
};
use crate::store::key::Key;

/// Rows as each format introduced them: a name, the key and the value in hexadecimal. Lines are added, never changed.
const FORMATS: [(&str, Samples); 3] = [
    (include_str!("../golden/v1.txt"), samples),
    (include_str!("../golden/v2.txt"), hooks::samples),
    (include_str!("../golden/v3.txt"), samples_of_3),
];
/// Those of them whose record has a newer shape.
const NO_LONGER_WRITTEN: [&str; 7] = [
    "publication ",
    "job-",
    "delivery-",
    "waiting ",
    "hook-1 ",
    "hook-2 ",
    "hook-3 ",
];

/// One row of every record and every variant in it, with its key.
fn samples() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |name: &str, key, sample| rows.push((name.to_owned(), key, sample));

    let full = subscription(0, 1, 1_790_000_000_000);
    let mut bare = full.clone();
    (bare.secret, bare.method, bare.from) = (None, None, None);
    let key = Key::Subscription(target(0, 1));
    row("subscription", key.clone(), Box::new(full));
    row("subscription-bare", key, Box::new(bare));

    let mut topic = Topic::new(topic_url(0));
    row("topic-new", Key::Topic(topic.id()), Box::new(topic.clone()));
    topic.alias_of = Some(topic_url(1));
    topic.aliases = vec![topic_url(2), topic_url(3)];
    topic.self_url = Some("https://t.example/self".to_owned());
    topic.hubs = vec!["https://hub.example/".to_owned()];
    topic.validators = Validators {
        url: Some("https://t.example/moved".to_owned()),
        etag: Some("W/\"1\"".to_owned()),
        last_modified: Some("Sun, 22 Nov 2026 00:00:00 GMT".to_owned()),
    };
    topic.digest = Some([9; 32]);
    topic.last_publication = Some(id(1));
    topic.last_fetch = Some(Fetched {
        at: Timestamp(5),
        outcome: "published".to_owned(),
    });
    row("topic", Key::Topic(topic.id()), Box::new(topic));

    let hosted = Hosted {
        name: "news".to_owned(),
        topic: topic_url(0),
        content_type: "text/plain".to_owned(),
        digest: [8; 32],
        modified_at: Timestamp(1_790_000_000_000),
        size: 100_000,
    };
    row("hosted", Key::Hosted(hosted.topic.id()), Box::new(hosted));
    row(
        "publication",
        Key::Publication(id(1)),
        Box::new(Journaled {
            publication: publication(1, 70_000),
            body: None,
        }),
    );

    let stages = [
        Stage::Fetching { last_failure: None },
        Stage::Fetching {
            last_failure: Some("timeout".to_owned()),
        },
        Stage::Unchanged,
        Stage::Unheard,
        Stage::Failed {
            reason: "status 404".to_owned(),
        },
        Stage::Delivering,
        Stage::Visited,
    ];
    for (n, stage) in (0..).zip(stages) {
        let mut receipt = receipt(n, stage);
        receipt.tally = Tally {
            targets: 1_000_000,
            delivered: 999_000,
            backlog: 500,
            given_up: 300,
            gone: 200,
            first_delivery: Some(Timestamp(1_790_000_000_000)),
            last_delivery: None,
        };
        let name = format!("receipt-{}", n);
        row(&name, Key::Receipt(receipt.id), Box::new(receipt));
    }
    let bundle = Bundle {
        id: id(9),
        accepted_at: Timestamp(7),
        receipts: vec![id(1), id(2)],
        unheard: vec![topic_url(3)],
    };
    row("bundle", Key::Bundle(bundle.id), Box::new(bundle));

    let answered = Attempt {
        at: Timestamp(9),
        millis: 30,
        outcome: Outcome::Answered {
            status: 503,
            retry_after: Some(120),
            excerpt: "later".to_owned(),
        },
    };
    let refused = |failure| Attempt {
        outcome: Outcome::Unanswered {
            failure,
            detail: "why".to_owned(),
        },
        ..attempt(9)
    };
    let states = [
        MissingState::Backlog,
        MissingState::GivenUp,
        MissingState::Gone,
    ];
    let attempts = [
        None,
        Some(answered),
        Some(refused(Failure::Refused)),
        Some(refused(Failure::Resolve)),
        Some(refused(Failure::Connect)),
        Some(refused(Failure::Tls)),
        Some(refused(Failure::Timeout)),
        Some(refused(Failure::Protocol)),
    ];
    for (n, (last_attempt, state)) in attempts.into_iter().zip(states.iter().cycle()).enumerate() {
        let missing = Missing {
            target: target(0, 1),
            callback: callback(1),
            state: *state,
            last_attempt,
        };
        let key = Key::Missing(id(1), missing.target);
        row(&format!("missing-{n}"), key, Box::new(missing));
    }
    let key = Key::Waiting(target(0, 1), id(1));
    row("waiting", key, Box::new(waiting(1, 70_000)));

    rows.extend(jobs("job-"));
    let mut row = |name: &str, key, sample| rows.push((name.to_owned(), key, sample));
    let topic = topic_url(0).id();
    row("subscribers", Key::Subscribers(topic), Box::new(300));
    let host = "c1.example".to_owned();
    row("at-host", Key::AtHost(host), Box::new(1));
    row("format", Key::Format, Box::new(1));
    rows
}

/// What format 3 writes differently.
fn samples_of_3() -> Vec<Row> {
    let mut rows = jobs("");
    rows.extend(hooks::patience());
    rows
}

/// A row of every job, its name behind `prefix`.
fn jobs(prefix: &str) -> Vec<Row> {
    let mut jobs = sample_jobs();
    jobs.push(Job::Backlog(Backlog {
        target: target(0, 1),
        due: Timestamp(1_790_000_000_000),
        failures: 3,
        entries: 2,
        bytes: 140_000,
    }));
    let row = |job: Job| -> Row {
        let name = match job.id() {
            JobId::Verify(_) => "verify",
            JobId::Deny(_) => "deny",
            JobId::Fetch(_) => "fetch",
            JobId::Fanout(_) => "fanout",
            JobId::Backlog(_) => "backlog",
        };
        (format!("{prefix}{name}"), Key::Job(job.id()), Box::new(job))
    };
    jobs.into_iter().map(row).collect()
}

/// Makes rows that have golden lines.
type Samples = fn() -> Vec<Row>;

/// A row with its name and its key.
type Row = (String, Key, Box<dyn Sample>);

/// A record of any kind.
trait Sample: std::fmt::Debug {
    fn encoded(&self) -> Vec<u8>;
    fn is(&self, bytes: &[u8]) -> bool;
}

impl<T: Record + PartialEq + std::fmt::Debug> Sample for T {
    fn encoded(&self) -> Vec<u8> {
        self.encode()
    }

    fn is(&self, bytes: &[u8]) -> bool {
        T::decode(bytes).as_ref() == Ok(self)
    }
}

fn all_samples() -> impl Iterator<Item = Row> {
    FORMATS.into_iter().flat_map(|(_, samples)| samples())
}

#[test]
fn what_was_written_is_still_read() {
    for (golden, samples) in FORMATS {
        let golden: Vec<_> = golden
            .lines()
            .map(|line| {
                let mut words = line.split(' ');
                let name = words.next().expect("a name");
                let mut bytes = || hex::decode(words.next().expect("hex")).expect("hex");
                (name, bytes(), bytes())
            })
            .collect();
        let samples = samples();
        assert_eq!(golden.len(), samples.len());
        for ((name, key, value), (sample_name, sample_key, sample)) in golden.iter().zip(&samples) {
            assert_eq!(name, sample_name);
            assert_eq!(Key::parse(key).as_ref(), Some(sample_key), "{name}");
            assert!(sample.is(value), "{name} is not {sample:?}");
        }
    }
}

#[test]
fn what_is_written_has_a_golden_line() {
    for (golden, samples) in FORMATS {
        let samples = samples();
        let lines: Vec<String> = samples
            .iter()
            .map(|(name, key, sample)| {
                let (key, value) = (hex::encode(key.bytes()), hex::encode(sample.encoded()));
                format!("{name} {key} {value}")
            })
            .collect();
        let is_written = |line: &&str| !NO_LONGER_WRITTEN.iter().any(|old| line.starts_with(old));
        let written = lines.iter().map(String::as_str).filter(is_written);
        assert!(
            written.eq(golden.lines().filter(is_written)),
            "a record has changed its shape: keep reading the old one, and add lines for the new one; now it is\n{}",
            lines.join("\n")
        );
    }
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    for (name, _, sample) in all_samples() {
        let whole = sample.encoded();
        for length in 0..whole.len() {
            assert!(!sample.is(&whole[..length]), "{name} cut at {length}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(!sample.is(&longer), "{name}");
        let mut newer = whole;
        newer[0] += 1;
        assert!(!sample.is(&newer), "{name}");
    }
    assert_eq!(u64::decode(&[]), Err(RecordError::Empty));
    assert_eq!(u64::decode(&[7, 1]), Err(RecordError::Version(7, 0)));
    assert_eq!(u64::decode(&[0, 1, 1]), Err(RecordError::Trailing(1)));
}

#[test]
fn the_longest_job_fits_into_one_row() {
    let Job::Fanout(mut fanout) = sample_jobs().remove(3) else {
        panic!("the fourth sample is a fan-out");
    };
    // As many as may be open, of a topic with as many aliases as it may have.
    fanout.members = (0..65).map(|n| topic_url(n).id()).collect();
    fanout.open = (0..65).flat_map(|n| vec![target(n, 1); 60]).collect();
    let length = Job::Fanout(fanout).encode().len();
    assert!(length < 64 << 10, "{length}");
}

#[test]
fn a_subscription_is_small() {
    let record = subscription(0, 1, 1_790_000_000_000);
    let texts = record.topic.as_str().len() + record.callback.as_str().len();
    assert!(record.encode().len() < texts + 60);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, _, sample) in all_samples() {
            for version in [0, 1] {
                let mut bytes = bytes.clone();
                bytes.insert(0, version);
                let _ = sample.is(&bytes);
            }
        }
    }
}
