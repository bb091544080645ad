//! What was made is lost before the run's end: the item that made it runs again, under another name, and no other does.

use std::future::ready;

use mesosflow_workflow::{ErrorClass, Outcome, Pass, Phase, Run};

use crate::laws::assert_lawful;
use crate::rig::{Rig, assert_partial, assert_succeeded, from};
use crate::toy::{Launch, deploy};
use crate::world::{Made, Twist};

/// Drives the run; the machines of `lost` are found to be lost before anything acts.
async fn drive(rig: &Rig, run: &Run, lost: &'static str) -> Outcome {
    let plan = rig.plan.clone();
    run.drive(rig.world.clone(), rig.settings, rig.stop.clone(), |flow| {
        let plan = plan.clone();
        async move {
            flow.outdate_lost(&[Launch::ID], |made: mesosflow_workflow::Made<Made>| {
                ready((made.item.as_str() == lost).then(|| format!("{} is dead", made.output.id)))
            })
            .await?;
            deploy(flow, plan).await
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_lost_item_alone_runs_again_and_what_was_made_from_it() {
    let rig = Rig::new();
    rig.world.replaces_what_is_lost();
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    let before = rig.history().len();
    assert_succeeded(&drive(&rig, &rig.adopt().await.unwrap(), "n2").await);

    assert_eq!(
        rig.started_after(before),
        ["format", "health", "launch", "launch/n2", "share", "start"]
    );
    let effects = rig.world.effects();
    let launches: Vec<_> = effects.iter().filter(|key| key.contains("launch-n2")).collect();
    assert_eq!(launches[1..], [&format!("{}.1", launches[0])]);
    assert_lawful(&rig);

    // Nobody has lost anything: nothing runs.
    let before = rig.history().len();
    assert_succeeded(&drive(&rig, &rig.adopt().await.unwrap(), "nobody").await);
    assert_eq!(rig.started_after(before), Vec::<String>::new());
}

/// A replay that begins behind the launch would build on what is lost: it is made anew first.
#[tokio::test(start_paused = true)]
async fn what_a_replay_keeps_runs_again_once_it_is_lost() {
    let rig = Rig::that_succeeded().await;
    rig.world.replaces_what_is_lost();
    let before = rig.history().len();
    let run = rig.adopt().await.unwrap();
    run.replay(from("share")).await.unwrap();
    assert_eq!(run.state().pass(&Launch::ID), Pass::Keeps);
    assert_succeeded(&drive(&rig, &run, "n3").await);
    assert_eq!(
        rig.started_after(before),
        ["format", "health", "launch", "launch/n3", "share", "start"]
    );
    assert_lawful(&rig);
}

/// A replay named the step, which was begun and never got there. What it is made from is lost then: it is meant all the same,
/// until it is done once.
#[tokio::test(start_paused = true)]
async fn what_a_replay_meant_and_began_is_still_meant_after_a_loss() {
    let rig = Rig::that_succeeded().await;
    rig.world.replaces_what_is_lost();
    let run = rig.adopt().await.unwrap();
    run.replay(from("format")).await.unwrap();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(
        drive(&rig, &run, "nobody").await,
        Outcome::Failed { .. }
    ));
    drop(run);

    for (lost, is_meant) in [("n2", true), ("n3", false)] {
        let before = rig.world.deeds().len();
        assert_succeeded(&drive(&rig, &rig.adopt().await.unwrap(), lost).await);
        let deeds = rig.world.deeds();
        let formats: Vec<_> = deeds[before..]
            .iter()
            .filter(|deed| deed.place == "format")
            .collect();
        assert!(!formats.is_empty(), "{lost}");
        assert!(
            formats.iter().all(|deed| deed.named_by_replay == is_meant),
            "{formats:?}"
        );
        if is_meant {
            // The run is over; another replay takes it up again, behind the format.
            let run = rig.adopt().await.unwrap();
            run.replay(from("health")).await.unwrap();
        }
    }
    assert_lawful(&rig);
}

/// A node is gone, and nobody can make it anew now: the run ends without it, and says so.
#[tokio::test(start_paused = true)]
async fn what_nobody_can_see_to_leaves_a_run_partial_and_is_done_by_whoever_goes_on() {
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    let plan = rig.plan.clone();
    let outcome = run
        .drive(rig.world.clone(), rig.settings, rig.stop.clone(), |flow| {
            let plan = plan.clone();
            async move {
                deploy(flow.clone(), plan).await?;
                flow.leave(&"health".into(), None, "n2 is gone").await
            }
        })
        .await;
    drop(run);
    assert_partial(&outcome, &["health"]);
    let state = rig.state();
    assert_eq!(state.phase, Phase::Partial);
    assert_eq!(state.step(&"health".into()).unwrap().reason(), Some("n2 is gone"));
    rig.world.take_deeds();
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health"]);
}

/// A value that any step may be made from is another: what got another input by it runs again, and is no drift.
#[tokio::test(start_paused = true)]
async fn what_another_value_of_the_spec_changes_is_done_again_and_is_no_drift() {
    let mut rig = Rig::that_succeeded().await;
    rig.plan.nodes.pop();
    let run = rig.adopt().await.unwrap();
    run.amend("slaves", serde_json::json!(4), Vec::new())
        .await
        .unwrap();
    assert_succeeded(&rig.drive(&run).await);
    assert_eq!(rig.world.applied(), ["format"]);
}
