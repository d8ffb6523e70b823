//! Nothing that was accepted is lost: the process is killed at random moments, again and again, while readers subscribe,
//! publishers publish and some receivers fail; in the end every promise is accounted for (`ledger` says which).
//!
//! The script (what is done when, who fails, when the process dies) follows from a seed. It is printed, and
//! `FANFARE_TEST_SEED` sets it, to see a failure again.

mod ledger;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::prelude::*;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use self::ledger::{Ledger, Reader};
use self::world::{Temper, Topic, Way, World};
use crate::support::{Hub, form};
use crate::support_crash::Origin;

/// How often the process is killed.
const CRASHES: usize = 42;
/// Deliveries in flight at a time.
const IN_FLIGHT: usize = 64;
/// Deliveries that may end between two checkpoints of a fan-out (`flow/fanout.rs`).
const WINDOW: usize = 1_000;
/// How long everything may take that is left to do after the last crash.
const REST: Duration = Duration::from_secs(120);
/// The topics, and how many readers each has.
const TOPICS: [(Way, usize); 6] = [
    (Way::Hosted, 2_000),
    (Way::Pushed, 300),
    (Way::Pinged, 300),
    (Way::Hosted, 100),
    (Way::Pushed, 100),
    (Way::Pinged, 100),
];
/// So many readers of the last topic leave, one in each of the last lives.
const LEAVERS: usize = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_accepted_is_lost_by_crashes() {
    let seed = match std::env::var("FANFARE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("FANFARE_TEST_SEED is a number"),
        Err(_) => rand::random::<u64>(),
    };
    eprintln!("to repeat this: FANFARE_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let again_and_again = ["250ms"; 400].join(",");
    let mut hub = Hub::with(&[
        ("delivery.concurrency", &IN_FLIGHT.to_string()),
        ("delivery.circuit_failures", "10"),
        ("delivery.timeout", "20s"),
        ("fetch.retry", &again_and_again),
        ("log.level", "warn"),
        ("subscriptions.verify_retry", &again_and_again),
    ])
    .await;
    let mut scene = Scene::open(&hub, &mut dice).await;
    let world = scene.world.clone();
    let mut kills_in_start = 0;

    for crash in 0..CRASHES {
        scene.script(crash, &mut dice).await;
        let end = Instant::now() + Duration::from_millis(dice.random_range(0..1_300));
        // The first life has begun already.
        if crash > 0 {
            // One life in five may end before the hub is up; the others have their time after that.
            let soon = dice.random_bool(0.2);
            let patience = if soon { end - Instant::now() } else { REST };
            match timeout(patience, hub.start_again()).await {
                Ok(()) => scene.look(&hub, crash).await,
                Err(_) => kills_in_start += 1,
            }
        }
        sleep_until(end.into()).await;
        hub.kill9().await;
        scene.drain().await;
        world.ledger().life += 1;
    }

    scene.calm().await;
    hub.start_again().await;
    scene.finish(&hub).await;
    let ledger = world.ledger();
    report(&ledger, kills_in_start);
    assert_eq!(ledger.faults, [""; 0]);
    assert_eq!(ledger.overtaken(), [""; 0]);
    assert_eq!(ledger.renamed(), [""; 0]);
    let repeats = ledger.repeats();
    assert_eq!(repeats.groundless, [""; 0]);
    let most = repeats.by_crash.iter().max().expect("crashes");
    assert!(*most <= WINDOW + IN_FLIGHT, "{:?}", repeats.by_crash);
}

/// The world, and who is busy in it.
struct Scene {
    world: Arc<World>,
    origins: Vec<(Temper, Origin)>,
    _pages: Origin,
    turns: Arc<Semaphore>,
    orders: Vec<mpsc::UnboundedSender<Duration>>,
    busy: JoinSet<()>,
}

impl Scene {
    async fn open(hub: &Hub, dice: &mut StdRng) -> Self {
        let tempers = [
            Temper::Steady,
            Temper::Slow,
            Temper::Failing,
            Temper::Closing,
        ];
        let addresses = tempers.map(|_| crate::support::hub::free_address());
        let pages_at = crate::support::hub::free_address();
        let mut ledger = Ledger::default();
        let mut topics = Vec::new();
        for (topic, (way, readers)) in TOPICS.into_iter().enumerate() {
            for _ in 0..readers {
                let number = ledger.readers.len();
                // Six of ten are steady, two slow, one fails, one is not always there.
                let address = addresses[[0, 0, 0, 0, 0, 0, 1, 1, 2, 3][number % 10]];
                ledger.readers.push(Reader {
                    topic,
                    callback: format!("http://{address}/r{number}"),
                    accepted: false,
                    active: None,
                    leaving: false,
                    arrivals: Vec::new(),
                    refused: 0,
                });
            }
            ledger.promises.push(Vec::new());
            ledger.asked_in.push(Vec::new());
            let url = match way {
                Way::Hosted => format!("{}topics/t{topic}", hub.url),
                Way::Pushed => format!("http://publisher.example/t{topic}"),
                Way::Pinged => format!("http://{pages_at}/t{topic}"),
            };
            let content = AtomicU64::new(0);
            topics.push(Topic { way, url, content });
        }
        let mut left: Vec<_> = (0..ledger.readers.len()).collect();
        left.shuffle(dice);
        let world = Arc::new(World::new(hub.address, topics, ledger));

        let its = world.clone();
        let pages = Origin::open_at(pages_at, move |request| its.serve(&request)).await;
        let mut origins = Vec::new();
        for (temper, address) in tempers.into_iter().zip(addresses) {
            let its = world.clone();
            let receive = move |request: crate::support::Request| its.receive(temper, &request);
            origins.push((temper, Origin::open_at(address, receive).await));
        }
        let mut busy = JoinSet::new();
        let (turns, left) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(left)));
        for _ in 0..6 {
            busy.spawn(world.clone().subscribe(left.clone(), turns.clone()));
        }
        let mut orders = Vec::new();
        for topic in 0..TOPICS.len() {
            let (order, ordered) = mpsc::unbounded_channel();
            busy.spawn(world.clone().publish(topic, ordered));
            orders.push(order);
        }
        Self {
            world,
            origins,
            _pages: pages,
            turns,
            orders,
            busy,
        }
    }

    /// What happens in one life.
    async fn script(&mut self, crash: usize, dice: &mut StdRng) {
        let failing = [0, 40, 100].choose(dice).copied().unwrap_or(0);
        self.world.failing.store(failing, Ordering::Relaxed);
        let open = dice.random_bool(0.6);
        for (_, origin) in self
            .origins
            .iter_mut()
            .filter(|(temper, _)| *temper == Temper::Closing)
        {
            origin.set_open(open).await;
        }
        self.turns.add_permits(if crash < 5 { 300 } else { 50 });
        for (topic, orders) in self.orders.iter().enumerate() {
            let often = if topic == 0 { 0.4 } else { 0.8 };
            if dice.random_bool(often) {
                let pause = Duration::from_millis(dice.random_range(0..700));
                orders.send(pause).expect("the publisher works");
            }
        }
        if crash + LEAVERS >= CRASHES {
            let steady =
                |reader: &(usize, &Reader)| reader.0.is_multiple_of(10) && !reader.1.leaving;
            let leaver = {
                let ledger = self.world.ledger();
                let mut readers = ledger.readers.iter().enumerate().rev();
                let known = readers.find(|reader| steady(reader) && reader.1.active.is_some());
                known.map(|(number, _)| number)
            };
            if let Some(leaver) = leaver {
                self.busy.spawn(self.world.clone().leave(leaver));
            }
        }
    }

    /// Everybody is there and well again.
    async fn calm(&mut self) {
        self.world.failing.store(0, Ordering::Relaxed);
        for (_, origin) in &mut self.origins {
            origin.set_open(true).await;
        }
    }

    /// Now and then, which subscriptions the hub has.
    async fn look(&self, hub: &Hub, crash: usize) {
        if crash.is_multiple_of(6) {
            let listed = listed(hub).await;
            self.world.ledger().listed(&listed);
        }
    }

    /// Waits until everything that a dead hub has sent has arrived.
    async fn drain(&self) {
        for (_, origin) in &self.origins {
            origin.drained().await;
        }
    }

    /// Lets the hub that lives on do what is left to do.
    async fn finish(mut self, hub: &Hub) {
        let deadline = Instant::now() + REST;
        let total = self.world.ledger().readers.len();
        self.turns.add_permits(total + 6);
        let within = |what: &str| assert!(Instant::now() < deadline, "waited in vain: {what}");
        loop {
            let listed = listed(hub).await;
            self.world.ledger().listed(&listed);
            let inactive = self.world.ledger().inactive();
            if inactive.is_empty() {
                break;
            }
            within(&format!(
                "{} subscriptions, such as {:?}",
                inactive.len(),
                inactive[0]
            ));
            pause().await;
        }
        // One more of each topic reaches every reader.
        for orders in self.orders.drain(..) {
            orders.send(Duration::ZERO).expect("the publisher works");
        }
        while let Some(ended) = self.busy.join_next().await {
            ended.expect("nobody panics");
        }
        loop {
            let owed = self.world.ledger().owed();
            if owed.is_empty() {
                break;
            }
            let few: Vec<_> = owed.iter().take(20).collect();
            within(&format!("{} deliveries, such as {few:#?}", owed.len()));
            pause().await;
        }
        let receipts: Vec<_> = {
            let ledger = self.world.ledger();
            let promises = ledger.promises.iter().flatten();
            promises.map(|promise| promise.receipt.clone()).collect()
        };
        for receipt in receipts {
            loop {
                let answer = hub.get(&receipt).await;
                // That of a ping that nobody heard is not remembered over a crash; what is owed to others is accounted for above.
                if answer.status == 404 {
                    break;
                }
                let told = answer.expect(200).json();
                let ended = ["complete", "unchanged", "unheard"]
                    .iter()
                    .any(|state| told["state"] == *state);
                if ended && told["in_backlog"] == 0 && told["given_up"] == 0 {
                    adds_up(&told);
                    break;
                }
                within(&format!("the end of {told:#}"));
                pause().await;
            }
        }
        let listed = listed(hub).await;
        let ledger = self.world.ledger();
        for reader in &ledger.readers {
            assert_ne!(
                listed.contains(&reader.callback),
                reader.leaving,
                "{}",
                reader.callback
            );
        }
    }
}

/// Every target of a receipt has ended in exactly one way, however often it was visited.
fn adds_up(receipt: &serde_json::Value) {
    let ends = ["delivered", "in_backlog", "given_up", "gone"];
    let sum: Option<u64> = ends.iter().map(|end| receipt[end].as_u64()).sum();
    assert_eq!(sum, receipt["targets"].as_u64(), "{receipt:#}");
}

/// The callbacks of all subscriptions that the hub has.
async fn listed(hub: &Hub) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let mut fields = vec![("limit", "1000")];
        fields.extend(after.as_deref().map(|after| ("after", after)));
        let page = hub
            .admin_get(&format!("/api/v1/subscriptions?{}", form(&fields)))
            .await;
        let page = page.expect(200).json();
        for item in page["items"].as_array().expect("items") {
            listed.insert(item["callback"].as_str().expect("a callback").to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return listed,
        }
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn report(ledger: &Ledger, kills_in_start: usize) {
    let arrivals: usize = ledger
        .readers
        .iter()
        .map(|reader| reader.arrivals.len())
        .sum();
    let refused: usize = ledger.readers.iter().map(|reader| reader.refused).sum();
    let promises: usize = ledger.promises.iter().map(Vec::len).sum();
    let repeats = ledger.repeats().by_crash;
    eprintln!(
        "{CRASHES} crashes, {kills_in_start} of them while starting; {} subscriptions and {promises} publications \
         accepted, none lost; {arrivals} deliveries taken, {refused} refused; repeats by crash: {repeats:?}, \
         at most {} of {}",
        ledger.readers.len(),
        repeats.iter().max().unwrap_or(&0),
        WINDOW + IN_FLIGHT
    );
}
