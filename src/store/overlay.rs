//! What a group of commits is about to write, laid over what is stored. In: reads and writes of records. Out: reads that
//! see the writes before them, and all that is to be written. A commit that fails can be taken back alone.

use std::collections::BTreeSet;
use std::ops::Bound::{Included, Unbounded};

use super::Result;
use super::database::{Database, Rows};
use super::key::{Group, Key};
use super::quarantine::Quarantine;
use super::record::Record;
use crate::domain::value::TargetId;

/// What a row was about to become before, if it was about to become anything.
type Before = Option<Option<Vec<u8>>>;

/// See the module.
pub(super) struct Overlay<'a> {
    database: &'a Database,
    quarantine: &'a Quarantine,
    pending: Rows,
    /// What `pending` held before each write of the commit that is under way, latest last.
    undo: Vec<(Vec<u8>, Before)>,
    /// For whom something is given up, once for each; the commit that is under way begins at `kept`.
    overflow: Vec<TargetId>,
    kept: usize,
}

impl<'a> Overlay<'a> {
    /// Nothing is written yet.
    pub fn new(database: &'a Database, quarantine: &'a Quarantine) -> Self {
        Self {
            database,
            quarantine,
            pending: Rows::new(),
            undo: Vec::new(),
            overflow: Vec::new(),
            kept: 0,
        }
    }

    /// A record; one that cannot be read is set aside and counts as absent.
    pub fn record<T: Record>(&self, key: &Key) -> Result<Option<T>> {
        let bytes = key.bytes();
        match self.pending.get(&bytes) {
            Some(pending) => Ok(pending
                .as_deref()
                .and_then(|value| self.decoded(&bytes, value))),
            None => Ok(self
                .database
                .value(&bytes)?
                .and_then(|value| self.decoded(&bytes, &value))),
        }
    }

    /// Whether there is a row, readable or not.
    pub fn exists(&self, key: &Key) -> Result<bool> {
        let bytes = key.bytes();
        match self.pending.get(&bytes) {
            Some(pending) => Ok(pending.is_some()),
            None => Ok(self.database.value(&bytes)?.is_some()),
        }
    }

    /// The keys of a group's rows, readable or not, in order.
    pub fn keys(&self, group: Group) -> Result<Vec<Key>> {
        self.keys_while(group, |_| true)
    }

    /// Those of them that stand before a key.
    pub fn keys_before(&self, group: Group, end: &Key) -> Result<Vec<Key>> {
        let end = end.bytes();
        self.keys_while(group, |key| key < end.as_slice())
    }

    fn keys_while(&self, group: Group, is_within: impl Fn(&[u8]) -> bool) -> Result<Vec<Key>> {
        let prefix = group.prefix();
        let mut keys = BTreeSet::new();
        for row in self.database.rows(&prefix, None) {
            let (key, _) = row?;
            if !is_within(&key) {
                break;
            }
            if !self.pending.contains_key(&*key) {
                keys.insert(key.to_vec());
            }
        }
        let pending = self.pending_keys(&prefix).take_while(|key| is_within(key));
        keys.extend(pending.cloned());
        Ok(keys.iter().filter_map(|key| Key::parse(key)).collect())
    }

    /// The first key of a group's rows, readable or not.
    pub fn first_key(&self, group: Group) -> Result<Option<Key>> {
        let prefix = group.prefix();
        let mut first = self.pending_keys(&prefix).next().cloned();
        for row in self.database.rows(&prefix, None) {
            let (key, _) = row?;
            if !self.pending.contains_key(&*key) {
                first = Some(first.map_or_else(|| key.to_vec(), |first| first.min(key.to_vec())));
                break;
            }
        }
        Ok(first.and_then(|key| Key::parse(&key)))
    }

    /// Writes a record.
    pub fn put<T: Record>(&mut self, key: &Key, record: &T) {
        self.set(key, Some(record.encode()));
    }

    /// Writes bytes that are no record.
    pub fn put_bytes(&mut self, key: &Key, bytes: &[u8]) {
        self.set(key, Some(bytes.to_vec()));
    }

    /// Removes a row, if there is one.
    pub fn remove(&mut self, key: &Key) {
        self.set(key, None);
    }

    /// The commit that is under way has its changes made.
    pub fn keep(&mut self) {
        self.undo.clear();
        self.kept = self.overflow.len();
    }

    /// The commit that is under way takes its changes back.
    pub fn take_back(&mut self) {
        self.overflow.truncate(self.kept);
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(before) => self.pending.insert(key, before),
                None => self.pending.remove(&key),
            };
        }
    }

    /// More waits for a target than may, and something is given up.
    pub fn note_overflow(&mut self, target: TargetId) {
        self.overflow.push(target);
    }

    /// Everything that is to be written, and for whom something is given up by that.
    pub fn into_rows(self) -> (Rows, Vec<TargetId>) {
        (self.pending, self.overflow)
    }

    fn set(&mut self, key: &Key, value: Option<Vec<u8>>) {
        let key = key.bytes();
        let before = self.pending.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    /// The keys with this beginning that will have a value.
    fn pending_keys<'b>(&'b self, prefix: &'b [u8]) -> impl Iterator<Item = &'b Vec<u8>> {
        self.pending
            .range::<[u8], _>((Included(prefix), Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter(|(_, value)| value.is_some())
            .map(|(key, _)| key)
    }

    fn decoded<T: Record>(&self, key: &[u8], value: &[u8]) -> Option<T> {
        T::decode(value)
            .inspect_err(|error| self.quarantine.report(key, value, error))
            .ok()
    }
}
