//! Deaths: after each event, at any moment, and in the middle of a replay.

use std::time::Duration;

use mesosflow_workflow::{Generation, Outcome, Replay};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_partial, assert_succeeded, from};

/// How many events an undisturbed run has, and how many of them stand before its last append.
async fn events_of_a_run() -> (usize, usize) {
    let rig = Rig::new();
    assert_succeeded(&rig.run().await);
    (rig.history().len(), before_the_last_append(&rig))
}

fn before_the_last_append(rig: &Rig) -> usize {
    rig.history().len() - rig.store.batches().last().unwrap().len()
}

fn effect_keys_by_place(rig: &Rig) -> Vec<(String, String)> {
    let mut keys: Vec<_> = rig
        .world
        .deeds()
        .into_iter()
        .map(|deed| (deed.place, deed.effect_key))
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The journal refuses everything after `n` events; what runs goes on until the engine gives up.
#[tokio::test(start_paused = true)]
async fn after_each_event_the_journal_can_fail() {
    for n in 1..=events_of_a_run().await.1 {
        let rig = Rig::new();
        let run = rig.create().await.unwrap();
        rig.store.memory().fail_after(n);
        let outcome = rig.drive(&run).await;
        assert!(
            matches!(outcome, Outcome::Lost(_)),
            "after {n} events: {outcome:?}"
        );
        drop(run);
        rig.store.memory().recover();
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
        assert_eq!(
            effect_keys_by_place(&rig).len(),
            10,
            "after {n} events a place had two keys"
        );
    }
}

/// The same, but the last append gets through and its acknowledgement gets lost.
#[tokio::test(start_paused = true)]
async fn after_each_event_its_acknowledgement_can_get_lost() {
    for n in 2..=events_of_a_run().await.0 {
        let rig = Rig::new();
        let run = rig.create().await.unwrap();
        rig.store.memory().crash_after(n);
        let outcome = rig.drive(&run).await;
        assert!(
            matches!(outcome, Outcome::Lost(_)),
            "after {n} events: {outcome:?}"
        );
        drop(run);
        rig.store.memory().recover();
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
        assert_eq!(
            effect_keys_by_place(&rig).len(),
            10,
            "after {n} events a place had two keys"
        );
    }
}

/// The process is killed at a moment, whatever it is doing: everything that it was is gone at once.
async fn killed_after(rig: &Rig, moment: Duration) -> bool {
    let run = rig.create().await.unwrap();
    let killed = tokio::time::timeout(moment, rig.drive(&run)).await.is_err();
    drop(run);
    rig.store.memory().free(rig.id);
    killed
}

#[tokio::test(start_paused = true)]
async fn at_any_moment_the_process_can_be_killed() {
    let mut kills = 0;
    // An undisturbed run takes ten seconds. Its starts, effects and ends are at whole seconds, where the first of a
    // handful of things that happen at once have happened and the others have not; and 2 ms later for late notes.
    for moment in (0..220).map(|n| Duration::from_millis(n / 4 * 200 + n % 4)) {
        let rig = Rig::new();
        if !killed_after(&rig, moment).await {
            break;
        }
        kills += 1;
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
    }
    assert!((150..220).contains(&kills), "{kills} kills");
}

/// Each life ends sooner than any step takes: only what its predecessors' effects are lets the run come to its end.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_again_and_again_comes_to_its_end() {
    let rig = Rig::new();
    assert!(killed_after(&rig, Duration::from_millis(1100)).await);
    let mut lives = 1;
    loop {
        let run = rig.adopt().await.unwrap();
        let outcome = tokio::time::timeout(Duration::from_millis(1100), rig.drive(&run)).await;
        drop(run);
        rig.store.memory().free(rig.id);
        lives += 1;
        assert!(lives < 20, "it does not get on: {:#?}", rig.story());
        if let Ok(outcome) = outcome {
            assert_succeeded(&outcome);
            break;
        }
    }
    assert!(lives > 3, "{lives} lives");
    assert_complete(&rig);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_replay_resumes_inside_its_generation() {
    let (first, _) = events_of_a_run().await;
    let undisturbed = {
        let rig = Rig::that_succeeded().await;
        assert_succeeded(&rig.replay(from("launch")).await);
        before_the_last_append(&rig)
    };
    for n in first + 2..=undisturbed {
        let rig = Rig::that_succeeded().await;
        let before = rig.history();
        let run = rig.adopt().await.unwrap();
        run.replay(from("launch")).await.unwrap();
        rig.store.memory().fail_after(n);
        let outcome = rig.drive(&run).await;
        assert!(
            matches!(outcome, Outcome::Lost(_)),
            "after {n} events: {outcome:?}"
        );
        drop(run);
        rig.store.memory().recover();

        assert_succeeded(&rig.resume().await);
        let history = rig.history();
        assert_eq!(history[..first], before, "after {n} events");
        assert!(
            history[first + 1..]
                .iter()
                .all(|recorded| recorded.generation == Generation(2))
        );
        assert_eq!(rig.state().generation, Generation(2));
        assert_lawful(&rig);
        let deeds = rig.world.deeds();
        assert!(
            deeds
                .iter()
                .all(|deed| deed.generation == Generation(2) && deed.place != "groups"),
            "{deeds:?}"
        );
        assert_eq!(rig.world.effects().len(), 10 + 9, "after {n} events");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_replay_with_an_end_resumes_to_that_end() {
    let rig = Rig::that_succeeded().await;
    let before = rig.history().len();
    let run = rig.adopt().await.unwrap();
    run.replay(Replay {
        from: "launch".into(),
        to: Some("format".into()),
        only: false,
    })
    .await
    .unwrap();
    rig.store.memory().fail_after(rig.history().len() + 4);
    assert!(matches!(rig.drive(&run).await, Outcome::Lost(_)));
    drop(run);
    rig.store.memory().recover();
    assert_partial(&rig.resume().await, &["start", "share", "health"]);
    let mut started = rig.started_after(before);
    started.dedup();
    assert_eq!(
        started,
        [
            "format",
            "launch",
            "launch/n1",
            "launch/n2",
            "launch/n3",
            "launch/n4",
            "launch/n5"
        ]
    );
    // Taken over again, the run goes on with what is left, in the same generation.
    rig.world.take_deeds();
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health", "share", "start"]);
    assert_eq!(rig.state().generation, Generation(2));
    assert_lawful(&rig);
}
