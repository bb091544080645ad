//! Items that have their turns: in their order, so many at once.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Event, Limits, Outcome, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::rig::Rig;
use crate::toy::{LIMITS, Launch};
use crate::world::{Made, Trouble, Twist, World};

/// Launches the nodes in turn, and nothing else.
async fn launched(rig: &Rig, at_once: usize) -> Outcome {
    let run = rig.create().await.unwrap();
    let nodes = rig.plan.nodes.clone();
    run.drive(rig.world.clone(), rig.settings, rig.stop.clone(), |flow| {
        let nodes = nodes.clone();
        async move {
            let launch = |node: &'static str| Launch {
                node,
                image: "jammy",
                group: "g".into(),
            };
            let items = nodes.into_iter().map(|node| (node.into(), launch(node)));
            flow.fan_out_in_turn(Launch::ID, at_once, items).await.map(drop)
        }
    })
    .await
}

/// How many items were begun and not ended at most, and the order in which they began.
fn turns(rig: &Rig) -> (usize, Vec<String>) {
    let (mut open, mut most, mut order) = (0_usize, 0, Vec::new());
    for recorded in rig.history() {
        match &recorded.event {
            Event::StepStarted { item: Some(item), .. } => {
                open += 1;
                most = most.max(open);
                order.push(item.to_string());
            }
            Event::StepSucceeded { item: Some(_), .. } | Event::StepFailed { item: Some(_), .. } => open -= 1,
            _ => {}
        }
    }
    (most, order)
}

#[tokio::test(start_paused = true)]
async fn each_begins_when_one_before_it_has_ended() {
    for at_once in [1, 2, 0] {
        let rig = Rig::new();
        let _partial = launched(&rig, at_once).await;
        let (most, order) = turns(&rig);
        assert_eq!(most, at_once.max(1));
        assert_eq!(order, rig.plan.nodes);
    }
}

#[tokio::test(start_paused = true)]
async fn none_begins_behind_one_that_failed() {
    let rig = Rig::new();
    rig.world
        .twist("launch/n3", [Twist::Fails(ErrorClass::Permanent)]);
    let outcome = launched(&rig, 1).await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    assert_eq!(turns(&rig).1, ["n1", "n2", "n3"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_is_heard_between_two_of_them() {
    let rig = Rig::new();
    let stop = rig.stop.clone();
    rig.world.when_applied("launch/n2", move || stop.request());
    let outcome = launched(&rig, 1).await;
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
    assert_eq!(turns(&rig).1, ["n1", "n2"]);
    let story = rig.story();
    assert!(
        story.contains(&"launch/n2 #1 succeeded (Applied)".to_owned()),
        "{story:#?}"
    );
}

/// A step that is better brought to its end.
#[derive(Debug, Serialize)]
struct Stubborn(Launch);

impl Step for Stubborn {
    type World = World;
    type Output = Made;
    type Error = Trouble;

    fn id(&self) -> StepId {
        Launch::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Made>, Trouble> {
        self.0.probe(cx).await
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Made, Trouble> {
        self.0.apply(cx).await
    }

    async fn verify(&self, cx: &StepCx<World>, made: &Made) -> Result<(), Trouble> {
        self.0.verify(cx, made).await
    }

    fn grace(&self) -> Option<Duration> {
        Some(LIMITS.deadline)
    }

    fn limits(&self) -> Limits {
        LIMITS
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_with_a_grace_of_its_own_is_not_cut_off() {
    let rig = Rig::new();
    let stop = rig.stop.clone();
    // The settings would leave it 8 s.
    rig.world.takes("launch/n1", Duration::from_secs(40));
    rig.world.when_applied("launch/n1", move || stop.request());
    let run = rig.create().await.unwrap();
    let outcome = run
        .drive(
            rig.world.clone(),
            rig.settings,
            rig.stop.clone(),
            |flow| async move {
                let item = |node: &'static str| {
                    let launch = Launch {
                        node,
                        image: "jammy",
                        group: "g".into(),
                    };
                    (node.into(), Stubborn(launch))
                };
                flow.fan_out_in_turn(Launch::ID, 1, [item("n1"), item("n2")])
                    .await
                    .map(drop)
            },
        )
        .await;
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
    let story = rig.story();
    assert!(
        story.contains(&"launch/n1 #1 succeeded (Applied)".to_owned()),
        "{story:#?}"
    );
    assert_eq!(turns(&rig).1, ["n1"]);
}
