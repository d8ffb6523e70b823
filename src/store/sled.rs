//! The store in one folder on this machine. In: commits and reads. Out: what the contract promises, by way of one writer
//! thread (`writer.rs`) and reads that need no lock of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::archive::Contents;
use super::backup::back_up;
use super::engine::{Engine, Reading};
use super::journal::{Journaled, count_kept};
use super::key::{Group, Key};
use super::quarantine::Quarantine;
use super::read::{Span, Start, View};
use super::recent::FEW;
use super::record::Record;
use super::settings::StoreOptions;
use super::writer::{QUEUE, Request, Work, Writer};
use super::{Change, Result, Store, StoreError, Subscriber, Target, Waiting};
use crate::domain::hook::{Hook, HookId};
use crate::domain::job::{Job, JobId};
use crate::domain::publication::Publication;
use crate::domain::receipt::{Bundle, Missing, Receipt};
use crate::domain::subscription::Subscription;
use crate::domain::topic::{Hosted, Topic};
use crate::domain::value::{CallbackId, PublicationId, TargetId, TopicId};

/// Pages up to this many rows are read where they are asked for; longer ones on a thread that may block.
const SHORT_PAGE: usize = FEW;

/// See the module.
pub struct SledStore {
    shelf: Arc<Shelf>,
    /// For whom the writer has given something up.
    overflow: Arc<Mutex<Vec<TargetId>>>,
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
        count_kept(&engine)?;
        let quarantine = Arc::new(Quarantine::default());
        let (requests, receiver) = mpsc::channel(QUEUE);
        let overflow = Arc::default();
        let writer = Writer {
            engine: engine.clone(),
            quarantine: quarantine.clone(),
            limits: options.backlog,
            overflow: Arc::clone(&overflow),
            requests: receiver,
            runtime: Handle::try_current().ok(),
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            shelf: Arc::new(Shelf { engine, quarantine }),
            overflow,
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
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(reading) = self.shelf.engine.try_reading() {
            return read(self.shelf.view(&reading)?);
        }
        self.read_aside(read).await
    }

    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || read(shelf.view(&shelf.engine.reading())?))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Reads so many rows at the most.
    pub(super) async fn read_page<T: Send + 'static>(
        &self,
        limit: usize,
        read: impl FnOnce(View<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if limit <= SHORT_PAGE {
            self.read(read).await
        } else {
            self.read_aside(read).await
        }
    }

    pub(super) async fn record<T: Record + Send + 'static>(&self, key: Key) -> Result<Option<T>> {
        self.read(move |view| view.record(&key)).await
    }

    /// One hook, as all share it who ask for it.
    pub(super) async fn shared_hook(&self, id: HookId) -> Result<Option<Arc<Hook>>> {
        if let Some(hook) = self.shelf.engine.recent().hook(id) {
            return Ok(Some(hook));
        }
        self.read(move |view| {
            let hook = view.hook(id)?.map(Arc::new);
            hook.iter().for_each(|hook| view.recent.keep_hook(hook));
            Ok(hook)
        })
        .await
    }

    pub(super) async fn page<T: Record + Send + 'static>(&self, span: Span) -> Result<Vec<T>> {
        self.read_page(span.limit, move |view| view.page(&span))
            .await
    }
}

impl Shelf {
    fn view<'a>(&'a self, reading: &'a Reading<'_>) -> Result<View<'a>> {
        Ok(View {
            database: reading.database()?,
            quarantine: &self.quarantine,
            recent: self.engine.recent(),
        })
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
        self.page(Span::after(Group::Topics, after.map(Key::Topic), limit))
            .await
    }

    async fn hosted(&self, topic: TopicId) -> Result<Option<(Hosted, Bytes)>> {
        self.read(move |view| view.with_body(&Key::Hosted(topic), Group::HostedChunks(topic)))
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
        let recent = self.shelf.engine.recent();
        if let Some(all) = recent.targets(topic) {
            let place = |target: &Target| after.is_none_or(|after| target.id.callback > after);
            let page = all.iter().filter(|target| place(target)).take(limit);
            return Ok(page.cloned().collect());
        }
        // Most audiences are small, and to go aside costs more than to read them.
        let short = limit.min(SHORT_PAGE);
        let page = self.read(move |view| {
            let page = view.targets(topic, after, short)?;
            if after.is_none() && page.len() < short {
                view.recent.keep_targets(topic, &page);
            }
            Ok(page)
        });
        let page = page.await?;
        if page.len() < short || short == limit {
            return Ok(page);
        }
        self.read_aside(move |view| view.targets(topic, after, limit))
            .await
    }

    async fn target(&self, id: TargetId) -> Result<Option<Target>> {
        match HookId::of(id) {
            Some(hook) => Ok(self.shared_hook(hook).await?.map(Target::from)),
            None => {
                let subscription = self.subscription(id).await?;
                Ok(subscription.map(|subscription| Subscriber { id, subscription }.into()))
            }
        }
    }

    async fn subscriptions(
        &self,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>> {
        let after = after.map(Key::Subscription);
        let span = Span::after(Group::Subscriptions, after, limit);
        self.read_page(limit, move |view| view.subscribers(&span))
            .await
    }

    async fn subscriptions_to(
        &self,
        topic: TopicId,
        after: Option<CallbackId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>> {
        let after = after.map(|callback| Key::Subscription(TargetId { topic, callback }));
        let span = Span::after(Group::SubscriptionsTo(topic), after, limit);
        self.read_page(limit, move |view| view.subscribers(&span))
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
        self.read(move |view| view.publication(id)).await
    }

    async fn receipt(&self, id: PublicationId) -> Result<Option<Receipt>> {
        self.read(move |view| {
            let receipt = view.record(&Key::Receipt(id))?;
            receipt
                .map(|receipt| view.with_checkpoint(receipt))
                .transpose()
        })
        .await
    }

    async fn receipts(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Receipt>> {
        let from = Start::After(after.map(Key::Receipt));
        self.read_page(limit, move |view| view.receipts(from, limit))
            .await
    }

    async fn receipts_before(
        &self,
        before: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Receipt>> {
        let from = Start::Before(before.map(Key::Receipt));
        self.read_page(limit, move |view| view.receipts(from, limit))
            .await
    }

    async fn bundle(&self, id: PublicationId) -> Result<Option<Bundle>> {
        self.record(Key::Bundle(id)).await
    }

    async fn bundles(&self, after: Option<PublicationId>, limit: usize) -> Result<Vec<Bundle>> {
        self.page(Span::after(Group::Bundles, after.map(Key::Bundle), limit))
            .await
    }

    async fn missing(
        &self,
        id: PublicationId,
        after: Option<TargetId>,
        limit: usize,
    ) -> Result<Vec<Missing>> {
        let after = after.map(|target| Key::Missing(id, target));
        self.page(Span::after(Group::Missing(id), after, limit))
            .await
    }

    async fn missing_one(&self, id: PublicationId, target: TargetId) -> Result<Option<Missing>> {
        self.record(Key::Missing(id, target)).await
    }

    async fn all_missing(
        &self,
        after: Option<(PublicationId, TargetId)>,
        limit: usize,
    ) -> Result<Vec<(PublicationId, Missing)>> {
        let after = after.map(|(id, target)| Key::Missing(id, target));
        let span = Span::after(Group::AllMissing, after, limit);
        self.read_page(limit, move |view| {
            view.walk(&span, |key, value| {
                let Some(Key::Missing(id, _)) = Key::parse(key) else {
                    return Ok(None);
                };
                Ok(view.decoded(key, value).map(|missing| (id, missing)))
            })
        })
        .await
    }

    async fn publications(
        &self,
        after: Option<PublicationId>,
        limit: usize,
    ) -> Result<Vec<Publication>> {
        let span = Span::after(Group::Publications, after.map(Key::Publication), limit);
        let rows: Vec<Journaled> = self.page(span).await?;
        Ok(rows.into_iter().map(|row| row.publication).collect())
    }

    async fn kept_bytes(&self) -> Result<u64> {
        let bytes = self.record(Key::KeptBytes).await?;
        Ok(bytes.unwrap_or(0))
    }

    async fn waiting(&self, target: TargetId, limit: usize) -> Result<Vec<Waiting>> {
        self.page(Span::after(Group::Waiting(target), None, limit))
            .await
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>> {
        self.record(Key::Job(id)).await
    }

    async fn jobs(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>> {
        self.page(Span::after(Group::Jobs, after.map(Key::Job), limit))
            .await
    }

    async fn back_up(
        &self,
        path: PathBuf,
        made_at: String,
        files: BTreeMap<String, String>,
    ) -> Result<Contents> {
        let engine = Arc::clone(&self.shelf.engine);
        tokio::task::spawn_blocking(move || back_up(&engine, &path, made_at, files))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    async fn probe(&self) -> Result<()> {
        self.ask(Work::Probe).await
    }

    fn overflow(&self) -> Vec<TargetId> {
        let mut told = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut told)
    }

    fn quarantined(&self) -> u64 {
        self.shelf.quarantine.count()
    }

    async fn close(&self) -> Result<()> {
        self.ask(Work::Close).await
    }
}
