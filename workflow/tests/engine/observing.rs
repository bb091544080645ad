//! What the observer is told.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Outcome};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded, from};
use crate::spy::Spy;
use crate::toy::LIMITS;
use crate::world::Twist;

#[tokio::test(start_paused = true)]
async fn it_sees_every_event_of_every_engine_once_and_in_order() {
    let rig = Rig::new();
    rig.world
        .twist("launch/n2", [Twist::Fails(ErrorClass::Permanent)]);
    rig.world.twist("share", [Twist::Fails(ErrorClass::Transient)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    assert_succeeded(&rig.resume().await);
    assert_succeeded(&rig.replay(from("format")).await);
    assert_eq!(rig.seen(), rig.history());
}

/// The observer of [`Rig`] insists that what it sees is in the store.
#[tokio::test(start_paused = true)]
async fn it_sees_nothing_before_a_slow_store_has_it() {
    for millis in [1, 2, 3, 50, 700] {
        let rig = Rig::on(Spy::slow(Duration::from_millis(millis)));
        assert_succeeded(&rig.run().await);
        assert_eq!(rig.seen(), rig.history(), "{millis} ms an append");
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

/// The five instances are recorded, one after the other, by a store so slow that the deadline drops whoever waits for
/// the last of them; the events come about all the same.
#[tokio::test(start_paused = true)]
async fn it_also_sees_what_nobody_waits_for_any_more() {
    let rig = Rig::on(Spy::slow(LIMITS.deadline / 4));
    rig.world.takes("launch/n5", LIMITS.deadline / 2);
    let outcome = rig.run().await;
    let dropped = rig
        .story()
        .iter()
        .filter(|event| event.contains("failed (Ambiguous"))
        .count();
    assert!(dropped > 0, "nobody was dropped: {:#?}", rig.story());
    assert_eq!(rig.seen(), rig.history());
    assert!(
        matches!(outcome, Outcome::Succeeded | Outcome::Failed { .. }),
        "{outcome:?}"
    );
    assert_lawful(&rig);
}

/// A process that stops listening in the middle of an append: the next engine's history has the event.
#[tokio::test(start_paused = true)]
async fn what_a_killed_engine_had_handed_over_is_in_the_history_but_was_never_shown() {
    let rig = Rig::on(Spy::slow(Duration::from_millis(300)));
    let run = rig.create().await.unwrap();
    // `groups` was handed to the store at zero, and is there after 300 ms.
    assert!(
        tokio::time::timeout(Duration::from_millis(100), rig.drive(&run))
            .await
            .is_err()
    );
    drop(run);
    assert_eq!(rig.story(), ["run_started"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rig.story(), ["run_started", "groups #1 started"]);
    assert_eq!(rig.seen().len(), 1);
    assert!(rig.world.deeds().is_empty());
    assert_succeeded(&rig.resume().await);
    assert_complete(&rig);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_not_shown() {
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    rig.store.memory().fail_after(5);
    assert!(matches!(rig.drive(&run).await, Outcome::Lost(_)));
    assert_eq!(rig.seen(), rig.history());
}
