//! The suite that every [`Store`] passes: one function for each guarantee of the trait, and [`store_contract!`] which
//! makes a test of each.
//!
//! Every function takes `open`, which gives another handle on the same histories each time it is called: a clone for
//! the store in memory, a second `open` of the same file for the journal.
//!
//! [`store_contract!`]: crate::store_contract

#![expect(clippy::unwrap_used, reason = "a test suite: a panic is its verdict")]

mod appends;
mod clusters;
mod reads;
mod sample;

pub use appends::*;
pub use clusters::*;
pub use reads::*;

use std::sync::Arc;

use crate::event::{Event, Recorded};
use crate::ids::{ClusterId, Epoch, Generation, Seq};
use crate::store::{Lease, Store, StoreError};

use sample::{event, every_kind, kinds};
pub use sample::{first, first_of, next};

/// Makes a `#[tokio::test]` of every function of the suite. The argument is a function that makes a new, empty storage
/// and returns a function that opens a handle on it:
///
/// ```ignore
/// store_contract!(|| {
///     let store = MemoryStore::new();
///     move || store.clone()
/// });
/// ```
#[macro_export]
macro_rules! store_contract {
    ($make_store:expr) => {
        $crate::store_contract! { @tests $make_store;
            every_kind_of_event_round_trips
            an_unknown_run_is_refused
            a_run_begins_with_run_started
            a_name_belongs_to_one_cluster_until_it_is_retired
            the_runs_of_a_cluster_share_its_epochs_and_its_lease
            runs_are_listed_oldest_first
            a_second_adoption_is_refused_while_a_lease_lives
            each_adoption_has_a_new_epoch
            an_old_lease_is_fenced
            an_existing_number_is_refused_with_its_whole_batch
            a_gap_is_refused
            a_newer_format_is_refused
            another_runs_event_is_refused
            unpolled_appends_keep_the_order_of_the_calls
            a_refused_append_fails_alone
            simultaneous_appends_are_all_kept
            what_is_acknowledged_is_seen_by_another_handle
            a_history_is_read_in_pages
            the_list_says_how_each_run_stands
            a_snapshot_is_kept_until_the_next
            a_whole_history_is_salvaged_whole
            an_adoption_can_be_told_of_a_higher_epoch
            a_cluster_is_gone_with_the_success_that_ends_it
        }
    };
    (@tests $make_store:expr; $($name:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::contract::$name(($make_store)()).await;
            }
        )+
    };
}

/// Creates and loads back every kind of event, each with and without its optional parts.
pub async fn every_kind_of_event_round_trips<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    assert_eq!((lease.run(), lease.epoch()), (begin.run, Epoch::FIRST));
    let mut history = vec![begin.clone()];
    for kind in every_kind(&begin) {
        let seq = history.len() as u64 + 1;
        let generation = if seq < 10 {
            Generation::FIRST
        } else {
            Generation(2)
        };
        let recorded = Arc::new(Recorded {
            generation,
            ..Arc::unwrap_or_clone(event(&begin, seq, kind))
        });
        store.append(&lease, vec![recorded.clone()]).await.unwrap();
        history.push(recorded);
    }
    let seen: std::collections::BTreeSet<_> = history.iter().map(|recorded| recorded.event.kind()).collect();
    assert_eq!(
        seen.len(),
        kinds(&begin.event),
        "the suite misses a kind of event"
    );
    let history: Vec<Recorded> = history.iter().map(|recorded| Recorded::clone(recorded)).collect();
    assert_eq!(store.load(begin.run).await.unwrap(), history);
    drop(lease);
    drop(store);
    assert_eq!(open().load(begin.run).await.unwrap(), history);
}

/// Loading, adopting, appending to and retiring a run that does not exist.
pub async fn an_unknown_run_is_refused<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let run = begin.run;
    let forged = Lease::new(run, ClusterId::of_run(run), Epoch::FIRST, Box::new(()));
    assert!(matches!(store.load(run).await, Err(StoreError::UnknownRun { run: r }) if r == run));
    assert!(matches!(store.adopt(run, Epoch(0)).await, Err(StoreError::UnknownRun { run: r }) if r == run));
    assert!(matches!(
        store.append(&forged, vec![begin.clone()]).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(matches!(
        store.retire(&forged).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(matches!(
        store.read(run, Seq(0), 4).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(matches!(
        store.salvage(run).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(matches!(
        store.snapshot(run).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(!store.is_held(run).await.unwrap());
    assert!(store.runs().await.unwrap().is_empty());
}

/// A run is created with event 1, a `RunStarted`, once.
pub async fn a_run_begins_with_run_started<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    assert!(matches!(
        store.create(event(&begin, 2, begin.event.clone())).await,
        Err(StoreError::OutOfSequence {
            seq: Seq(2),
            expected: Seq(1),
            ..
        })
    ));
    assert!(matches!(
        store.create(event(&begin, 1, Event::RunSucceeded)).await,
        Err(StoreError::Unusable { .. })
    ));
    assert!(store.runs().await.unwrap().is_empty());
    assert!(
        !store.is_held(begin.run).await.unwrap(),
        "a refused run is still held"
    );

    drop(store.create(begin.clone()).await.unwrap());
    assert!(matches!(
        store.create(begin.clone()).await,
        Err(StoreError::OutOfSequence {
            seq: Seq(1),
            expected: Seq(2),
            ..
        })
    ));
    assert!(
        !store.is_held(begin.run).await.unwrap(),
        "a refused creation still holds the run"
    );
    assert_eq!(store.load(begin.run).await.unwrap().len(), 1);
}
