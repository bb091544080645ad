//! The suite that every [`Store`] passes: one function for each guarantee of the trait, and [`store_contract!`] which
//! makes a test of each.
//!
//! Every function takes `open`, which gives another handle on the same histories each time it is called: a clone for
//! the store in memory, a second `open` of the same file for the journal.
//!
//! [`store_contract!`]: crate::store_contract

#![expect(clippy::unwrap_used, reason = "a test suite: a panic is its verdict")]

mod sample;

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{EVENT_FORMAT, Event, Recorded};
use crate::ids::{ClusterId, Epoch, Generation, Seq};
use crate::store::{Lease, Snapshot, Store, StoreError};
use crate::summary::PhaseKind;

use sample::{event, every_kind, in_epoch, kinds};
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

/// A second cluster of a name is refused until the first one is retired; other providers have other clusters.
pub async fn a_name_belongs_to_one_cluster_until_it_is_retired<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let rival = first("demo");
    match store.create(rival.clone()).await {
        Err(StoreError::ClusterExists { cluster, run }) => assert_eq!((&*cluster, run), ("demo", begin.run)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        store.load(rival.run).await,
        Err(StoreError::UnknownRun { .. })
    ));
    assert!(!store.is_held(rival.run).await.unwrap());

    let mut elsewhere = Arc::unwrap_or_clone(first("demo"));
    if let Event::RunStarted { provider, .. } = &mut elsewhere.event {
        "ec2".clone_into(provider);
    }
    store.create(Arc::new(elsewhere)).await.unwrap();

    store.retire(&lease).await.unwrap();
    store.retire(&lease).await.unwrap();
    let row = store
        .runs()
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.run == begin.run)
        .unwrap();
    assert!(!row.owns_cluster);
    let lease_of_rival = store.create(rival.clone()).await.unwrap();
    let row = store
        .runs()
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.run == rival.run)
        .unwrap();
    assert!(row.owns_cluster);

    // The first run's history goes on; and retiring it again takes nothing from the new owner.
    store.append(&lease, vec![next(&begin, 2)]).await.unwrap();
    store.retire(&lease).await.unwrap();
    assert!(matches!(
        store.create(first("demo")).await,
        Err(StoreError::ClusterExists { .. })
    ));
    drop(lease_of_rival);
}

/// Another run of a cluster that exists takes the next epoch, and is refused while any run of the cluster is driven.
pub async fn the_runs_of_a_cluster_share_its_epochs_and_its_lease<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let second = first_of("demo", lease.cluster());
    assert!(matches!(
        other.create(second.clone()).await,
        Err(StoreError::Held { .. })
    ));
    assert!(
        !other
            .runs()
            .await
            .unwrap()
            .iter()
            .any(|row| row.run == second.run)
    );
    drop(lease);
    let lease = other.create(second.clone()).await.unwrap();
    assert_eq!(lease.epoch(), Epoch(2));
    assert_eq!(other.load(second.run).await.unwrap()[0].epoch, Epoch(2));
    assert!(store.is_held(begin.run).await.unwrap());
    assert!(matches!(
        store.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Held { .. })
    ));
    drop(lease);
    let first_again = store.adopt(begin.run, Epoch(0)).await.unwrap();
    assert_eq!(first_again.epoch(), Epoch(3));
    store
        .append(&first_again, vec![in_epoch(&next(&begin, 2), Epoch(3))])
        .await
        .unwrap();
    let rows = store.runs().await.unwrap();
    assert!(rows.iter().all(|row| row.cluster_id == first_again.cluster()));
    store.retire(&first_again).await.unwrap();
    assert!(store.runs().await.unwrap().iter().all(|row| !row.owns_cluster));
}

/// The list has every run with what its first event says, the oldest first.
pub async fn runs_are_listed_oldest_first<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let mut expected = Vec::new();
    // The same second with and without a fraction: an order of texts of varying length would get it wrong.
    for (cluster, at) in [
        ("c", "2026-03-01T09:30:01Z"),
        ("a", "2026-03-01T09:30:00Z"),
        ("b", "2026-03-01T09:30:00.5Z"),
    ] {
        let at: Timestamp = at.parse().unwrap();
        let begin = Arc::new(Recorded {
            at,
            ..Arc::unwrap_or_clone(first(cluster))
        });
        store.create(begin.clone()).await.unwrap();
        expected.push((at, begin.run, cluster.to_owned()));
    }
    expected.sort();
    let rows = store.runs().await.unwrap();
    assert!(rows.iter().all(|row| row.owns_cluster && row.provider == "local"));
    let seen: Vec<_> = rows
        .into_iter()
        .map(|row| (row.created_at, row.run, row.cluster))
        .collect();
    assert_eq!(seen, expected);
}

/// A run is refused to others while a lease lives, whichever handle made it, and free once that is dropped.
pub async fn a_second_adoption_is_refused_while_a_lease_lives<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    let created = store.create(begin.clone()).await.unwrap();
    for handle in [&store, &other] {
        assert!(handle.is_held(begin.run).await.unwrap());
        assert!(
            matches!(handle.adopt(begin.run, Epoch(0)).await, Err(StoreError::Held { run, .. }) if run == begin.run)
        );
    }
    drop(created);
    assert!(!other.is_held(begin.run).await.unwrap());
    let adopted = other.adopt(begin.run, Epoch(0)).await.unwrap();
    assert!(store.is_held(begin.run).await.unwrap());
    assert!(matches!(
        store.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Held { .. })
    ));
    drop(adopted);
    assert!(!store.is_held(begin.run).await.unwrap());
    store.adopt(begin.run, Epoch(0)).await.unwrap();
}

/// Epochs go up by one with each adoption, and a refused one takes none.
pub async fn each_adoption_has_a_new_epoch<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    drop(store.create(begin.clone()).await.unwrap());
    for epoch in 2..5 {
        let lease = store.adopt(begin.run, Epoch(0)).await.unwrap();
        assert_eq!(lease.epoch(), Epoch(epoch));
        assert!(store.adopt(begin.run, Epoch(0)).await.is_err());
        let adopted = in_epoch(&next(&begin, epoch), lease.epoch());
        store.append(&lease, vec![adopted]).await.unwrap();
    }
}

/// A lease whose run was adopted since can neither append nor retire.
pub async fn an_old_lease_is_fenced<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    drop(store.create(begin.clone()).await.unwrap());
    let lease = other.adopt(begin.run, Epoch(0)).await.unwrap();
    let stale = Lease::new(begin.run, lease.cluster(), Epoch::FIRST, Box::new(()));
    match store.append(&stale, vec![next(&begin, 2)]).await {
        Err(StoreError::Fenced { run, epoch, newest }) => {
            assert_eq!((run, epoch, newest), (begin.run, Epoch(1), Epoch(2)));
        }
        refused => panic!("{refused:?}"),
    }
    assert!(matches!(
        store.retire(&stale).await,
        Err(StoreError::Fenced { .. })
    ));
    assert!(
        matches!(
            other.append(&lease, vec![next(&begin, 2)]).await,
            Err(StoreError::Fenced { .. })
        ),
        "an event of an old epoch went in under a new lease"
    );
    assert_eq!(store.load(begin.run).await.unwrap().len(), 1);
    assert!(store.runs().await.unwrap()[0].owns_cluster);
    other
        .append(&lease, vec![in_epoch(&next(&begin, 2), lease.epoch())])
        .await
        .unwrap();
}

/// A number that exists is refused, and nothing of its batch is kept.
pub async fn an_existing_number_is_refused_with_its_whole_batch<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    store
        .append(&lease, vec![next(&begin, 2), next(&begin, 3)])
        .await
        .unwrap();
    let before = store.load(begin.run).await.unwrap();
    for batch in [
        vec![3],
        vec![3, 4],
        vec![2, 3, 4, 5],
        vec![4, 4],
        vec![4, 5, 3],
        vec![1],
    ] {
        let events = batch
            .iter()
            .map(|seq| event(&begin, *seq, Event::RunSucceeded))
            .collect();
        let refused = store.append(&lease, events).await;
        assert!(
            matches!(refused, Err(StoreError::OutOfSequence { .. })),
            "{batch:?}: {refused:?}"
        );
        assert_eq!(
            store.load(begin.run).await.unwrap(),
            before,
            "{batch:?} left something"
        );
    }
    store.append(&lease, vec![next(&begin, 4)]).await.unwrap();
}

/// A number that leaves a gap is refused, before the batch and within it.
pub async fn a_gap_is_refused<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    match store.append(&lease, vec![next(&begin, 3)]).await {
        Err(StoreError::OutOfSequence { run, seq, expected }) => {
            assert_eq!((run, seq, expected), (begin.run, Seq(3), Seq(2)));
        }
        refused => panic!("{refused:?}"),
    }
    let within = store.append(&lease, vec![next(&begin, 2), next(&begin, 4)]).await;
    assert!(
        matches!(within, Err(StoreError::OutOfSequence { .. })),
        "{within:?}"
    );
    store.append(&lease, Vec::new()).await.unwrap();
    assert_eq!(store.load(begin.run).await.unwrap().len(), 1);
}

/// An event in a format that this build does not know is not written.
pub async fn a_newer_format_is_refused<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let newer = Arc::new(Recorded {
        format: EVENT_FORMAT + 1,
        ..Arc::unwrap_or_clone(next(&begin, 2))
    });
    assert!(matches!(
        store.append(&lease, vec![newer]).await,
        Err(StoreError::NewerFormat { .. })
    ));
    assert_eq!(store.load(begin.run).await.unwrap().len(), 1);
}

/// A lease writes to its own run only.
pub async fn another_runs_event_is_refused<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let (begin, other) = (first("demo"), first("other"));
    let lease = store.create(begin.clone()).await.unwrap();
    store.create(other.clone()).await.unwrap();
    assert!(store.append(&lease, vec![next(&other, 2)]).await.is_err());
    assert_eq!(store.load(begin.run).await.unwrap().len(), 1);
    assert_eq!(store.load(other.run).await.unwrap().len(), 1);
}

/// Appends take effect in the order of the calls, even when only the last one is ever polled.
pub async fn unpolled_appends_keep_the_order_of_the_calls<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let mut appends: Vec<_> = (2..=101)
        .map(|seq| store.append(&lease, vec![next(&begin, seq)]))
        .collect();
    appends.pop().unwrap().await.unwrap();
    let loaded = store.load(begin.run).await.unwrap();
    assert_eq!(
        loaded.iter().map(|recorded| recorded.seq.0).collect::<Vec<_>>(),
        (1..=101).collect::<Vec<_>>()
    );
    while let Some(append) = appends.pop() {
        append.await.unwrap();
    }
}

/// A refused append takes none of those with it that were waiting for the same commit.
pub async fn a_refused_append_fails_alone<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let stale = Lease::new(begin.run, lease.cluster(), Epoch(7), Box::new(()));
    let appends = vec![
        store.append(&lease, vec![next(&begin, 2)]),
        store.append(&lease, vec![next(&begin, 2)]),
        store.append(&stale, vec![in_epoch(&next(&begin, 3), Epoch(7))]),
        store.append(&lease, vec![next(&begin, 9)]),
        store.append(&lease, vec![next(&begin, 3), next(&begin, 4)]),
    ];
    let mut kept = Vec::new();
    for append in appends {
        kept.push(append.await.is_ok());
    }
    assert_eq!(kept, [true, false, false, false, true]);
    assert_eq!(store.load(begin.run).await.unwrap().len(), 4);
}

/// 64 tasks append at once: each is acknowledged, and the history has no gap.
pub async fn simultaneous_appends_are_all_kept<S: Store>(open: impl Fn() -> S) {
    const TASKS: u64 = 64;
    const EACH: u64 = 4;
    let store = Arc::new(open());
    let begin = first("demo");
    let lease = Arc::new(store.create(begin.clone()).await.unwrap());
    // The number is taken and the append called under one lock, as an engine has to do it.
    let seq = Arc::new(tokio::sync::Mutex::new(2));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (store, lease, seq, begin) = (store.clone(), lease.clone(), seq.clone(), begin.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let append = {
                        let mut seq = seq.lock().await;
                        let append = store.append(&lease, vec![next(&begin, *seq)]);
                        *seq += 1;
                        append
                    };
                    append.await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let numbers: Vec<u64> = store
        .load(begin.run)
        .await
        .unwrap()
        .iter()
        .map(|recorded| recorded.seq.0)
        .collect();
    assert_eq!(numbers, (1..=TASKS * EACH + 1).collect::<Vec<_>>());
}

/// Once acknowledged, an append is there for every other handle.
pub async fn what_is_acknowledged_is_seen_by_another_handle<S: Store>(open: impl Fn() -> S) {
    let (writer, reader) = (open(), open());
    let begin = first("demo");
    let lease = writer.create(begin.clone()).await.unwrap();
    assert_eq!(reader.load(begin.run).await.unwrap().len(), 1);
    assert_eq!(reader.runs().await.unwrap().len(), 1);
    for seq in 2..20 {
        writer.append(&lease, vec![next(&begin, seq)]).await.unwrap();
        assert_eq!(reader.load(begin.run).await.unwrap().len() as u64, seq);
    }
    writer.retire(&lease).await.unwrap();
    assert!(!reader.runs().await.unwrap()[0].owns_cluster);
}

/// Pages follow one another without gap or overlap, and end with an empty one.
pub async fn a_history_is_read_in_pages<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    store
        .append(&lease, (2..=10).map(|seq| next(&begin, seq)).collect())
        .await
        .unwrap();
    let mut pages = Vec::new();
    let mut after = Seq(0);
    loop {
        let page = store.read(begin.run, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        pages.push(page);
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(pages.concat(), store.load(begin.run).await.unwrap());
    let unknown = first("other").run;
    assert!(matches!(
        store.read(unknown, Seq(0), 4).await,
        Err(StoreError::UnknownRun { .. })
    ));
}

/// A run's line in the list follows its events, whichever handle looks.
pub async fn the_list_says_how_each_run_stands<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let summary = async || other.runs().await.unwrap().remove(0).summary;
    assert_eq!(
        (summary().await.phase, summary().await.seq),
        (PhaseKind::Running, Seq(1))
    );
    let open_steps = Event::RunPartial {
        open: vec!["hdfs-format".into()],
    };
    for (seq, kind, phase) in [
        (2, Event::RunSucceeded, PhaseKind::Succeeded),
        (3, open_steps, PhaseKind::Partial),
    ] {
        let recorded = event(&begin, seq, kind);
        store.append(&lease, vec![recorded.clone()]).await.unwrap();
        let now = summary().await;
        assert_eq!(
            (now.phase, now.seq, now.finished_at),
            (phase, Seq(seq), Some(recorded.at))
        );
    }
}

/// A snapshot comes back as it was kept, and the next one takes its place.
pub async fn a_snapshot_is_kept_until_the_next<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    assert_eq!(store.snapshot(begin.run).await.unwrap(), None);
    for seq in [1, 2] {
        let snapshot = Snapshot {
            seq: Seq(seq),
            format: 7,
            state: vec![0, 255, u8::try_from(seq).unwrap()],
        };
        store.keep(&lease, snapshot.clone()).await.unwrap();
        assert_eq!(other.snapshot(begin.run).await.unwrap(), Some(snapshot));
        store.append(&lease, vec![next(&begin, seq + 1)]).await.unwrap();
    }
}

/// What is whole is salvaged whole, and a lease that is not the newest keeps no snapshot.
pub async fn a_whole_history_is_salvaged_whole<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    store
        .append(&lease, (2..=10).map(|seq| next(&begin, seq)).collect())
        .await
        .unwrap();
    let salvaged = store.salvage(begin.run).await.unwrap();
    assert_eq!(
        (salvaged.events, salvaged.damage),
        (store.load(begin.run).await.unwrap(), None)
    );
    let stale = Lease::new(begin.run, lease.cluster(), Epoch(7), Box::new(()));
    let snapshot = Snapshot {
        seq: Seq(2),
        format: 7,
        state: Vec::new(),
    };
    assert!(matches!(
        store.keep(&stale, snapshot).await,
        Err(StoreError::Fenced { .. })
    ));
    assert_eq!(store.snapshot(begin.run).await.unwrap(), None);
}

/// An adoption's epoch is above the store's own and above the one that it is told of.
pub async fn an_adoption_can_be_told_of_a_higher_epoch<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    drop(store.create(begin.clone()).await.unwrap());
    for (above, epoch) in [(7, 8), (3, 9), (0, 10)] {
        let lease = store.adopt(begin.run, Epoch(above)).await.unwrap();
        assert_eq!(lease.epoch(), Epoch(epoch));
    }
}
