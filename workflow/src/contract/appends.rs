//! What is written: all of a batch or nothing of it, in the order of the calls.

use std::sync::Arc;

use crate::event::{EVENT_FORMAT, Event, Recorded};
use crate::ids::{Epoch, Seq};
use crate::store::{Lease, Store, StoreError};

use super::sample::{event, first, in_epoch, next};

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
