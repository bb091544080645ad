//! Running earlier steps again.

use mesosflow_workflow::{
    ErrorClass, Flow, Generation, Heritage, Inherited, Outcome, Phase, Probe, RecordError, Replay, Run,
    RunState, Status, Step, StepCx, StepId, preflight,
};

use crate::laws::assert_lawful;
use crate::rig::{Rig, assert_partial, assert_succeeded, from};
use crate::toy::{Format, Groups, Health, Launch, Quorum, Share, Start, deploy};
use crate::world::{Trouble, Twist, World};

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
        .map(|s| (s.entry.id.to_string(), s.progress.status, s.progress.generation.0))
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
async fn to_a_step_the_rest_stays_stale_and_is_told() {
    let rig = Rig::that_succeeded().await;
    let outcome = rig.replay(to("launch", "format")).await;
    assert_partial(&outcome, &["start", "share", "health"]);
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
    assert_eq!(rig.state().phase, Phase::Partial);

    // What is stale does not keep a later step from being replayed.
    rig.world.take_deeds();
    assert_partial(&rig.replay(only("share")).await, &["health"]);
    assert_eq!(
        rig.world.applied(),
        ["share", "start"],
        "a replay does first what it would build on"
    );
    assert_eq!(
        statuses(&rig),
        [
            Succeeded, Succeeded, Skipped, Succeeded, Succeeded, Succeeded, Stale
        ]
    );

    // A resume does what is left, and no more.
    rig.world.take_deeds();
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health"]);
    assert_lawful(&rig);
}

/// The predecessor of this rule said "succeeded" here, with most of the cluster out of date.
#[tokio::test(start_paused = true)]
async fn a_replay_of_a_part_of_a_broken_off_replay_is_no_success() {
    let rig = Rig::that_succeeded().await;
    let run = rig.adopt().await.unwrap();
    run.replay(from("launch")).await.unwrap();
    rig.store.memory().fail_after(rig.history().len() + 3);
    assert!(matches!(rig.drive(&run).await, Outcome::Lost(_)));
    drop(run);
    rig.store.memory().recover();
    let open = ["launch", "quorum", "format", "start", "share", "health"];
    assert_partial(&rig.replay(to("groups", "groups")).await, &open);
    assert_succeeded(&rig.resume().await);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_skip_can_be_replayed_and_can_be_the_last() {
    let rig = Rig::that_succeeded().await;
    let before = rig.history().len();
    let rest = ["format", "start", "share", "health"];
    assert_partial(&rig.replay(to("quorum", "quorum")).await, &rest);
    assert_eq!(
        rig.story_after(before),
        ["run_adopted", "replay_requested", "quorum skipped", "run_partial"]
    );
    // A skip that is out of date, before the first step of a replay, is looked at again with the rest.
    rig.replay(to("groups", "groups")).await;
    assert_partial(&rig.replay(only("share")).await, &["health"]);
    assert_succeeded(&rig.resume().await);
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

#[tokio::test(start_paused = true)]
async fn what_one_replayed_step_changed_for_later_ones_is_stale_and_named() {
    for (step, open) in [
        ("groups", vec!["launch"]),
        ("launch", vec!["format", "share"]),
        ("format", vec!["start"]),
        ("health", vec![]),
    ] {
        let rig = Rig::that_succeeded().await;
        rig.world.makes_new_ids();
        let outcome = rig.replay(only(step)).await;
        match open.is_empty() {
            true => assert_succeeded(&outcome),
            false => assert_partial(&outcome, &open),
        }
        assert_lawful(&rig);
        // What has to be done about it is done by a resume, and what that changes in its turn.
        if !open.is_empty() {
            assert_succeeded(&rig.resume().await);
            assert_lawful(&rig);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_with_an_end_does_not_stumble_over_what_comes_after() {
    for replay in [to("groups", "groups"), to("groups", "launch")] {
        let rig = Rig::that_succeeded().await;
        rig.world.makes_new_ids();
        let outcome = rig.replay(replay.clone()).await;
        assert!(
            matches!(outcome, Outcome::Partial { .. }),
            "{replay:?}: {outcome:?}"
        );
        assert_succeeded(&rig.resume().await);
        assert_lawful(&rig);
    }
}

/// Killed anywhere, also between a new output and what follows from it: the mismatch is no drift.
#[tokio::test(start_paused = true)]
async fn a_crash_after_an_output_was_replaced_is_no_drift() {
    let rig = Rig::that_succeeded().await;
    rig.world.makes_new_ids();
    let before = rig.history().len();
    assert_partial(&rig.replay(only("groups")).await, &["launch"]);
    assert_succeeded(&rig.resume().await);
    assert_partial(&rig.replay(only("launch")).await, &["format", "share"]);
    assert_succeeded(&rig.resume().await);
    let history = rig.history();
    for end in before..=history.len() {
        let state = RunState::fold(&history[..end]).unwrap();
        let looked = preflight(state, rig.world.clone(), rig.settings, |flow| {
            deploy(flow, rig.plan.clone())
        });
        assert_eq!(looked.drifts, [], "after {:?}", rig.story()[end - 1]);
    }
    assert_lawful(&rig);
}

/// What drives is what was looked over: nothing that is due is missing there, and nothing acts in a look.
#[tokio::test(start_paused = true)]
async fn a_look_tells_what_would_run() {
    let rig = Rig::that_succeeded().await;
    let run = rig.adopt().await.unwrap();
    run.replay(from("format")).await.unwrap();
    let looked = preflight(run.state(), rig.world.clone(), rig.settings, |flow| {
        deploy(flow, rig.plan.clone())
    });
    let due: Vec<_> = looked.due.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(due, ["format", "start", "share", "health"]);
    assert_eq!(looked.reached.len(), 7);
    assert!(rig.world.deeds().is_empty());
}

/// What a replay would meet with is seen before the run is taken over, whose history has nothing of that.
#[tokio::test(start_paused = true)]
async fn a_rehearsal_finds_what_does_not_fit_and_leaves_the_run_as_it_was() {
    let mut rig = Rig::that_succeeded().await;
    let (history, nodes) = (rig.history(), rig.plan.nodes.clone());
    for (others, is_refused) in [(vec!["n6"], true), (Vec::new(), false)] {
        rig.plan.nodes = [nodes.clone(), others].concat();
        let rehearsal = rig.rehearse().await;
        rehearsal.replay(from("format")).await.unwrap();
        let outcome = rig.drive(&rehearsal).await;
        match is_refused {
            true => assert!(matches!(&outcome, Outcome::Drifted(drift) if drift.step.as_str() == "launch")),
            false => assert_succeeded(&outcome),
        }
        assert_eq!(rehearsal.state().generation, Generation(2));
    }
    assert!(rig.world.deeds().is_empty());
    assert_eq!(rig.history(), history);
    assert_succeeded(&rig.replay(from("format")).await);
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
    assert_partial(&rig.replay(only("share")).await, &["health"]);
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

/// A step that ran again and failed keeps nobody from a replay of a later one, which may be the way out: it is done first.
#[tokio::test(start_paused = true)]
async fn what_failed_when_it_ran_again_is_done_before_a_later_replay() {
    let rig = Rig::that_succeeded().await;
    let run = rig.adopt().await.unwrap();
    run.replay(from("format")).await.unwrap();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.drive(&run).await, Outcome::Failed { .. }));
    drop(run);

    let before = rig.history().len();
    let run = rig.adopt().await.unwrap();
    run.replay(from("share")).await.unwrap();
    assert_succeeded(&rig.drive(&run).await);
    assert_eq!(rig.started_after(before), ["format", "health", "share", "start"]);
    assert_lawful(&rig);
}

/// What another run has launched, as a replay on the changed cluster inherits it.
fn launched_elsewhere(rig: &Rig, node: &str) -> Heritage {
    let state = rig.state();
    let launch = state.step(&"launch".into()).unwrap();
    let done = &launch.items[&"n5".into()];
    let inherited = Inherited {
        step: "launch".into(),
        item: Some(node.into()),
        input_digest: done.input_digest.clone().unwrap(),
        output: done.output.clone().unwrap(),
    };
    Heritage {
        spec: Some(serde_json::json!({"slaves": 6})),
        inherited: vec![inherited],
    }
}

/// One node was added and one removed by other runs: what comes before the replay is not done for either, and what comes after
/// it acts on those that there are.
#[tokio::test(start_paused = true)]
async fn on_a_cluster_that_other_runs_have_changed() {
    let mut rig = Rig::that_succeeded().await;
    let heritage = launched_elsewhere(&rig, "n6");
    rig.plan.nodes = vec!["n1", "n3", "n4", "n5", "n6"];
    let run = rig.adopt().await.unwrap();
    run.replay_on(from("format"), heritage).await.unwrap();
    assert_succeeded(&rig.drive(&run).await);
    drop(run);
    assert_eq!(rig.world.applied(), ["format", "health", "share", "start"]);
    assert_eq!(rig.state().spec, serde_json::json!({"slaves": 6}));
    assert_lawful(&rig);

    // What is replayed of it alone later builds on that, and what is left of it is done by whoever resumes it.
    rig.world.take_deeds();
    assert_partial(&rig.replay(only("launch")).await, &["format"]);
    assert_eq!(rig.world.applied().len(), 5);
    assert_succeeded(&rig.resume().await);
}

/// The list of nodes is another one: no drift, since the replay found the cluster changed.
#[tokio::test(start_paused = true)]
async fn from_the_launches_on_a_cluster_that_other_runs_have_changed() {
    let mut rig = Rig::that_succeeded().await;
    let heritage = launched_elsewhere(&rig, "n6");
    rig.plan.nodes = vec!["n1", "n3", "n4", "n5", "n6"];
    let run = rig.adopt().await.unwrap();
    run.replay_on(only("health"), heritage).await.unwrap();
    let outcome = rig.drive(&run).await;
    drop(run);
    assert!(
        matches!(outcome, Outcome::Succeeded | Outcome::Partial { .. }),
        "{outcome:?}"
    );
    // Whoever goes on has no drift either.
    let seen = preflight(rig.state(), rig.world.clone(), rig.settings, |flow| {
        deploy(flow, rig.plan.clone())
    });
    assert!(seen.drifts.is_empty(), "{:?}", seen.drifts);
    assert_succeeded(&rig.replay(from("launch")).await);
}

/// Others have brought and led away what the steps that a replay leaves out would be about: nothing is left to be done.
#[tokio::test(start_paused = true)]
async fn what_a_replay_leaves_out_owes_nothing_for_what_other_runs_have_changed() {
    let mut rig = Rig::that_succeeded().await;
    let heritage = launched_elsewhere(&rig, "n6");
    rig.plan.nodes = vec!["n1", "n3", "n4", "n5", "n6"];
    let run = rig.adopt().await.unwrap();
    run.replay_on(only("quorum"), heritage).await.unwrap();
    let outcome = rig.drive(&run).await;
    drop(run);
    assert_succeeded(&outcome);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_heritage_of_steps_that_the_run_does_not_have_is_refused() {
    let rig = Rig::that_succeeded().await;
    let mut heritage = launched_elsewhere(&rig, "n6");
    heritage.inherited[0].step = "drain".into();
    let run = rig.adopt().await.unwrap();
    let refused = run.replay_on(from("format"), heritage).await.unwrap_err();
    assert!(matches!(refused, RecordError::Illegal(_)), "{refused:?}");
    assert_eq!(rig.state().spec, serde_json::json!({"slaves": 5}));
}

/// A step over nodes that gives nothing to those after it, under the id of the toy's launches.
#[derive(Debug, serde::Serialize)]
struct Down(&'static str);

impl Step for Down {
    type World = World;
    type Output = ();
    type Error = Trouble;

    fn id(&self) -> StepId {
        Launch::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<()>, Trouble> {
        let found = cx.world().probe(cx, &self.id(), Some(self.0)).await?;
        Ok(match found {
            Probe::Done(_) => Probe::Done(()),
            Probe::NotDone => Probe::NotDone,
        })
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<(), Trouble> {
        cx.world().apply(cx, &self.id(), Some(self.0)).await.map(drop)
    }

    async fn verify(&self, _cx: &StepCx<World>, (): &()) -> Result<(), Trouble> {
        Ok(())
    }
}

/// Other runs have added a node without ever running that step for it: what comes before a replay is not computed, and no drift.
#[tokio::test(start_paused = true)]
async fn what_gives_nothing_is_no_drift_for_a_node_that_other_runs_have_added() {
    let drive = async |rig: &Rig, run: &Run, nodes: &[&'static str]| {
        let body = |flow: Flow<World>| async move {
            let cluster = "demo".into();
            flow.step(Groups { cluster }).await?;
            flow.fan_out(Launch::ID, nodes.iter().map(|node| ((*node).into(), Down(node))))
                .await?;
            flow.skip(Quorum::ID, "one master needs no ZooKeeper").await?;
            let nodes = Vec::new();
            flow.step(Format { nodes }).await?;
            let filesystem = String::new();
            flow.step(Start { filesystem }).await?;
            let server = String::new();
            flow.step(Share { server }).await?;
            let (hdfs, share) = (String::new(), String::new());
            flow.step(Health { hdfs, share }).await
        };
        run.drive(rig.world.clone(), rig.settings, rig.stop.clone(), body)
            .await
    };
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    assert_succeeded(&drive(&rig, &run, &["n1", "n2"]).await);
    drop(run);
    rig.world.take_deeds();

    let grown = ["n1", "n2", "n3"];
    let run = rig.adopt().await.unwrap();
    run.replay(only("health")).await.unwrap();
    assert_succeeded(&drive(&rig, &run, &grown).await);
    drop(run);
    assert_eq!(rig.world.applied(), ["health"]);

    // A replay of that very step has it done there too.
    rig.world.take_deeds();
    let run = rig.adopt().await.unwrap();
    run.replay(only("launch")).await.unwrap();
    drive(&rig, &run, &grown).await;
    let applied = rig.world.applied();
    assert!(applied.contains(&"launch/n3".into()), "{applied:?}");
}
