//! Keys come back from their bytes, and sort as the ids in them do.

use proptest::prelude::*;

use super::*;

fn topics() -> impl Strategy<Value = TopicId> {
    // Few values in each byte, so that equal beginnings happen.
    let bytes = prop::array::uniform16(prop_oneof![Just(0), Just(255), any::<u8>()]);
    bytes.prop_map(TopicId).boxed()
}

fn ids() -> impl Strategy<Value = PublicationId> {
    topics().prop_map(|id| PublicationId(Uuid::from_bytes(id.0)))
}

fn targets() -> impl Strategy<Value = TargetId> {
    (topics(), topics()).prop_map(|(topic, callback)| TargetId {
        topic,
        callback: CallbackId(callback.0),
    })
}

fn jobs() -> impl Strategy<Value = JobId> {
    prop_oneof![
        ids().prop_map(|id| JobId::Verify(id.0)),
        ids().prop_map(|id| JobId::Deny(id.0)),
        ids().prop_map(JobId::Fetch),
        ids().prop_map(JobId::Fanout),
        targets().prop_map(JobId::Backlog),
    ]
}

fn hook_keys() -> impl Strategy<Value = Key> {
    let sources = || topics().prop_map(|id| SourceId(id.0));
    let hooks = || any::<u64>().prop_map(HookId);
    let deliveries = || (hooks(), any::<u64>().prop_map(DeliveryId));
    prop_oneof![
        Just(Key::NextHook),
        Just(Key::KeptBytes),
        any::<[u8; 32]>().prop_map(Key::Remembered),
        deliveries().prop_map(|(hook, id)| Key::Delivery(hook, id)),
        (sources(), ids()).prop_map(|(source, id)| Key::Event(source, id)),
        hooks().prop_map(Key::Health),
        any::<[u8; 32]>().prop_map(Key::Token),
        ids().prop_map(|id| Key::Replay(id.0)),
        targets().prop_map(|target| Key::HookOn(target.topic, target.callback)),
        hooks().prop_map(Key::Hook),
        (sources(), hooks()).prop_map(|(source, hook)| Key::HookOf(source, hook)),
        "[a-z./]{0,20}".prop_map(Key::Source),
        topics().prop_map(Key::LatestEvent),
        (deliveries(), any::<u32>())
            .prop_map(|((hook, id), index)| Key::RequestChunk(hook, id, index)),
        (any::<u64>(), any::<[u8; 32]>())
            .prop_map(|(at, digest)| Key::RememberedAt(Timestamp(at), digest)),
    ]
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        hook_keys(),
        Just(Key::Format),
        Just(Key::Probe),
        ids().prop_map(Key::Bundle),
        (topics(), any::<u32>()).prop_map(|(topic, index)| Key::HostedChunk(topic, index)),
        topics().prop_map(Key::Hosted),
        jobs().prop_map(Key::Job),
        (ids(), targets()).prop_map(|(id, target)| Key::Missing(id, target)),
        "[a-z.]{0,20}".prop_map(Key::AtHost),
        ids().prop_map(Key::Publication),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Key::Quarantined),
        ids().prop_map(Key::Receipt),
        targets().prop_map(Key::Subscription),
        topics().prop_map(Key::Topic),
        topics().prop_map(Key::Subscribers),
        (targets(), ids()).prop_map(|(target, id)| Key::Waiting(target, id)),
        (ids(), any::<u32>()).prop_map(|(id, index)| Key::BodyChunk(id, index)),
    ]
}

proptest! {
    #[test]
    fn a_key_comes_back(key in keys()) {
        prop_assert_eq!(Key::parse(&key.bytes()), Some(key));
    }

    #[test]
    fn any_bytes_are_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Some(key) = Key::parse(&bytes) {
            prop_assert_eq!(key.bytes(), bytes);
        }
    }

    #[test]
    fn bytes_sort_as_ids_do(a in (targets(), ids(), any::<u32>()), b in (targets(), ids(), any::<u32>())) {
        let sorted = |one: Key, other: Key| one.bytes().cmp(&other.bytes());
        prop_assert_eq!(sorted(Key::Subscription(a.0), Key::Subscription(b.0)), a.0.cmp(&b.0));
        prop_assert_eq!(sorted(Key::Receipt(a.1), Key::Receipt(b.1)), a.1.cmp(&b.1));
        prop_assert_eq!(sorted(Key::Missing(a.1, a.0), Key::Missing(b.1, b.0)), (a.1, a.0).cmp(&(b.1, b.0)));
        prop_assert_eq!(sorted(Key::Waiting(a.0, a.1), Key::Waiting(b.0, b.1)), (a.0, a.1).cmp(&(b.0, b.1)));
        prop_assert_eq!(sorted(Key::BodyChunk(a.1, a.2), Key::BodyChunk(b.1, b.2)), (a.1, a.2).cmp(&(b.1, b.2)));
    }

    #[test]
    fn bytes_of_hooks_sort_as_their_numbers_do(a in any::<[u64; 2]>(), b in any::<[u64; 2]>(), topic in topics()) {
        let sorted = |one: Key, other: Key| one.bytes().cmp(&other.bytes());
        let delivery = |[hook, id]: [u64; 2]| Key::Delivery(HookId(hook), DeliveryId(id));
        prop_assert_eq!(sorted(delivery(a), delivery(b)), a.cmp(&b));
        let chunk = |[hook, id]: [u64; 2]| Key::RequestChunk(HookId(hook), DeliveryId(id), 7);
        prop_assert_eq!(sorted(chunk(a), chunk(b)), a.cmp(&b));
        let on = |[hook, _]: [u64; 2]| Key::HookOn(topic, HookId(hook).callback());
        prop_assert_eq!(sorted(on(a), on(b)), a[0].cmp(&b[0]));
        let at = |[at, _]: [u64; 2]| Key::RememberedAt(Timestamp(at), [3; 32]);
        prop_assert_eq!(sorted(at(a), at(b)), a[0].cmp(&b[0]));
    }

    #[test]
    fn jobs_sort_as_their_ids_do(a in jobs(), b in jobs()) {
        prop_assert_eq!(Key::Job(a).bytes().cmp(&Key::Job(b).bytes()), a.cmp(&b));
    }
}

#[test]
fn a_group_is_the_beginning_of_its_keys() {
    let topic = TopicId([7; 16]);
    let target = TargetId {
        topic,
        callback: CallbackId([8; 16]),
    };
    let id = PublicationId(Uuid::from_bytes([9; 16]));
    let (hook, source, delivery) = (HookId(6), SourceId([5; 16]), DeliveryId(4));
    for (group, key) in [
        (Group::Bundles, Key::Bundle(id)),
        (Group::HostedChunks(topic), Key::HostedChunk(topic, 3)),
        (Group::Jobs, Key::Job(JobId::Fanout(id))),
        (Group::Missing(id), Key::Missing(id, target)),
        (Group::AllMissing, Key::Missing(id, target)),
        (Group::Publications, Key::Publication(id)),
        (Group::Receipts, Key::Receipt(id)),
        (Group::Subscriptions, Key::Subscription(target)),
        (Group::SubscriptionsTo(topic), Key::Subscription(target)),
        (Group::Topics, Key::Topic(topic)),
        (Group::Waiting(target), Key::Waiting(target, id)),
        (Group::BodyChunks(id), Key::BodyChunk(id, 3)),
        (Group::Deliveries(hook), Key::Delivery(hook, delivery)),
        (Group::Events(source), Key::Event(source, id)),
        (Group::Tokens, Key::Token([1; 32])),
        (Group::Replays, Key::Replay(id.0)),
        (Group::HooksOn(topic), Key::HookOn(topic, hook.callback())),
        (Group::Hooks, Key::Hook(hook)),
        (Group::HooksOf(source), Key::HookOf(source, hook)),
        (Group::Sources, Key::Source("social".to_owned())),
        (
            Group::RequestChunks(hook),
            Key::RequestChunk(hook, delivery, 3),
        ),
        (
            Group::RequestChunksOf(hook, delivery),
            Key::RequestChunk(hook, delivery, 3),
        ),
        (
            Group::RememberedInTime,
            Key::RememberedAt(Timestamp(2), [1; 32]),
        ),
    ] {
        assert!(key.bytes().starts_with(&group.prefix()), "{group:?}");
    }
}
