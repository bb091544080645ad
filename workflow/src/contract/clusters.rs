//! Who may write: names, leases and epochs of clusters.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Event, Recorded};
use crate::ids::Epoch;
use crate::store::{Lease, Store, StoreError};

use super::sample::{event, first, first_of, in_epoch, next};

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

/// Another run of a cluster that exists takes the next epoch, and is refused while any run of the cluster is driven, or another
/// one has not come to an end.
pub async fn the_runs_of_a_cluster_share_its_epochs_and_its_lease<S: Store>(open: impl Fn() -> S) {
    let (store, other) = (open(), open());
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let second = first_of("demo", lease.cluster());
    assert!(matches!(
        other.create(second.clone()).await,
        Err(StoreError::Held { run, .. }) if run == begin.run
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
    match other.create(second.clone()).await {
        Err(StoreError::Unfinished {
            cluster,
            run,
            workflow,
        }) => {
            assert_eq!((&*cluster, run, &*workflow), ("demo", begin.run, "deploy"));
        }
        refused => panic!("{refused:?}"),
    }
    assert_eq!(other.runs().await.unwrap().len(), 1);
    let lease = store.adopt(begin.run, Epoch(0)).await.unwrap();
    let end = |begun: &Arc<Recorded>, seq, epoch| in_epoch(&event(begun, seq, Event::RunSucceeded), epoch);
    store
        .append(&lease, vec![end(&begin, 2, lease.epoch())])
        .await
        .unwrap();
    drop(lease);
    let lease = other.create(second.clone()).await.unwrap();
    assert_eq!(lease.epoch(), Epoch(3));
    assert_eq!(other.load(second.run).await.unwrap()[0].epoch, Epoch(3));
    assert!(store.is_held(begin.run).await.unwrap());
    // The one that is driven is named, not the one that was asked for.
    assert!(matches!(
        store.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Held { run, .. }) if run == second.run
    ));
    drop(lease);
    assert!(matches!(
        store.adopt(begin.run, Epoch(0)).await,
        Err(StoreError::Unfinished { run, .. }) if run == second.run
    ));
    let lease = store.adopt(second.run, Epoch(0)).await.unwrap();
    store
        .append(&lease, vec![end(&second, 2, lease.epoch())])
        .await
        .unwrap();
    drop(lease);
    let first_again = store.adopt(begin.run, Epoch(0)).await.unwrap();
    assert_eq!(first_again.epoch(), Epoch(5));
    store
        .append(&first_again, vec![in_epoch(&next(&begin, 3), Epoch(5))])
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

/// The success of a run that ends its cluster gives the name back in the same append: nobody sees one without the other.
pub async fn a_cluster_is_gone_with_the_success_that_ends_it<S: Store>(open: impl Fn() -> S) {
    let store = open();
    let begin = first("demo");
    let lease = store.create(begin.clone()).await.unwrap();
    let end = |begun: &Arc<Recorded>, epoch| in_epoch(&event(begun, 2, Event::RunSucceeded), epoch);
    store
        .append(&lease, vec![end(&begin, lease.epoch())])
        .await
        .unwrap();
    assert!(
        store.runs().await.unwrap()[0].owns_cluster,
        "a deploy ends no cluster"
    );
    let cluster = lease.cluster();
    drop(lease);
    let mut destroy = Arc::unwrap_or_clone(first_of("demo", cluster));
    if let Event::RunStarted { workflow, .. } = &mut destroy.event {
        "destroy".clone_into(workflow);
    }
    let destroy = Arc::new(destroy);
    let lease = store.create(destroy.clone()).await.unwrap();
    assert!(store.runs().await.unwrap().iter().all(|row| row.owns_cluster));
    store
        .append(&lease, vec![end(&destroy, lease.epoch())])
        .await
        .unwrap();
    assert!(open().runs().await.unwrap().iter().all(|row| !row.owns_cluster));
    store.create(first("demo")).await.unwrap();
}
