//! The store in one folder on this machine. In: commits and reads. Out: what the contract promises, by way of one writer
//! thread (`writer.rs`) and reads that need no lock of their own.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::engine::Engine;
use super::key::{Group, Key};
use super::quarantine::Quarantine;
use super::record::Record;
use super::writer::{QUEUE, Request, Work, Writer};
use super::{BacklogLimits, Change, Result, Store, StoreError, Target, Waiting};
use crate::domain::job::{Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{CallbackId, PublicationId, TargetId, TopicId};

/// Pages up to this many rows are read where they are asked for; longer ones on a thread that may block.
const SHORT_PAGE: usize = 16;

/// How the store works.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// How much of the data is kept in memory, in bytes; the process needs about twice as much.
    pub cache_bytes: u64,
    /// How much may wait for one target.
    pub backlog: BacklogLimits,
}

/// See the module.
pub struct SledStore {
    shelf: Arc<Shelf>,
    /// `None` only while it is dropped.
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// What a read needs.
struct Shelf {
    engine: Arc<Engine>,
    quarantine: Arc<Quarantine>,
}

impl SledStore {
    /// Takes a folder, which is made if it is not there, and opens what is in it.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<Self> {
        let engine = Arc::new(Engine::open(folder, options.cache_bytes)?);
        let quarantine = Arc::new(Quarantine::default());
        let (requests, receiver) = mpsc::channel(QUEUE);
        let writer = Writer {
            engine: engine.clone(),
            quarantine: quarantine.clone(),
            limits: options.backlog,
            requests: receiver,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            shelf: Arc::new(Shelf { engine, quarantine }),
            requests: Some(requests),
            writer: Some(writer),
        })
    }

    /// How many times the database file was made durable: many commits share one.
    pub fn syncs(&self) -> u64 {
        self.shelf.engine.syncs()
    }

    async fn ask(&self, work: Work) -> Result<()> {
        let closed = || StoreError::Unavailable("it is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(closed)?;
        requests
            .send(Request { work, answer })
            .await
            .map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Reads at once, unless a batch is just being applied: then where waiting harms nobody.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database, &Quarantine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(reading) = self.shelf.engine.try_reading() {
            return read(reading.database()?, &self.shelf.quarantine);
        }
        self.read_aside(read).await
    }

    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database, &Quarantine) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || {
            let reading = shelf.engine.reading();
            read(reading.database()?, &shelf.quarantine)
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    async fn record<T: Record + Send + 'static>(&self, key: Key) -> Result<Option<T>> {
        self.read(move |database, quarantine| record(database, quarantine, &key))
            .await
    }

    async fn page<T: Record + Send + 'static>(
        &self,
        group: Group,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<T>> {
        self.page_of(group, after, limit, |_, record: T| Some(record))
            .await
    }

    /// A page of subscriptions with the targets that their keys name.
    async fn target_page(
        &self,
        group: Group,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Target>> {
        self.page_of(group, after, limit, |key, subscription| {
            let Some(Key::Subscription(id)) = Key::parse(key) else {
                return None;
            };
            Some(Target { id, subscription })
        })
        .await
    }

    async fn page_of<T: Record + 'static, U: Send + 'static>(
        &self,
        group: Group,
        after: Option<Key>,
        limit: usize,
        row: impl Fn(&[u8], T) -> Option<U> + Send + 'static,
    ) -> Result<Vec<U>> {
        let read = move |database: &Database, quarantine: &Quarantine| {
            page(database, quarantine, group, after, limit, row)
        };
        if limit <= SHORT_PAGE {
            self.read(read).await
        } else {
            self.read_aside(read).await
        }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            // The writer ends as nobody can ask any more; if it panicked, it has said so already.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for SledStore {
    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        self.ask(Work::Commit(changes)).await
    }

    async fn topic(&self, topic: TopicId) -> Result<Option<Topic>> {
        self.record(Key::Topic(topic)).await
    }

    async fn topics(&self, after: Option<TopicId>, limit: usize) -> Result<Vec<Topic>> {
        self.page(Group::Topics, after.map(Key::Topic), limit).await
    }

    async fn hosted(&self, topic: TopicId) -> Result<Option<(Hosted, Bytes)>> {
        self.read(move |database, quarantine| {
            let chunks = Group::HostedChunks(topic);
            with_body(database, quarantine, &Key::Hosted(topic), chunks)
        })
        .await
    }

    async fn subscription(&self, target: TargetId) -> Result<Option<Subscription>> {
        self.record(Key::Subscription(target)).await
    }

    async fn targets(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Target>> {
        let after = after.map(|callback| Key::Subscription(TargetId { topic, callback }));
        self.target_page(Group::Targets(topic), after, limit).await
    }

    async fn subscriptions(&self, after: Option<TargetId>, limit: usize) -> Result<Vec<Target>> {
        self.target_page(Group::Subscriptions, after.map(Key::Subscription), limit)
            .await
    }

    async fn subscribers(&self, topic: TopicId) -> Result<u64> {
        let count = self.record(Key::Subscribers(topic)).await?;
        Ok(count.unwrap_or(0))
    }

    async fn subscriptions_at_host(&self, host: &str) -> Result<u64> {
        let count = self.record(Key::AtHost(host.to_owned())).await?;
        Ok(count.unwrap_or(0))
    }

    async fn publication(&self, id: PublicationId) -> Result<Option<(Publication, Bytes)>> {
        self.read(move |database, quarantine| {
            let chunks = Group::BodyChunks(id);
            with_body(database, quarantine, &Key::Publication(id), chunks)
        })
        .await
    }

    async fn receipt(&self, id: PublicationId) -> Result<Option<Receipt>> {
        self.read(move |database, quarantine| {
            let receipt = record(database, quarantine, &Key::Receipt(id))?;
            receipt
                .map(|receipt| with_checkpoint(database, quarantine, receipt))
                .transpose()
        })
        .await
    }

    async fn receipts(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Receipt>> {
        self.read_aside(move |database, quarantine| {
            let after = after.map(Key::Receipt);
            page(
                database,
                quarantine,
                Group::Receipts,
                after,
                limit,
                |_, row| Some(row),
            )?
            .into_iter()
            .map(|receipt| with_checkpoint(database, quarantine, receipt))
            .collect()
        })
        .await
    }

    async fn bundle(&self, id: PublicationId) -> Result<Option<Bundle>> {
        self.record(Key::Bundle(id)).await
    }

    async fn bundles(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Bundle>> {
        self.page(Group::Bundles, after.map(Key::Bundle), limit)
            .await
    }

    async fn missing(
        &self,
        id: PublicationId,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Missing>> {
        let after = after.map(|target| Key::Missing(id, target));
        self.page(Group::Missing(id), after, limit).await
    }

    async fn waiting(&self, target: TargetId, limit: usize) -> Result<Vec<Waiting>> {
        self.page(Group::Waiting(target), None, limit).await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.record(Key::Job(id)).await
    }

    async fn jobs(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        self.page(Group::Jobs, after.map(Key::Job), limit).await
    }

    async fn probe(&self) -> Result<()> {
        self.ask(Work::Probe).await
    }

    fn quarantined(&self) -> u64 {
        self.shelf.quarantine.count()
    }

    async fn close(&self) -> Result<()> {
        self.ask(Work::Close).await
    }
}

fn record<T: Record>(database: &Database, quarantine: &Quarantine, key: &Key) -> Result<Option<T>> {
    let key = key.bytes();
    let value = database.value(&key)?;
    Ok(value.and_then(|value| decoded(quarantine, &key, &value)))
}

fn page<T: Record, U>(
    database: &Database,
    quarantine: &Quarantine,
    group: Group,
    after: Option<Key>,
    limit: usize,
    made: impl Fn(&[u8], T) -> Option<U>,
) -> Result<Vec<U>> {
    let after = after.map(|key| key.bytes());
    let mut page = Vec::new();
    let mut rows = database.rows(&group.prefix(), after.as_deref());
    while page.len() < limit
        && let Some(row) = rows.next()
    {
        let (key, value) = row?;
        let record = decoded::<T>(quarantine, &key, &value);
        page.extend(record.and_then(|record| made(&key, record)));
    }
    Ok(page)
}

fn with_body<T: Record>(
    database: &Database,
    quarantine: &Quarantine,
    key: &Key,
    chunks: Group,
) -> Result<Option<(T, Bytes)>> {
    let Some(head) = record(database, quarantine, key)? else {
        return Ok(None);
    };
    let mut body = BytesMut::new();
    for row in database.rows(&chunks.prefix(), None) {
        body.extend_from_slice(&row?.1);
    }
    Ok(Some((head, body.freeze())))
}

/// The receipt with what its fan-out has counted so far.
fn with_checkpoint(
    database: &Database,
    quarantine: &Quarantine,
    mut receipt: Receipt,
) -> Result<Receipt> {
    let key = Key::Job(JobId::Fanout(receipt.id));
    if let Some(Job::Fanout(fanout)) = record(database, quarantine, &key)? {
        receipt.tally = receipt.tally.merged(fanout.tally);
    }
    Ok(receipt)
}

fn decoded<T: Record>(quarantine: &Quarantine, key: &[u8], value: &[u8]) -> Option<T> {
    T::decode(value)
        .inspect_err(|error| quarantine.report(key, value, error))
        .ok()
}
