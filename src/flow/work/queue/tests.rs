//! The queue: lanes, hosts, kinds, and that nobody is forgotten.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::job::{Backlog, Deny, Fetch, Verify};
use crate::domain::subscription::{Denial, Intent, Mode};
use crate::domain::value::{CallbackId, CallbackUrl, PublicationId, TopicUrl};

const HOSTS: [&str; 3] = ["a.example", "b.example", "c.example:8080"];
const START: Timestamp = Timestamp(0);

/// Of one host 2 verifications and 1 fetch.
const CAPACITY: Capacity = Capacity {
    verify: 16,
    fetch: 2,
    fanout: 1,
    backlog: 3,
};

fn verify(id: u128, host: &str, path: u8) -> Job {
    let intent = Intent {
        id: Uuid::from_u128(id),
        mode: Mode::Subscribe,
        topic: TopicUrl::parse("http://t.example/").expect("a topic"),
        callback: callback(host, path),
        secret: None,
        method: None,
        lease_seconds: 60,
        verify_token: None,
        from: None,
        requested_at: START,
        refresh: false,
    };
    Job::Verify(Verify {
        intent,
        due: START,
        failures: 0,
    })
}

fn deny(id: u128, host: &str, path: u8) -> Job {
    let denial = Denial {
        id: Uuid::from_u128(id),
        topic: TopicUrl::parse("http://t.example/").expect("a topic"),
        callback: callback(host, path),
        reason: String::new(),
    };
    Job::Deny(Deny {
        denial,
        due: START,
        failures: 0,
    })
}

fn fetch(id: u128, host: &str, path: u8) -> Job {
    Job::Fetch(Fetch {
        publication: PublicationId(Uuid::from_u128(id)),
        topic: TopicUrl::parse(&format!("http://{host}/{path}")).expect("a topic"),
        due: START,
        failures: 0,
    })
}

fn backlog(path: u8) -> Job {
    Job::Backlog(Backlog {
        target: TargetId {
            topic: TopicId([0; 16]),
            callback: CallbackId([path; 16]),
        },
        due: START,
        failures: 0,
        entries: 0,
        bytes: 0,
    })
}

fn callback(host: &str, path: u8) -> CallbackUrl {
    CallbackUrl::parse(&format!("http://{host}/{path}")).expect("a callback")
}

fn queue(jobs: impl IntoIterator<Item = Job>) -> Queue {
    let mut queue = Queue::new(CAPACITY);
    for job in jobs {
        queue.postpone(job, START);
    }
    queue.ripen(START);
    queue
}

fn start_all(queue: &mut Queue) -> Vec<Job> {
    std::iter::from_fn(|| queue.start_next()).collect()
}

#[test]
fn a_job_starts_when_it_is_due_and_not_before() {
    let mut queue = Queue::new(CAPACITY);
    queue.postpone(backlog(1), Timestamp(5));
    queue.ripen(Timestamp(4));
    assert_eq!(queue.start_next(), None);
    assert_eq!(queue.next_due(), Some(Timestamp(5)));
    queue.ripen(Timestamp(5));
    assert_eq!(queue.start_next(), Some(backlog(1)));
    assert_eq!((queue.next_due(), queue.len()), (None, 1), "it runs");
}

#[test]
fn who_waits_for_a_full_host_takes_no_place_and_comes_in_order() {
    let hanging = (1..=40).map(|number| verify(number.into(), "a.example", number));
    let mut queue = queue(hanging.chain([verify(50, "b.example", 50)]));
    let one = verify(1, "a.example", 1);
    let two = verify(2, "a.example", 2);
    assert_eq!(
        start_all(&mut queue),
        [one.clone(), two, verify(50, "b.example", 50)]
    );
    queue.ended(&one);
    assert_eq!(start_all(&mut queue), [verify(3, "a.example", 3)]);
}

#[test]
fn a_denial_shares_lane_and_host_with_the_verification_of_its_target() {
    let asked = verify(1, "a.example", 1);
    let told = deny(2, "a.example", 1);
    let other = deny(3, "a.example:81", 2);
    let third = verify(4, "a.example", 3);
    let jobs = [&asked, &told, &other, &third].map(Job::clone);
    let mut queue = queue(jobs);
    assert_eq!(start_all(&mut queue), [asked.clone(), other.clone()]);
    queue.ended(&asked);
    assert_eq!(start_all(&mut queue), std::slice::from_ref(&third));
    queue.ended(&other);
    assert_eq!(start_all(&mut queue), [told]);
}

#[test]
fn hosts_are_the_same_however_a_topic_is_spelt() {
    let mut queue = queue([fetch(1, "a.example", 1), fetch(2, "A.Example:80", 2)]);
    assert_eq!(start_all(&mut queue), [fetch(1, "a.example", 1)]);
}

#[derive(Clone, Debug)]
enum Step {
    Postpone(Job, Timestamp),
    Ripen(Timestamp),
    Start,
    End(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let job = (0..4, 1_u128.., prop::sample::select(&HOSTS[..]), 0_u8..6);
    let job = job.prop_map(|(kind, id, host, path)| match kind {
        0 => verify(id, host, path),
        1 => deny(id, host, path),
        2 => fetch(id, host, path),
        _ => backlog(path),
    });
    let time = || (0_u64..50).prop_map(Timestamp);
    prop::collection::vec(
        prop_oneof![
            4 => (job, time()).prop_map(|(job, due)| Step::Postpone(job, due)),
            1 => time().prop_map(Step::Ripen),
            3 => Just(Step::Start),
            2 => any::<prop::sample::Index>().prop_map(Step::End),
        ],
        0..200,
    )
}

fn most<K: Eq + std::hash::Hash>(keys: impl Iterator<Item = K>) -> usize {
    let mut counts = HashMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

/// Whatever runs keeps to the limits, as this test counts them.
fn check(running: &[Job]) {
    for kind in [Kind::Verify, Kind::Fetch, Kind::Fanout, Kind::Backlog] {
        let of_kind = || running.iter().filter(|job| super::kind(job) == kind);
        assert!(of_kind().count() <= CAPACITY.of(kind), "{kind:?}");
        let at_one_host = most(of_kind().filter_map(host));
        assert!(at_one_host <= CAPACITY.of_host(kind), "{kind:?}");
    }
    let lanes: HashSet<_> = running.iter().map(lane).collect();
    assert_eq!(lanes.len(), running.len(), "one job for each lane");
}

proptest! {
    #[test]
    fn limits_hold_every_job_starts_and_nothing_stays(steps in steps()) {
        let mut queue = Queue::new(CAPACITY);
        let (mut waiting, mut running) = (Vec::new(), Vec::new());
        let start = |queue: &mut Queue, waiting: &mut Vec<Job>, running: &mut Vec<Job>| {
            let Some(job) = queue.start_next() else {
                return false;
            };
            let at = waiting.iter().position(|other| *other == job);
            waiting.swap_remove(at.expect("it waits"));
            running.push(job);
            check(running);
            true
        };
        for step in steps {
            match step {
                Step::Postpone(job, due) => {
                    waiting.push(job.clone());
                    queue.postpone(job, due);
                }
                Step::Ripen(now) => queue.ripen(now),
                Step::Start => {
                    start(&mut queue, &mut waiting, &mut running);
                }
                Step::End(_) if running.is_empty() => {}
                Step::End(at) => {
                    let job = running.swap_remove(at.index(running.len()));
                    queue.ended(&job);
                }
            }
            prop_assert_eq!(queue.len(), waiting.len() + running.len());
        }
        queue.ripen(Timestamp(u64::MAX));
        loop {
            while start(&mut queue, &mut waiting, &mut running) {}
            let Some(job) = running.pop() else {
                break;
            };
            queue.ended(&job);
        }
        prop_assert!(waiting.is_empty(), "never started: {:?}", waiting);
        prop_assert_eq!(queue.len(), 0);
        prop_assert!(queue.later.is_empty() && queue.jobs.is_empty());
        let kept = (queue.lanes.len(), queue.hosts.len(), queue.kinds.len());
        prop_assert_eq!(kept, (0, 0, 0));
    }
}

#[test]
fn what_is_due_counts_until_it_has_ended_be_it_that_it_waits() {
    let mut queue = Queue::new(CAPACITY);
    // Of one lane, so that only one of them runs.
    for id in 0..3 {
        queue.postpone(verify(id, HOSTS[0], 1), START.plus(Duration::from_secs(1)));
    }
    queue.ripen(START);
    assert_eq!(queue.due(Activity::Verification), 0, "it is not due yet");
    queue.ripen(START.plus(Duration::from_secs(1)));
    for left in (1..=3).rev() {
        assert_eq!(queue.due(Activity::Verification), left);
        let job = queue.start_next().expect("the next of the lane");
        assert_eq!(queue.due(Activity::Verification), left, "it runs");
        queue.ended(&job);
    }
    for activity in Activity::ALL {
        assert_eq!(queue.due(activity), 0);
    }
}
