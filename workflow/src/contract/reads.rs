//! What is read back, by whichever handle.

use crate::event::Event;
use crate::ids::{Epoch, Seq};
use crate::store::{Lease, Snapshot, Store, StoreError};
use crate::summary::PhaseKind;

use super::sample::{event, first, next};

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
