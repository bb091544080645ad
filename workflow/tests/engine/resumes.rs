//! Taking a run over: what is kept, what does not fit any more, and who may.

use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::{
    Adopter, Drift, Epoch, ErrorClass, Event, Outcome, Phase, Purpose, RecordError, Run, RunError,
    Settle as _, Store as _, StoreError,
};

use crate::laws::assert_lawful;
use crate::rig::{Rig, assert_succeeded, from};
use crate::toy::{Format, Share, Start};
use crate::world::{Act, Twist};

/// A run that failed at its last step, with its acts forgotten.
async fn almost_done() -> Rig {
    let rig = Rig::new();
    rig.world.twist("health", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    rig.world.take_deeds();
    rig
}

#[track_caller]
fn assert_drifted(outcome: &Outcome, at: &str, because: &str) {
    match outcome {
        Outcome::Drifted(Drift { step, why, .. }) => {
            assert_eq!(step.as_str(), at);
            assert!(why.contains(because), "`{why}` does not say `{because}`");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn recorded_outputs_feed_what_is_left_to_do() {
    let rig = almost_done().await;
    let input = |rig: &Rig| {
        let state = rig.state();
        state
            .step(&"health".into())
            .unwrap()
            .progress
            .input_digest
            .clone()
            .unwrap()
    };
    let computed = input(&rig);
    assert_succeeded(&rig.resume().await);
    let deeds: Vec<_> = rig
        .world
        .deeds()
        .into_iter()
        .map(|deed| (deed.act, deed.place))
        .collect();
    assert_eq!(
        deeds,
        [Act::Probe, Act::Apply, Act::Verify].map(|act| (act, "health".to_owned()))
    );
    assert_eq!(
        input(&rig),
        computed,
        "from recorded outputs another input was computed"
    );
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn another_input_is_a_drift_which_names_the_first_such_step() {
    let mut rig = almost_done().await;
    let before = rig.history().len();
    rig.plan.cluster = "other".into();
    rig.plan.image = "noble";
    let outcome = rig.resume().await;
    assert_drifted(&outcome, "groups", "another input");
    assert_eq!(rig.story_after(before), ["run_adopted", "run_interrupted"]);
    assert!(rig.world.deeds().is_empty(), "{:?}", rig.world.deeds());
    assert!(matches!(rig.state().phase, Phase::Interrupted(_)));
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn another_input_of_an_item_is_a_drift() {
    let mut rig = almost_done().await;
    rig.plan.image = "noble";
    assert_drifted(&rig.resume().await, "launch", "another input");
    assert!(rig.world.deeds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_drifted_is_found_before_another_starts() {
    let mut rig = Rig::new();
    rig.world
        .twist("launch/n1", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    rig.world.take_deeds();
    let before = rig.history().len();
    rig.plan.image = "noble";
    assert_drifted(&rig.resume().await, "launch", "another input");
    assert!(rig.world.deeds().is_empty(), "{:?}", rig.world.deeds());
    assert_eq!(rig.story_after(before), ["run_adopted", "run_interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_drift_keeps_the_outcomes_and_goes_on() {
    let mut rig = almost_done().await;
    rig.plan.image = "noble";
    rig.settings.accept_drift = true;
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health"]);
    assert_lawful(&rig);
}

/// The world may hold what the first input asked for: it must not pass for what the second asks for.
#[tokio::test(start_paused = true)]
async fn another_input_of_what_was_begun_is_a_drift() {
    for late in [false, true] {
        let mut rig = Rig::new();
        let dies = match late {
            false => Twist::Fails(ErrorClass::Permanent),
            true => Twist::FailsLate(ErrorClass::Permanent),
        };
        rig.world.twist("launch/n1", [dies]);
        rig.settings.fan_out = 1;
        assert!(matches!(rig.run().await, Outcome::Failed { .. }));
        rig.world.take_deeds();
        rig.plan.image = "noble";
        assert_drifted(&rig.resume().await, "launch", "begun with another input");
        assert!(rig.world.deeds().is_empty());
        // Accepted, it is begun again under another name, and what the first beginning left is settled.
        rig.settings.accept_drift = true;
        assert_succeeded(&rig.resume().await);
        let made = rig.world.effects();
        assert!(made.iter().any(|key| key.ends_with("launch-n1.1")), "{made:?}");
        assert!(rig.story().contains(&"launch/n1 settled (Ended)".to_owned()));
        assert!(rig.state().effects.is_empty());
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn other_items_of_a_fan_out_that_was_cut_off_are_a_drift() {
    let mut rig = Rig::new();
    rig.world
        .twist("launch/n1", [Twist::Fails(ErrorClass::Permanent)]);
    rig.settings.fan_out = 1;
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    rig.world.take_deeds();
    rig.plan.nodes = vec!["n1", "n2"];
    assert_drifted(&rig.resume().await, "launch", "other items");
    assert!(rig.world.deeds().is_empty());
    rig.settings.accept_drift = true;
    assert_succeeded(&rig.resume().await);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn other_items_are_a_drift() {
    for nodes in [vec!["n1", "n2", "n3", "n4", "n5", "n6"], vec!["n1", "n2"]] {
        let mut rig = almost_done().await;
        rig.plan.nodes = nodes;
        assert_drifted(&rig.resume().await, "launch", "other items");
        assert!(rig.world.deeds().is_empty());
    }
    // Accepted, a new item runs and the others are left alone; what they change for later steps is done again.
    let mut rig = almost_done().await;
    rig.plan.nodes.push("n6");
    rig.settings.accept_drift = true;
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health", "launch/n6"]);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_the_runs_catalogue_does_not_have_is_a_drift() {
    let mut rig = almost_done().await;
    rig.plan.unknown_step = true;
    assert_drifted(&rig.resume().await, "unknown", "catalogue");
    assert!(rig.world.deeds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_skipped_step_that_would_run_now_is_a_drift_and_so_is_the_reverse() {
    let mut rig = almost_done().await;
    rig.plan.zookeepers = 3;
    assert_drifted(&rig.resume().await, "quorum", "it was skipped");
    rig.settings.accept_drift = true;
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.world.applied(), ["health", "quorum"]);
    assert_lawful(&rig);

    let mut rig = Rig::new();
    rig.plan.zookeepers = 3;
    assert_succeeded(&rig.run().await);
    rig.plan.zookeepers = 0;
    assert_drifted(&rig.resume().await, "quorum", "it has run");
    rig.settings.accept_drift = true;
    assert_succeeded(&rig.resume().await);
    assert!(
        rig.story()
            .ends_with(&["quorum stale", "quorum skipped", "run_succeeded"].map(str::to_owned))
    );
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_drift_in_one_branch_is_found_before_the_other_acts() {
    let rig = Rig::new();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Permanent)]);
    rig.world.takes("format", Duration::from_secs(5));
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    rig.world.take_deeds();
    let run = rig.adopt().await.unwrap();
    let outcome = run
        .drive(
            rig.world.clone(),
            rig.settings,
            rig.stop.clone(),
            |flow| async move {
                let hdfs = async {
                    let nodes = (1..=5).map(|n| format!("launch/n{n}@1")).collect();
                    flow.step(Format { nodes }).await?;
                    flow.step(Start {
                        filesystem: String::new(),
                    })
                    .await
                };
                tokio::join!(
                    hdfs,
                    flow.step(Share {
                        server: "another".into()
                    })
                )
                .settle()
            },
        )
        .await;
    assert_drifted(&outcome, "share", "another input");
    assert!(rig.world.deeds().is_empty(), "{:?}", rig.world.deeds());
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn an_output_of_another_version_is_asked_for_again() {
    let rig = Rig::that_succeeded().await;
    let before = rig.history().len();
    // A later program's step gives something else.
    mod later {
        use mesosflow_workflow::{Probe, Step, StepCx, StepId};

        use crate::world::{Trouble, World};

        #[derive(serde::Serialize)]
        pub(super) struct Groups {
            pub(super) cluster: String,
        }

        impl Groups {
            /// Its id in the catalogue.
            const ID: StepId = StepId::from_static("groups");
        }

        impl Step for Groups {
            type World = World;
            type Output = Vec<u64>;
            type Error = Trouble;

            fn id(&self) -> StepId {
                Self::ID
            }

            async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Vec<u64>>, Trouble> {
                assert!(!cx.is_asked());
                Ok(Probe::Done(vec![7]))
            }

            async fn apply(&self, _: &StepCx<World>) -> Result<Vec<u64>, Trouble> {
                unreachable!("it is there")
            }

            async fn verify(&self, _: &StepCx<World>, _: &Vec<u64>) -> Result<(), Trouble> {
                unreachable!("it is there")
            }
        }
    }
    let run = rig.adopt().await.unwrap();
    let outcome = run
        .drive(
            rig.world.clone(),
            rig.settings,
            rig.stop.clone(),
            |flow| async move {
                flow.step(later::Groups {
                    cluster: "demo".into(),
                })
                .await
            },
        )
        .await;
    assert_succeeded(&outcome);
    assert_eq!(
        rig.story_after(before),
        [
            "run_adopted",
            "groups stale",
            "groups #2 started",
            "groups #2 succeeded (Found)",
            "run_succeeded"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_held_is_refused_to_others() {
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    assert!(matches!(
        rig.adopt().await,
        Err(RunError::Store(StoreError::Held { .. }))
    ));
    assert_eq!(rig.story(), ["run_started"], "a refused adoption left something");
    drop(run);
    assert_eq!(rig.adopt().await.unwrap().state().epoch, Epoch(2));
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_upon_an_older_look_is_refused() {
    let rig = Rig::that_succeeded().await;
    let seen = rig.state().seq;
    let adopt = async |seen| {
        let adopter = Adopter {
            purpose: Purpose::Drive,
            pid: 1,
            host: "host".into(),
            seen: Some(seen),
            over: Vec::new(),
        };
        let store = Arc::new(rig.store.clone());
        Run::adopt(store, Arc::new(rig.clock), rig.id, adopter, Arc::new(|_| {})).await
    };
    assert_succeeded(&rig.resume().await);
    let before = rig.history();
    assert!(matches!(adopt(seen).await, Err(RunError::Changed { .. })));
    assert_eq!(rig.history(), before, "a refused adoption left something");
    drop(adopt(rig.state().seq).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_has_one_run() {
    let rig = Rig::that_succeeded().await;
    let rival = Rig::on(rig.store.clone());
    match rival.create().await {
        Err(RunError::Store(StoreError::ClusterExists { run, .. })) => assert_eq!(run, rig.id),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("two runs own one cluster"),
    }
    rig.adopt().await.unwrap().retire().await.unwrap();
    assert_succeeded(&rival.run().await);
}

#[tokio::test(start_paused = true)]
async fn an_engine_whose_run_was_taken_over_records_nothing_and_does_nothing_more() {
    let rig = Rig::new();
    let old = rig.create().await.unwrap();
    // The old process is cut off from its lock (suspended, say), while it applies `format`.
    let (store, id) = (rig.store.clone(), rig.id);
    rig.world.when_applied("format", move || store.memory().free(id));
    let (outcome, ()) = tokio::join!(rig.drive(&old), async {
        while rig.store.is_held(rig.id).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let new = rig.adopt().await.unwrap();
        assert_eq!(new.state().epoch, Epoch(2));
        assert_succeeded(&rig.drive(&new).await);
    });
    let Outcome::Lost(RecordError::Store(error)) = &outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        matches!(
            **error,
            StoreError::Fenced {
                epoch: Epoch(1),
                newest: Epoch(2),
                ..
            }
        ),
        "{error:?}"
    );
    let history = rig.history();
    let adopted = history
        .iter()
        .position(|r| matches!(r.event, Event::RunAdopted { .. }))
        .unwrap();
    assert!(history[..adopted].iter().all(|r| r.epoch == Epoch(1)));
    assert!(history[adopted..].iter().all(|r| r.epoch == Epoch(2)));
    // It cannot be kept from ending the acts that it was in the middle of, but begins no other.
    let of_the_old: Vec<_> = rig
        .world
        .deeds()
        .into_iter()
        .filter(|deed| deed.act == Act::Apply && deed.place == "start")
        .collect();
    assert_eq!(of_the_old.len(), 1, "both engines applied `start`");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_destroyed_is_not_resumed() {
    let rig = Rig::that_succeeded().await;
    let adopter = Adopter {
        purpose: Purpose::Destroy,
        pid: 1,
        host: "host".into(),
        seen: None,
        over: Vec::new(),
    };
    let observer = Arc::new(|_: &_| {});
    let run = Run::adopt(
        Arc::new(rig.store.clone()),
        Arc::new(rig.clock),
        rig.id,
        adopter,
        observer,
    )
    .await
    .unwrap();
    for resource in run.state().resources {
        run.deleted(resource).await.unwrap();
    }
    run.retire().await.unwrap();
    assert_eq!((run.state().destroyed, run.state().resources.len()), (true, 0));
    drop(run);
    let before = rig.history();
    assert!(matches!(
        rig.adopt().await,
        Err(RunError::Record(RecordError::Illegal(_)))
    ));
    assert_eq!(rig.history(), before);
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_a_replay_is_kept_and_not_computed() {
    let mut rig = Rig::that_succeeded().await;
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.replay(from("share")).await, Outcome::Failed { .. }));
    rig.plan.image = "noble";
    rig.plan.nodes.pop();
    assert_succeeded(&rig.resume().await);
    assert_lawful(&rig);
}

/// A run that failed is ended where it stands: what is left of it is told, it counts no more as unfinished, and a replay can
/// begin it again.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_closed_stands_in_nobodys_way() {
    let rig = Rig::new();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Permanent)]);
    assert!(matches!(rig.run().await, Outcome::Failed { .. }));
    let (store, clock) = (Arc::new(rig.store.clone()), Arc::new(rig.clock));
    let adopter = Adopter {
        purpose: Purpose::Close,
        pid: 1,
        host: "host".into(),
        seen: Some(rig.state().seq),
        over: Vec::new(),
    };
    let run = Run::adopt(store, clock, rig.id, adopter, Arc::new(|_: &_| {}))
        .await
        .unwrap();
    // Until it is closed, it stands as it stood.
    assert!(matches!(run.state().phase, Phase::Failed(_)));
    let open = run.close().await.unwrap();
    assert!(open.contains(&"format".into()), "{open:?}");
    assert_eq!(run.state().phase, Phase::Closed);
    assert!(!run.state().phase.kind().is_unfinished());
    let before = rig.history();
    assert!(
        matches!(run.close().await, Err(RecordError::Illegal(_))),
        "closed twice"
    );
    assert_eq!(rig.history(), before);
}
