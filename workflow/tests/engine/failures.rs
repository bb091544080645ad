//! Steps that fail, in each of the ways in which they can.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Event, Outcome, Phase, Status};

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded};
use crate::toy::{LIMITS, Launch, Share};
use crate::world::{Act, Twist};

const PLACES: [&str; 7] = [
    "groups",
    "launch/n1",
    "launch/n4",
    "format",
    "start",
    "share",
    "health",
];

fn step_of(place: &str) -> &str {
    place.split('/').next().unwrap()
}

fn attempts(rig: &Rig, place: &str) -> Vec<(Act, u32)> {
    rig.world
        .deeds()
        .into_iter()
        .filter(|deed| deed.place == place)
        .map(|deed| (deed.act, deed.attempt))
        .collect()
}

fn status(rig: &Rig, place: &str) -> Status {
    let state = rig.state();
    let step = state.step(&step_of(place).into()).unwrap();
    match place.split_once('/') {
        None => step.progress.status,
        Some((_, item)) => step
            .items
            .get(&item.into())
            .map_or(Status::Pending, |item| item.status),
    }
}

fn waits(rig: &Rig, place: &str) -> Vec<Option<u64>> {
    rig.history()
        .iter()
        .filter(|recorded| crate::rig::place_of(&recorded.event) == place)
        .filter_map(|recorded| match &recorded.event {
            Event::StepFailed { retry_in_ms, .. } => Some(*retry_in_ms),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_again() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world.twist(place, [Twist::Fails(ErrorClass::Transient); 2]);
        assert_succeeded(&rig.run().await);
        use Act::{Apply, Probe, Verify};
        assert_eq!(
            attempts(&rig, place),
            [
                (Probe, 1),
                (Apply, 1),
                (Probe, 2),
                (Apply, 2),
                (Probe, 3),
                (Apply, 3),
                (Verify, 3)
            ]
        );
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn the_announced_wait_is_waited_for_in_full() {
    let rig = Rig::new();
    rig.world
        .twist("health", [Twist::Fails(ErrorClass::Transient); 2]);
    assert_succeeded(&rig.run().await);
    let history = rig.history();
    let mut checked = 0;
    for (failed, next) in history.iter().zip(&history[1..]) {
        let Event::StepFailed {
            retry_in_ms: Some(wait),
            ..
        } = &failed.event
        else {
            continue;
        };
        assert!(matches!(next.event, Event::StepStarted { .. }), "{next:?}");
        let waited = u64::try_from(next.at.duration_since(failed.at).as_millis()).unwrap();
        // The journal has whole milliseconds, and so has tokio's timer.
        assert!(
            (*wait..=wait + 2).contains(&waited),
            "{wait} ms were announced, {waited} ms waited"
        );
        checked += 1;
    }
    assert_eq!(checked, 2);
    let bounds =
        [LIMITS.retry.initial, LIMITS.retry.ceiling].map(|bound| u64::try_from(bound.as_millis()).unwrap());
    for (wait, bound) in waits(&rig, "health").into_iter().zip(bounds) {
        assert!(wait.unwrap() <= bound, "{wait:?} above {bound} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_that_goes_on_fails_the_run_within_the_limits() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world.twist(place, [Twist::Fails(ErrorClass::Transient); 9]);
        let outcome = rig.run().await;
        let Outcome::Failed { step, error } = outcome else {
            panic!("{place}: {outcome:?}")
        };
        assert_eq!(
            (step.as_str(), error.class),
            (step_of(place), ErrorClass::Transient)
        );
        let waits = waits(&rig, place);
        assert!(
            matches!(waits[..], [Some(_), Some(_), None]),
            "{place}: {waits:?}"
        );
        assert_eq!(status(&rig, place), Status::Failed);
        assert!(matches!(rig.state().phase, Phase::Failed(_)));
        assert_lawful(&rig);

        // A person mends it, and the rest is done.
        let rig = mended(rig);
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

/// The same run in a world where nothing goes wrong any more.
fn mended(rig: Rig) -> Rig {
    rig.world.mend();
    rig
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_tried_again() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world.twist(place, [Twist::Fails(ErrorClass::Permanent)]);
        let outcome = rig.run().await;
        let Outcome::Failed { step, error } = outcome else {
            panic!("{place}: {outcome:?}")
        };
        assert_eq!(
            (step.as_str(), error.class),
            (step_of(place), ErrorClass::Permanent)
        );
        assert_eq!(attempts(&rig, place), [(Act::Probe, 1), (Act::Apply, 1)]);
        assert_eq!(waits(&rig, place), [None]);
        assert_eq!(rig.story().last().unwrap(), "run_failed");
        assert_lawful(&rig);
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn other_items_that_run_finish_and_no_other_starts() {
    let mut rig = Rig::new();
    rig.settings.fan_out = 3;
    rig.world
        .twist("launch/n2", [Twist::Fails(ErrorClass::Permanent)]);
    let outcome = rig.run().await;
    let Outcome::Failed { error, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.message, "failed on 1 of 5: n2");
    assert_eq!(error.causes, ["n2: launch/n2 broke"]);
    let items =
        ["launch/n1", "launch/n2", "launch/n3", "launch/n4", "launch/n5"].map(|item| status(&rig, item));
    use Status::{Failed, Pending, Succeeded};
    assert_eq!(items, [Succeeded, Failed, Succeeded, Pending, Pending]);
    assert_eq!(status(&rig, "launch"), Failed);
    assert_eq!(
        rig.world.applied(),
        ["groups", "launch/n1", "launch/n2", "launch/n3"]
    );

    let before = rig.history().len();
    assert_succeeded(&rig.resume().await);
    let started = rig.started_after(before);
    assert_eq!(
        started[2..6],
        ["launch", "launch/n2", "launch/n4", "launch/n5"],
        "{started:?}"
    );
    assert_complete(&rig);
    assert_lawful(&rig);
}

/// Another item's failure cuts off the next try of one that waits for it, or that fails in between: it has failed as well, and the
/// step's error says so. What never began has not.
#[tokio::test(start_paused = true)]
async fn items_whose_tries_were_cut_short_are_told_among_those_that_failed() {
    // When `n1` fails for the first time and `n2` for good, in milliseconds: during `n1`'s wait, and before it.
    for (n1, n2) in [(1_000, 1_001), (4_000, 1_000)] {
        let mut rig = Rig::new();
        rig.settings.fan_out = 3;
        rig.world
            .twist("launch/n1", [Twist::Fails(ErrorClass::Transient); 3]);
        rig.world.takes("launch/n1", Duration::from_millis(2 * n1));
        rig.world
            .twist("launch/n2", [Twist::Fails(ErrorClass::Permanent)]);
        rig.world.takes("launch/n2", Duration::from_millis(2 * n2));
        let outcome = rig.run().await;
        let Outcome::Failed { error, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(error.message, "failed on 2 of 5: n1, n2");
        assert_eq!(error.causes, ["n1: launch/n1 broke", "n2: launch/n2 broke"]);
        let items = ["launch/n1", "launch/n2", "launch/n3"].map(|item| status(&rig, item));
        assert_eq!(items, [Status::Failed, Status::Failed, Status::Succeeded]);
        let tries = attempts(&rig, "launch/n1").len() / 2;
        assert!(tries < 3, "{tries} tries of n1: none was cut off");
        assert_lawful(&rig);

        rig.world.mend();
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn another_branch_that_runs_finishes_and_starts_nothing_new() {
    let rig = Rig::new();
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    let outcome = rig.run().await;
    assert!(
        matches!(&outcome, Outcome::Failed { step, .. } if step.as_str() == "share"),
        "{outcome:?}"
    );
    assert_eq!(status(&rig, "format"), Status::Succeeded);
    assert_eq!(status(&rig, "start"), Status::Pending);
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_is_waited_for_does_not_come_after_a_failure_elsewhere() {
    let rig = Rig::new();
    // `format` waits for its second try while `share` fails.
    rig.world.twist("format", [Twist::Fails(ErrorClass::Transient)]);
    rig.world.takes("format", Duration::from_millis(2));
    rig.world.takes("share", Duration::from_millis(4));
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    let outcome = rig.run().await;
    assert!(
        matches!(&outcome, Outcome::Failed { step, .. } if step.as_str() == "share"),
        "{outcome:?}"
    );
    let story = rig.story();
    let failed = story
        .iter()
        .position(|event| event == "share #1 failed (Permanent)")
        .unwrap();
    // The wait before `format`'s second try may be drawn shorter than the millisecond between the two failures.
    if !story[..failed].contains(&"format #2 started".to_owned()) {
        assert_eq!(status(&rig, "format"), Status::Failed);
        assert!(!story.contains(&"format #2 started".to_owned()), "{story:#?}");
        let (ended, gave_up) = (rig.history().last().unwrap().at, rig.history()[failed].at);
        assert!(
            ended.duration_since(gave_up).as_millis() < 5,
            "it waited for a try that cannot come"
        );
    }
    assert_lawful(&rig);
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_failure_is_probed_before_the_next_try() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world.twist(place, [Twist::FailsLate(ErrorClass::Ambiguous)]);
        assert_succeeded(&rig.run().await);
        assert_eq!(
            attempts(&rig, place),
            [(Act::Probe, 1), (Act::Apply, 1), (Act::Probe, 2)]
        );
        assert!(rig.story().contains(&format!("{place} #2 succeeded (Found)")));
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_verified_has_not_succeeded() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world
            .twist(place, [Twist::FailsVerification(ErrorClass::Permanent)]);
        let outcome = rig.run().await;
        assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
        assert_eq!(status(&rig, place), Status::Failed);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_person_interrupts_the_run_with_a_hint() {
    for place in PLACES {
        let rig = Rig::new();
        rig.world.twist(place, [Twist::Fails(ErrorClass::Operator)]);
        let outcome = rig.run().await;
        let Outcome::Interrupted { reason } = outcome else {
            panic!("{place}: {outcome:?}")
        };
        assert_eq!(reason.class, ErrorClass::Operator);
        assert_eq!(reason.hint, Some(format!("mend {place}")));
        assert!(
            reason
                .message
                .contains(&format!("step `{}` needs a person", step_of(place))),
            "{}",
            reason.message
        );
        assert_eq!(rig.state().phase, Phase::Interrupted(reason));
        assert_eq!(waits(&rig, place), [None]);
        assert_succeeded(&rig.resume().await);
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn among_failed_items_the_gravest_decides() {
    use ErrorClass::{Operator, Permanent, Transient};
    // The class of the first item in order must not hide the others'.
    for (first, second, gravest) in [
        (Operator, Permanent, Permanent),
        (Permanent, Operator, Permanent),
        (Transient, Operator, Operator),
    ] {
        let rig = Rig::new();
        // The transient one has used up its tries when the other one fails.
        rig.world.twist("launch/n1", [Twist::Fails(first); 3]);
        rig.world.twist("launch/n2", [Twist::Fails(second)]);
        rig.world.takes(
            "launch/n2",
            if first == Transient {
                Duration::from_secs(59)
            } else {
                Duration::from_secs(2)
            },
        );
        let (hint, class) = match rig.run().await {
            Outcome::Failed { error, .. } => (error.hint, error.class),
            Outcome::Interrupted { reason } => (reason.hint, reason.class),
            other => panic!("{other:?}"),
        };
        assert_eq!(class, gravest, "{first:?} on n1, {second:?} on n2");
        // Who may mend one of the two is told so, whatever the other one's class.
        assert!(hint.is_some_and(|hint| hint.contains("mend launch/")));
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_one_branch_is_not_hidden_by_the_need_for_a_person_in_another() {
    let rig = Rig::new();
    rig.world.twist("format", [Twist::Fails(ErrorClass::Operator)]);
    rig.world.twist("share", [Twist::Fails(ErrorClass::Permanent)]);
    let outcome = rig.run().await;
    assert!(
        matches!(&outcome, Outcome::Failed { step, .. } if step.as_str() == "share"),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn past_its_deadline_an_attempt_is_dropped_and_counts_as_ambiguous() {
    for (twist, second_try) in [
        (Twist::HangsLate, vec![(Act::Probe, 2)]),
        (
            Twist::Hangs,
            vec![(Act::Probe, 2), (Act::Apply, 2), (Act::Verify, 2)],
        ),
    ] {
        for place in PLACES {
            let rig = Rig::new();
            rig.world.twist(place, [twist]);
            assert_succeeded(&rig.run().await);
            assert_eq!(attempts(&rig, place)[2..], second_try, "{place} {twist:?}");
            let history = rig.history();
            let at = |what: &str| history[rig.story().iter().position(|event| event == what).unwrap()].at;
            let failed = at(&format!("{place} #1 failed (Ambiguous, will retry)"));
            let took = failed.duration_since(at(&format!("{place} #1 started")));
            assert_eq!(took.as_secs(), LIMITS.deadline.as_secs().cast_signed());
            assert_complete(&rig);
            assert_lawful(&rig);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_at_its_deadline_has_ended_in_time() {
    // As often as makes it no matter of luck.
    for _ in 0..20 {
        let rig = Rig::new();
        rig.world.takes("health", LIMITS.deadline);
        assert_succeeded(&rig.run().await);
        assert_eq!(
            attempts(&rig, "health"),
            [(Act::Probe, 1), (Act::Apply, 1), (Act::Verify, 1)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_of_another_step_is_refused_before_any_begins() {
    let rig = Rig::new();
    let run = rig.create().await.unwrap();
    let outcome = run
        .drive(
            rig.world.clone(),
            rig.settings,
            rig.stop.clone(),
            |flow| async move {
                let share = Share { server: "n1".into() };
                flow.fan_out(Launch::ID, [("n1".into(), share)]).await.map(drop)
            },
        )
        .await;
    let Outcome::Failed { error, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.message, "its item `n1` is one of `share`");
    assert_eq!(rig.world.applied(), [""; 0]);
}
