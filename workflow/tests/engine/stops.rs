//! A request to stop.

use std::time::Duration;

use mesosflow_workflow::{Clock as _, ErrorClass, Event, Outcome, Phase, Status};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded};
use crate::world::Twist;

#[track_caller]
fn assert_interrupted(rig: &Rig, outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
    assert_eq!(rig.story().last().unwrap(), "run_interrupted");
    assert!(matches!(rig.state().phase, Phase::Interrupted(_)));
}

/// Resumes with a switch that nobody has thrown.
async fn resumed(mut rig: Rig) -> Rig {
    rig.stop = mesosflow_workflow::Stop::default();
    assert_succeeded(&rig.resume().await);
    assert_complete(&rig);
    assert_lawful(&rig);
    rig
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish_and_nothing_new_starts() {
    for place in ["groups", "launch/n1", "launch/n5", "format", "start", "share"] {
        let rig = Rig::new();
        let stop = rig.stop.clone();
        rig.world.when_applied(place, move || stop.request());
        let outcome = rig.run().await;
        assert_interrupted(&rig, &outcome);
        let story = rig.story();
        assert!(
            story.contains(&format!("{place} #1 succeeded (Applied)")),
            "{place}: {story:#?}"
        );
        assert!(
            !story
                .iter()
                .any(|event| event.contains("Ambiguous") && !event.starts_with("launch #")),
            "{story:#?}"
        );
        assert!(
            !story.iter().any(|event| event.starts_with("health")),
            "{place}: {story:#?}"
        );
        assert_lawful(&rig);
        resumed(rig).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_items_that_wait_for_their_place_do_not_start() {
    let mut rig = Rig::new();
    rig.settings.fan_out = 2;
    let stop = rig.stop.clone();
    rig.world.when_applied("launch/n2", move || stop.request());
    let outcome = rig.run().await;
    assert_interrupted(&rig, &outcome);
    assert_eq!(rig.world.applied(), ["groups", "launch/n1", "launch/n2"]);
    let launch = rig.state().step(&"launch".into()).unwrap().clone();
    assert_eq!(launch.progress.status, Status::Failed);
    assert_eq!(launch.items.len(), 2);
    assert!(launch.items.values().all(|item| item.status == Status::Succeeded));
    rig.world.take_deeds();
    let rig = resumed(rig).await;
    assert_eq!(
        rig.world.applied()[..],
        [
            "format",
            "health",
            "launch/n3",
            "launch/n4",
            "launch/n5",
            "share",
            "start"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_within_the_grace_is_cut_off() {
    let rig = Rig::new();
    let stop = rig.stop.clone();
    // `share` needs 20 s, of which the grace leaves it 8; `format` ends in its grace.
    rig.world.takes("share", Duration::from_secs(20));
    rig.world.takes("format", Duration::from_secs(10));
    rig.world.when_applied("share", move || stop.request());
    let outcome = rig.run().await;
    assert_interrupted(&rig, &outcome);
    let history = rig.history();
    let story = rig.story();
    let cut_off = story
        .iter()
        .position(|event| event == "share #1 failed (Ambiguous)")
        .unwrap();
    let Event::StepFailed {
        error,
        retry_in_ms: None,
        ..
    } = &history[cut_off].event
    else {
        panic!("{story:#?}")
    };
    assert!(error.message.contains("interrupted"), "{}", error.message);
    let started = story
        .iter()
        .position(|event| event == "share #1 started")
        .unwrap();
    let took = history[cut_off].at.duration_since(history[started].at);
    assert_eq!(took.as_secs(), rig.settings.grace.as_secs().cast_signed());
    assert_lawful(&rig);
    resumed(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_is_kept() {
    let mut rig = Rig::new();
    rig.settings.grace = Duration::ZERO;
    let stop = rig.stop.clone();
    rig.world.when_applied("start", move || stop.request());
    let outcome = rig.run().await;
    assert_interrupted(&rig, &outcome);
    assert!(
        rig.story().contains(&"start #1 failed (Ambiguous)".to_owned()),
        "{:#?}",
        rig.story()
    );
    resumed(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_next_try_ends_at_once() {
    let waiting = "health #1 failed (Transient, will retry)".to_owned();
    let rig = loop {
        let rig = Rig::new();
        rig.world.twist("health", [Twist::Fails(ErrorClass::Transient)]);
        let run = rig.create().await.unwrap();
        let (outcome, asked_at) = tokio::join!(rig.drive(&run), async {
            while !rig.story().contains(&waiting) {
                tokio::task::yield_now().await;
                tokio::time::advance(Duration::from_millis(100)).await;
            }
            rig.stop.request();
            rig.clock.now()
        });
        if rig.story().contains(&"health #2 started".to_owned()) {
            // The wait was drawn shorter than a millisecond: it had ended before the request.
            continue;
        }
        assert_interrupted(&rig, &outcome);
        let ended_at = rig.history().last().unwrap().at;
        assert!(
            ended_at.duration_since(asked_at).as_millis() < 5,
            "it waited for a try that cannot come"
        );
        break rig;
    };
    let story = rig.story();
    assert_eq!(
        story[story.len() - 3..],
        [&*waiting, "health #1 failed (Transient)", "run_interrupted"]
    );
    assert_eq!(
        rig.state().step(&"health".into()).unwrap().progress.status,
        Status::Failed
    );
    assert_lawful(&rig);
    resumed(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_within_the_grace_is_not_tried_again() {
    let rig = Rig::new();
    let stop = rig.stop.clone();
    rig.world.twist("groups", [Twist::Fails(ErrorClass::Transient)]);
    rig.world.when_applied("groups", move || stop.request());
    let outcome = rig.run().await;
    assert_interrupted(&rig, &outcome);
    assert_eq!(
        rig.story(),
        [
            "run_started",
            "groups #1 started",
            "groups #1 failed (Transient)",
            "run_interrupted"
        ]
    );
    resumed(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_beginning_starts_nothing() {
    let rig = Rig::new();
    rig.stop.request();
    let outcome = rig.run().await;
    assert_interrupted(&rig, &outcome);
    assert_eq!(rig.story(), ["run_started", "run_interrupted"]);
    resumed(rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_when_everything_is_done_comes_too_late() {
    let rig = Rig::new();
    let stop = rig.stop.clone();
    rig.world.when_applied("health", move || stop.request());
    assert_succeeded(&rig.run().await);
    assert_complete(&rig);
}
