//! A run that meets no trouble.

use std::time::Duration;

use mesosflow_workflow::{ItemKey, Outcome, Phase, Status};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded, tell};
use crate::toy::deploy;
use crate::world::Act;

#[tokio::test(start_paused = true)]
async fn the_history_tells_the_flow_from_top_to_bottom() {
    let mut rig = Rig::new();
    rig.plan.nodes = vec!["n1", "n2"];
    // Of two branches that run at once, the shorter one ends first.
    rig.world.takes("share", Duration::from_secs(1));
    assert_succeeded(&rig.run().await);
    assert_eq!(
        rig.story(),
        [
            "run_started",
            "groups #1 started",
            "groups #1 succeeded (Applied)",
            "launch #1 started",
            "launch/n1 #1 started",
            "launch/n2 #1 started",
            "launch/n1 created",
            "launch/n2 created",
            "launch/n1 #1 succeeded (Applied)",
            "launch/n2 #1 succeeded (Applied)",
            "launch #1 succeeded (Items)",
            "quorum skipped",
            "format #1 started",
            "share #1 started",
            "share #1 succeeded (Applied)",
            "format #1 succeeded (Applied)",
            "start #1 started",
            "start #1 succeeded (Applied)",
            "health #1 started",
            "health #1 succeeded (Applied)",
            "run_succeeded",
        ]
    );
    assert_eq!(rig.state().phase, Phase::Succeeded);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn every_place_is_probed_applied_and_verified_once() {
    let rig = Rig::new();
    assert_succeeded(&rig.run().await);
    let deeds = rig.world.deeds();
    for place in [
        "groups",
        "launch/n1",
        "launch/n5",
        "format",
        "start",
        "share",
        "health",
    ] {
        let acts: Vec<_> = deeds
            .iter()
            .filter(|deed| deed.place == place)
            .map(|deed| deed.act)
            .collect();
        assert_eq!(acts, [Act::Probe, Act::Apply, Act::Verify], "{place}");
    }
    assert_eq!(deeds.len(), 10 * 3, "something else was done");
    assert!(deeds.iter().all(|deed| !deed.named_by_replay));
    assert_complete(&rig);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_success_and_the_next_start_share_one_append() {
    let rig = Rig::new();
    assert_succeeded(&rig.run().await);
    let batches: Vec<Vec<String>> = rig
        .store
        .batches()
        .iter()
        .map(|batch| batch.iter().map(|recorded| tell(&recorded.event)).collect())
        .collect();
    for together in [
        &["groups #1 succeeded (Applied)", "launch #1 started"][..],
        &["format #1 succeeded (Applied)", "start #1 started"],
        &["health #1 succeeded (Applied)", "run_succeeded"],
    ] {
        assert!(
            batches
                .iter()
                .any(|batch| batch.windows(2).any(|pair| pair == together)),
            "{together:?} were not appended together: {batches:#?}"
        );
    }
    // A start is an intent: nothing may come after it in its append, or the append would have waited.
    for batch in &batches {
        let starts = batch.iter().filter(|event| event.ends_with("started")).count();
        assert!(
            starts <= 1 && (starts == 0 || batch.last().unwrap().ends_with("started")),
            "{batch:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_nothing_follows_is_durable_soon() {
    let rig = Rig::new();
    rig.world.takes("format", Duration::from_secs(100));
    let run = rig.create().await.unwrap();
    let cut_off = tokio::time::timeout(Duration::from_secs(30), rig.drive(&run)).await;
    assert!(cut_off.is_err(), "format was to be running still");
    assert!(
        rig.story().contains(&"share #1 succeeded (Applied)".to_owned()),
        "{:#?}",
        rig.story()
    );
    assert_eq!(
        rig.state(),
        run.state(),
        "the engine knows something that the journal does not"
    );
}

#[tokio::test(start_paused = true)]
async fn as_many_items_run_at_once_as_the_settings_allow() {
    for (fan_out, most) in [(1, 1), (2, 2), (3, 3), (32, 5), (0, 1)] {
        let mut rig = Rig::new();
        rig.settings.fan_out = fan_out;
        assert_succeeded(&rig.run().await);
        // Two branches are joined behind the fan-out, hence never fewer than two.
        assert_eq!(rig.world.most_running(), most.max(2), "with {fan_out} at once");
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_come_back_in_the_order_of_the_items() {
    let mut rig = Rig::new();
    rig.plan.nodes = vec!["n3", "n1", "n5", "n2", "n4"];
    for (node, seconds) in [("n3", 9), ("n1", 7), ("n5", 1), ("n2", 8), ("n4", 2)] {
        rig.world
            .takes(&format!("launch/{node}"), Duration::from_secs(seconds));
    }
    for pass in ["run", "recorded"] {
        let run = if pass == "run" {
            rig.create().await.unwrap()
        } else {
            rig.adopt().await.unwrap()
        };
        let given = std::sync::Mutex::new(Vec::new());
        let outcome = run
            .drive(rig.world.clone(), rig.settings, rig.stop.clone(), |flow| async {
                *given.lock().unwrap() = deploy(flow, rig.plan.clone()).await?;
                Ok(())
            })
            .await;
        assert_succeeded(&outcome);
        let nodes = given.into_inner().unwrap();
        let nodes: Vec<_> = nodes.into_iter().map(|(key, made)| (key, made.id)).collect();
        let expected: Vec<(ItemKey, String)> = rig
            .plan
            .nodes
            .iter()
            .map(|node| ((*node).into(), format!("launch/{node}@1")))
            .collect();
        assert_eq!(nodes, expected, "{pass}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_item_has_an_outcome_and_an_input_of_its_own() {
    let rig = Rig::new();
    assert_succeeded(&rig.run().await);
    let state = rig.state();
    let launch = state.step(&"launch".into()).unwrap();
    assert_eq!(launch.items.len(), 5);
    assert!(
        launch
            .items
            .values()
            .all(|item| item.status == Status::Succeeded && item.attempts == 1)
    );
    let digests: std::collections::BTreeSet<_> = launch
        .items
        .values()
        .map(|item| item.input_digest.clone().unwrap())
        .collect();
    assert_eq!(digests.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn two_items_of_one_name_are_refused_before_anything_starts() {
    let mut rig = Rig::new();
    rig.plan.nodes = vec!["n1", "n2", "n1"];
    let outcome = rig.run().await;
    let Outcome::Failed { step, error } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(step.as_str(), "launch");
    assert!(error.message.contains("`n1`"), "{}", error.message);
    assert_eq!(rig.world.applied(), ["groups"]);
}
