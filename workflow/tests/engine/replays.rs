//! Running earlier steps again.

use mesosflow_workflow::{ErrorClass, Generation, Outcome, Phase, RecordError, Replay, Status};

use crate::laws::assert_lawful;
use crate::rig::{Rig, assert_succeeded, from};
use crate::world::Twist;

fn to(first: &str, last: &str) -> Replay {
    Replay {
        from: first.into(),
        to: Some(last.into()),
        only: false,
    }
}

fn only(step: &str) -> Replay {
    Replay {
        from: step.into(),
        to: None,
        only: true,
    }
}

/// Step, status and generation, in catalogue order.
fn standing(rig: &Rig) -> Vec<(String, Status, u32)> {
    let state = rig.state();
    state
        .steps
        .iter()
        .map(|s| (s.entry.id.to_string(), s.progress.status, s.generation.0))
        .collect()
}

fn statuses(rig: &Rig) -> Vec<Status> {
    standing(rig).into_iter().map(|(_, status, _)| status).collect()
}

use Status::{Failed, Skipped, Stale, Succeeded};

#[tokio::test(start_paused = true)]
async fn from_a_step_to_the_end() {
    let rig = Rig::that_succeeded().await;
    let first = rig.history();
    assert_succeeded(&rig.replay(from("format")).await);
    assert_eq!(rig.world.applied(), ["format", "health", "share", "start"]);
    assert_eq!(
        standing(&rig)
            .into_iter()
            .map(|(_, status, generation)| (status, generation))
            .collect::<Vec<_>>(),
        [
            (Succeeded, 1),
            (Succeeded, 1),
            (Skipped, 1),
            (Succeeded, 2),
            (Succeeded, 2),
            (Succeeded, 2),
            (Succeeded, 2)
        ]
    );
    assert_eq!(
        rig.history()[..first.len()],
        first,
        "the first generation was touched"
    );
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_has_new_effect_keys_and_counts_attempts_anew() {
    let rig = Rig::new();
    rig.world.twist("share", [Twist::Fails(ErrorClass::Transient)]);
    assert_succeeded(&rig.run().await);
    let first = rig.world.take_deeds();
    assert_succeeded(&rig.replay(from("groups")).await);
    let second = rig.world.take_deeds();
    assert_eq!(rig.world.applied(), Vec::<String>::new());
    assert_eq!(
        second.len(),
        30,
        "what the first generation did was found by the second"
    );
    for deed in &second {
        assert_eq!((deed.generation, deed.attempt), (Generation(2), 1));
        assert!(
            first.iter().all(|earlier| earlier.effect_key != deed.effect_key),
            "{deed}"
        );
        assert!(
            first
                .iter()
                .any(|earlier| earlier.effect_key.replace("-g1-", "-g2-") == deed.effect_key)
        );
    }
    assert_eq!(
        rig.state().resources.len(),
        10,
        "the instances of both generations are known"
    );
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn the_step_that_a_replay_names_knows_it() {
    let rig = Rig::that_succeeded().await;
    assert_succeeded(&rig.replay(from("format")).await);
    for deed in rig.world.take_deeds() {
        assert_eq!(deed.named_by_replay, deed.place == "format", "{deed}");
    }
    assert_succeeded(&rig.replay(only("launch")).await);
    let deeds = rig.world.take_deeds();
    assert!(
        !deeds.is_empty() && deeds.iter().all(|deed| deed.named_by_replay),
        "{deeds:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn to_a_step_the_rest_stays_stale() {
    let rig = Rig::that_succeeded().await;
    assert_succeeded(&rig.replay(to("launch", "format")).await);
    assert_eq!(
        rig.world.applied(),
        [
            "format",
            "launch/n1",
            "launch/n2",
            "launch/n3",
            "launch/n4",
            "launch/n5"
        ]
    );
    assert_eq!(
        statuses(&rig),
        [Succeeded, Succeeded, Skipped, Succeeded, Stale, Stale, Stale]
    );
    assert_eq!(rig.state().phase, Phase::Succeeded);

    // The replay has come to its end: resuming it does nothing more.
    rig.world.take_deeds();
    assert_succeeded(&rig.resume().await);
    assert!(rig.world.deeds().is_empty());

    // What is stale is still an outcome to build on, and can be replayed in its turn.
    assert_succeeded(&rig.replay(from("share")).await);
    assert_eq!(rig.world.applied(), ["health", "share"]);
    assert_eq!(
        statuses(&rig),
        [
            Succeeded, Succeeded, Skipped, Succeeded, Stale, Succeeded, Succeeded
        ]
    );
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_skip_can_be_replayed_and_can_be_the_last() {
    let rig = Rig::that_succeeded().await;
    let before = rig.history().len();
    assert_succeeded(&rig.replay(to("quorum", "quorum")).await);
    assert_eq!(
        rig.story_after(before),
        [
            "run_adopted",
            "replay_requested",
            "quorum skipped",
            "run_succeeded"
        ]
    );
    // A skip that is out of date, before the first step of a replay, is kept like any other outcome.
    let before = rig.history().len();
    assert_succeeded(&rig.replay(to("groups", "groups")).await);
    assert_succeeded(&rig.replay(only("share")).await);
    assert_eq!(rig.started_after(before), ["groups", "share"]);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn only_one_step() {
    for (step, places) in [
        ("groups", vec!["groups"]),
        (
            "launch",
            vec!["launch/n1", "launch/n2", "launch/n3", "launch/n4", "launch/n5"],
        ),
        ("format", vec!["format"]),
        ("start", vec!["start"]),
        ("share", vec!["share"]),
        ("health", vec!["health"]),
    ] {
        let rig = Rig::that_succeeded().await;
        assert_succeeded(&rig.replay(only(step)).await);
        assert_eq!(rig.world.applied(), places);
        assert_eq!(
            statuses(&rig),
            [
                Succeeded, Succeeded, Skipped, Succeeded, Succeeded, Succeeded, Succeeded
            ]
        );
        assert_lawful(&rig);
    }
}

/// What comes after its end is no business of a replay, even where it does not fit any more.
#[tokio::test(start_paused = true)]
async fn a_replay_that_ends_early_does_not_stumble_over_what_its_new_outputs_do_to_later_steps() {
    for replay in [
        only("groups"),
        to("groups", "groups"),
        to("groups", "launch"),
        only("format"),
    ] {
        let rig = Rig::that_succeeded().await;
        rig.world.makes_new_ids();
        let outcome = rig.replay(replay.clone()).await;
        assert!(matches!(outcome, Outcome::Succeeded), "{replay:?}: {outcome:?}");
        assert_lawful(&rig);
    }
    // The next one that builds on them does, and says where.
    let rig = Rig::that_succeeded().await;
    rig.world.makes_new_ids();
    assert_succeeded(&rig.replay(only("groups")).await);
    let outcome = rig.replay(from("share")).await;
    assert!(
        matches!(&outcome, Outcome::Drifted { step, .. } if step.as_str() == "launch"),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn new_outputs_flow_into_the_steps_that_run_again() {
    let rig = Rig::that_succeeded().await;
    let digest = |rig: &Rig| {
        rig.state()
            .step(&"health".into())
            .unwrap()
            .progress
            .input_digest
            .clone()
    };
    let before = digest(&rig);
    rig.world.makes_new_ids();
    assert_succeeded(&rig.replay(from("launch")).await);
    assert_ne!(digest(&rig), before);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_cannot_begin_is_refused_and_leaves_no_generation() {
    let rig = Rig::new();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    let run = rig.adopt().await.unwrap();
    let before = rig.history();
    for refused in [
        from("start"),
        from("health"),
        only("health"),
        from("nothing"),
        to("launch", "nothing"),
        to("launch", "groups"),
    ] {
        let result = run.replay(refused.clone()).await;
        assert!(
            matches!(result, Err(RecordError::Illegal(_))),
            "{refused:?}: {result:?}"
        );
        assert!(run.state().check_replay(&refused).is_err(), "{refused:?}");
    }
    assert_eq!(rig.history(), before);
    // The engine is none the worse for it.
    assert_succeeded(&rig.drive(&run).await);
    assert_eq!(rig.state().generation, Generation::FIRST);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_can_be_replayed_from_where_it_failed() {
    let rig = Rig::new();
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    rig.world.take_deeds();
    assert_succeeded(&rig.replay(from("format")).await);
    assert_eq!(rig.world.applied(), ["format", "health", "share", "start"]);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn replaying_one_step_of_a_run_that_was_cut_off_later_ends_well() {
    let rig = Rig::new();
    // `health` is started, and the process dies.
    let events = {
        let whole = Rig::new();
        assert_succeeded(&whole.run().await);
        whole
            .story()
            .iter()
            .position(|event| event == "health #1 started")
            .unwrap()
            + 1
    };
    rig.store.memory().fail_after(events);
    assert!(matches!(rig.run().await, Outcome::Lost(_)));
    rig.store.memory().recover();
    rig.world.take_deeds();
    assert_succeeded(&rig.replay(only("share")).await);
    assert_eq!(rig.world.applied(), ["share"]);
    assert_eq!(
        statuses(&rig).last(),
        Some(&Status::Running),
        "what it left alone is as it was"
    );

    assert_succeeded(&rig.replay(from("health")).await);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_can_be_resumed_and_replayed() {
    let rig = Rig::that_succeeded().await;
    rig.world
        .twist("launch/n3", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.replay(from("launch")).await, Outcome::Failed { .. }));
    assert_eq!(
        statuses(&rig),
        [Succeeded, Failed, Stale, Stale, Stale, Stale, Stale]
    );
    rig.world.take_deeds();
    assert_succeeded(&rig.resume().await);
    assert_eq!(
        rig.world.applied(),
        ["format", "health", "launch/n3", "share", "start"]
    );
    assert_eq!(rig.state().generation, Generation(2));

    rig.world.take_deeds();
    assert_succeeded(&rig.replay(from("launch")).await);
    assert_eq!(rig.world.applied().len(), 9);
    assert!(
        rig.world
            .deeds()
            .iter()
            .all(|deed| deed.generation == Generation(3))
    );
    assert_lawful(&rig);
}
