//! Rows loaded for a batch, with a journal: what changed can be undone, and what stays can be written.

use std::collections::{BTreeMap, BTreeSet};

/// How a row differs from what was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It was there with other content.
    Changed,
}

/// Rows by key. Every change goes through [`Rows::set`], so that the journal is complete.
#[derive(Debug, Clone)]
pub struct Rows<K, V> {
    rows: BTreeMap<K, V>,
    journal: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), journal: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Rows<K, V> {
    /// Adds a row as it stands in the database.
    pub fn load(&mut self, key: K, row: V) {
        self.rows.insert(key, row);
    }

    /// The row as it is now.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// All rows as they are now, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// Changes or adds a row.
    pub fn set(&mut self, key: K, row: V) {
        let before = self.rows.insert(key.clone(), row);
        self.journal.push((key, before));
    }

    /// A place in the journal to which [`Rows::roll_back`] returns.
    pub fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Undoes every change behind the mark.
    pub fn roll_back(&mut self, mark: usize) {
        for (key, before) in self.journal.drain(mark..).rev() {
            match before {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
    }

    /// The rows that differ from what was loaded, in the order of their keys.
    pub fn changes(&self) -> Vec<(&K, &V, Change)> {
        let mut seen = BTreeSet::new();
        let mut changed = BTreeMap::new();
        for (key, before) in &self.journal {
            if seen.insert(key) {
                let change = if before.is_none() { Change::New } else { Change::Changed };
                changed.insert(key, change);
            }
        }
        changed.into_iter().filter_map(|(key, change)| Some((key, self.rows.get(key)?, change))).collect()
    }
}
