//! A store that fails.

use std::time::Duration;

use mesosflow_workflow::{Outcome, Phase, RecordError, RunError, StoreError};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded};
use crate::world::Act;

#[tokio::test(start_paused = true)]
async fn nothing_more_is_applied_once_the_journal_is_lost() {
    let rig = Rig::new();
    let store = rig.store.clone();
    // The disk is full as soon as `groups` runs.
    rig.world
        .when_applied("groups", move || store.memory().fail_after(0));
    let run = rig.create().await.unwrap();
    let outcome = rig.drive(&run).await;
    let Outcome::Lost(RecordError::Store(error)) = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(matches!(**error, StoreError::Unusable { .. }));
    assert_eq!(rig.world.applied(), ["groups"]);
    assert_eq!(rig.story(), ["run_started", "groups #1 started"]);
    assert_eq!(rig.state().phase, Phase::Running, "no end can be recorded");
}

#[tokio::test(start_paused = true)]
async fn items_and_branches_that_would_start_do_not() {
    let mut rig = Rig::new();
    rig.settings.fan_out = 2;
    let store = rig.store.clone();
    rig.world
        .when_applied("launch/n2", move || store.memory().fail_after(0));
    assert!(matches!(rig.run().await, Outcome::Lost(_)));
    assert_eq!(rig.world.applied(), ["groups", "launch/n1", "launch/n2"]);

    let rig = Rig::new();
    let store = rig.store.clone();
    rig.world.takes("format", Duration::from_secs(60));
    rig.world
        .when_applied("share", move || store.memory().fail_after(0));
    assert!(matches!(rig.run().await, Outcome::Lost(_)));
    assert!(!rig.world.applied().contains(&"start".to_owned()));
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_recovers_is_not_written_by_the_engine_that_lost_it() {
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    rig.store.memory().fail_after(4);
    assert!(matches!(rig.drive(&run).await, Outcome::Lost(_)));
    rig.store.memory().recover();
    let before = rig.history();
    let deeds = rig.world.take_deeds();
    assert!(deeds.iter().any(|deed| deed.act == Act::Apply));
    let outcome = rig.drive(&run).await;
    let Outcome::Lost(RecordError::Store(error)) = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        matches!(**error, StoreError::Unusable { .. }),
        "not what was wrong at first: {error:?}"
    );
    assert_eq!(rig.history(), before);
    assert!(rig.world.deeds().is_empty());
    drop(run);
    assert_succeeded(&rig.resume().await);
    assert_complete(&rig);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_be_created_or_adopted_leaves_nothing() {
    let rig = Rig::new();
    rig.store.memory().fail_after(0);
    assert!(matches!(
        rig.create().await,
        Err(RunError::Store(StoreError::Unusable { .. }))
    ));
    assert!(rig.history().is_empty() && rig.seen().is_empty());

    let rig = Rig::that_succeeded().await;
    rig.store.memory().fail_after(0);
    assert!(rig.adopt().await.is_err());
    rig.store.memory().recover();
    assert_succeeded(&rig.resume().await);
}
