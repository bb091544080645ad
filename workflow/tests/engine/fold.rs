//! The fold: what a history means, and which histories there cannot be.

use mesosflow_workflow::state::ReplayRefused;
use mesosflow_workflow::{
    Attempt, EVENT_FORMAT, Epoch, Event, Generation, Pass, Phase, Replay, RunId, RunState, Seq, Status,
};
use proptest::prelude::*;

use crate::story::{Story, a_run_of, instance, output_of};

pub(crate) fn abc() -> Story {
    a_run_of(&["a", "b", "c"])
}

pub(crate) fn fold(story: &Story) -> RunState {
    for end in 1..story.events.len() {
        RunState::fold(&story.events[..end]).unwrap();
    }
    story.fold().unwrap()
}

pub(crate) fn statuses(state: &RunState) -> Vec<&str> {
    state
        .steps
        .iter()
        .map(|step| step.progress.status.as_str())
        .collect()
}

#[test]
fn a_run_begins_with_every_step_pending() {
    let state = fold(&abc());
    assert_eq!(
        (state.phase.clone(), state.generation, state.epoch),
        (Phase::Running, Generation(1), Epoch(1))
    );
    assert_eq!(statuses(&state), ["pending", "pending", "pending"]);
    assert_eq!(state.finished_at, None);
}

#[test]
fn a_success_keeps_what_the_step_gave() {
    let story = abc().starts("a");
    let running = fold(&story);
    let a = &running.steps[0].progress;
    assert_eq!((a.status, a.attempts, a.finished_at), (Status::Running, 1, None));
    assert_eq!(a.input_digest.as_deref(), Some("digest of a"));
    assert!(a.effect_key.as_ref().unwrap().as_str().ends_with("-g1-a"));

    let story = story.succeeds("a");
    let state = fold(&story);
    let a = &state.steps[0].progress;
    assert_eq!(
        (a.status, a.output.as_ref()),
        (Status::Succeeded, Some(&output_of("a")))
    );
    assert_eq!(
        (a.started_at, a.finished_at),
        (Some(story.events[1].at), Some(story.events[2].at))
    );
    assert!(state.steps[0].has_outcome());
}

#[test]
fn a_step_between_two_tries_is_running_and_says_why() {
    let state = fold(&abc().starts("a").fails_and_will_retry("a"));
    let a = &state.steps[0].progress;
    assert_eq!((a.status, a.attempts), (Status::Running, 1));
    assert_eq!(a.error.as_ref().unwrap().message, "it broke");

    let story = abc().starts("a").fails_and_will_retry("a").starts("a");
    let state = fold(&story);
    let a = &state.steps[0].progress;
    assert_eq!((a.status, a.attempts, &a.error), (Status::Running, 2, &None));
    assert_eq!(a.started_at, Some(story.events[1].at), "the first try's start");
}

#[test]
fn an_announced_try_may_not_come() {
    let state = fold(
        &abc()
            .starts("a")
            .fails_and_will_retry("a")
            .fails("a")
            .interrupted(),
    );
    assert_eq!(state.steps[0].progress.status, Status::Failed);
}

#[test]
fn a_failed_step_may_be_tried_again_in_its_generation() {
    let state = fold(
        &abc()
            .starts("a")
            .fails("a")
            .ends_badly()
            .adopted()
            .starts("a")
            .succeeds("a"),
    );
    let a = &state.steps[0].progress;
    assert_eq!((a.status, a.attempts), (Status::Succeeded, 2));
}

#[test]
fn a_step_that_a_crash_cut_off_is_started_again() {
    let state = fold(&abc().starts("a").adopted().starts("a"));
    assert_eq!((state.steps[0].progress.attempts, state.epoch), (2, Epoch(2)));
}

#[test]
fn items_have_progress_of_their_own() {
    let story = abc()
        .starts("b")
        .starts("b/n1")
        .starts("b/n2")
        .succeeds("b/n2")
        .fails("b/n1")
        .fails("b");
    let state = fold(&story);
    let b = &state.steps[1];
    assert_eq!(b.progress.status, Status::Failed);
    assert_eq!(b.items[&"n1".into()].status, Status::Failed);
    assert_eq!(b.items[&"n2".into()].status, Status::Succeeded);

    let state = fold(
        &story
            .ends_badly()
            .adopted()
            .starts("b")
            .starts("b/n1")
            .succeeds("b/n1")
            .succeeds("b"),
    );
    let b = &state.steps[1];
    assert_eq!((b.progress.status, b.progress.attempts), (Status::Succeeded, 2));
    assert_eq!(
        (b.items[&"n1".into()].attempts, b.items[&"n2".into()].attempts),
        (2, 1)
    );
}

#[test]
fn a_skip_is_an_outcome_with_a_reason() {
    let state = fold(&abc().skips("a"));
    assert_eq!(
        (state.steps[0].progress.status, state.steps[0].reason()),
        (Status::Skipped, Some("not needed"))
    );
    assert!(state.steps[0].has_outcome());
    let failed_first = fold(&abc().starts("a").fails("a").ends_badly().adopted().skips("a"));
    assert_eq!(failed_first.steps[0].progress.status, Status::Skipped);
}

#[test]
fn every_end_is_a_phase_and_an_adoption_opens_the_run_again() {
    let done = abc().runs(&["a", "b"]).skips("c");
    for (story, phase) in [
        (done.clone().ends_well(), "Succeeded"),
        (done.clone().ends_badly(), "Failed"),
        (done.interrupted(), "Interrupted"),
    ] {
        let state = fold(&story);
        assert!(
            format!("{:?}", state.phase).starts_with(phase),
            "{:?} is not {phase}",
            state.phase
        );
        assert_eq!(state.finished_at, Some(story.events.last().unwrap().at));
        let state = fold(&story.adopted());
        assert_eq!((state.phase, state.finished_at), (Phase::Running, None));
    }
}

#[test]
fn resources_are_there_from_their_creation_to_their_deletion() {
    let story = abc()
        .starts("a")
        .creates("a", "i-1")
        .creates("a/n1", "i-2")
        .creates("a", "i-1");
    assert_eq!(fold(&story).resources, [instance("i-1"), instance("i-2")]);
    let story = story.deletes("i-1");
    assert_eq!(fold(&story).resources, [instance("i-2")]);
    // Also after the end, when the run is destroyed; one that is not known is nothing to complain about.
    let story = story
        .ends_badly()
        .adopted_to_be_destroyed()
        .deletes("i-2")
        .deletes("i-3");
    let state = fold(&story);
    assert!(state.resources.is_empty());
    assert!(state.destroyed);
    assert!(
        matches!(state.phase, Phase::Failed(_)),
        "destroying changes nothing of how the run ended"
    );
}

#[test]
fn a_replay_makes_its_first_step_and_all_after_it_stale() {
    let story = abc()
        .runs(&["a", "b"])
        .skips("c")
        .ends_well()
        .adopted()
        .replays("b", None, false);
    let state = fold(&story);
    assert_eq!(state.generation, Generation(2));
    assert_eq!(statuses(&state), ["succeeded", "stale", "stale"]);
    assert!(state.steps.iter().all(mesosflow_workflow::StepState::has_outcome));
    assert!(state.is_named_by_replay(&"b".into()) && !state.is_named_by_replay(&"c".into()));

    let state = fold(&story.runs(&["b"]).skips("c").ends_well());
    assert_eq!(statuses(&state), ["succeeded", "succeeded", "skipped"]);
    assert_eq!(
        state
            .steps
            .iter()
            .map(|s| s.progress.generation.0)
            .collect::<Vec<_>>(),
        [1, 2, 2]
    );
    assert_eq!(state.steps[1].progress.attempts, 1, "attempts count anew");
}

#[test]
fn a_step_that_never_ran_stays_pending_in_a_replay() {
    let state = fold(
        &abc()
            .runs(&["a"])
            .interrupted()
            .adopted()
            .replays("a", None, false),
    );
    assert_eq!(statuses(&state), ["stale", "pending", "pending"]);
}

#[test]
fn a_replay_to_a_step_is_complete_there() {
    let story = abc()
        .runs(&["a", "b", "c"])
        .ends_well()
        .adopted()
        .replays("a", Some("b"), false);
    let state = fold(&story);
    assert_eq!(statuses(&state), ["stale", "stale", "stale"]);
    let in_range: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|step| state.pass(&(*step).into()) == Pass::Runs)
        .collect();
    assert_eq!(in_range, [true, true, false]);
    let story = story.runs(&["a", "b"]);
    assert!(story.clone().ends_well().fold().is_err(), "`c` is out of date");
    let story = story.ends_with_open(&["c"]);
    let state = fold(&story);
    assert_eq!(statuses(&state), ["succeeded", "succeeded", "stale"]);
    assert_eq!(state.phase, Phase::Partial);
    // Whoever takes it over does what is left.
    let story = story.adopted();
    assert_eq!(fold(&story).pass(&"c".into()), Pass::Runs);
    let state = fold(&story.runs(&["c"]).ends_well());
    assert_eq!(state.phase, Phase::Succeeded);
    assert_eq!(state.generation, Generation(2));
}

#[test]
fn a_replay_of_one_step_leaves_the_others_as_they_are() {
    let story = abc()
        .runs(&["a", "b"])
        .starts("c")
        .fails("c")
        .ends_badly()
        .adopted()
        .replays("b", None, true);
    assert_eq!(statuses(&fold(&story)), ["succeeded", "stale", "failed"]);
    let state = fold(&story.runs(&["b"]).ends_with_open(&["c"]));
    assert_eq!(statuses(&state), ["succeeded", "succeeded", "failed"]);
}

#[test]
fn a_replay_of_one_step_is_complete_although_a_later_one_was_cut_off() {
    let story = abc()
        .runs(&["a", "b"])
        .starts("c")
        .adopted()
        .replays("b", None, true)
        .runs(&["b"])
        .ends_with_open(&["c"]);
    assert_eq!(statuses(&fold(&story)), ["succeeded", "succeeded", "running"]);
}

#[test]
fn items_that_are_asked_for_no_more_go_when_their_step_starts() {
    let story = abc()
        .starts("a")
        .runs(&["a/n1"])
        .succeeds("a")
        .interrupted()
        .adopted();
    let story = story
        .replays("a", None, false)
        .starts_over("a", &["n2"])
        .starts("a/n2");
    let state = fold(&story);
    assert_eq!(
        state.steps[0]
            .items
            .keys()
            .map(|key| key.as_str())
            .collect::<Vec<_>>(),
        ["n2"]
    );
}

#[test]
fn what_may_be_replayed() {
    let state = fold(&abc().runs(&["a"]).starts("b").fails("b").ends_badly());
    let replay = |from: &str, to: Option<&str>, only| {
        state.check_replay(&Replay {
            from: from.into(),
            to: to.map(Into::into),
            only,
        })
    };
    assert_eq!(replay("a", None, false), Ok(0..=2));
    assert_eq!(replay("a", Some("b"), false), Ok(0..=1));
    assert_eq!(replay("b", None, true), Ok(1..=1));
    assert_eq!(
        replay("c", None, false),
        Err(ReplayRefused::NoOutcome("b".into()))
    );
    assert_eq!(
        replay("x", None, false),
        Err(ReplayRefused::UnknownStep("x".into()))
    );
    assert_eq!(
        replay("a", Some("x"), false),
        Err(ReplayRefused::UnknownStep("x".into()))
    );
    assert_eq!(
        replay("b", Some("a"), false),
        Err(ReplayRefused::EndsBeforeItBegins)
    );
}

#[test]
fn what_cannot_follow_is_refused_and_changes_nothing() {
    let done = || abc().runs(&["a", "b", "c"]);
    let halfway = || abc().runs(&["a"]).starts("b").runs(&["b/n1"]).starts("b/n2");
    let replayed = || done().ends_well().adopted();
    let with_items = || {
        abc()
            .runs(&["a"])
            .starts("b")
            .runs(&["b/n1"])
            .succeeds("b")
            .skips("c")
            .ends_well()
            .adopted()
    };
    let cut_off = || abc().runs(&["a"]).starts("b").starts("b/n1").adopted();
    type Next = fn(Story) -> Story;
    let table: Vec<(&str, Story, Next)> = vec![
        // Its place in the history.
        ("number 2 comes next", abc(), |s| {
            s.starts("a").but(|r| r.seq = Seq(3))
        }),
        ("number 2 comes next", abc(), |s| {
            s.starts("a").but(|r| r.seq = Seq(1))
        }),
        ("belongs to run", abc(), |s| {
            s.starts("a").but(|r| r.run = RunId::generate())
        }),
        ("format 3 is newer", abc(), |s| {
            s.starts("a").but(|r| r.format = EVENT_FORMAT + 1)
        }),
        ("epoch 2 was not adopted", abc(), |s| {
            s.starts("a").but(|r| r.epoch = Epoch(2))
        }),
        ("epoch 1 was not adopted", abc().adopted(), |s| {
            s.starts("a").but(|r| r.epoch = Epoch(1))
        }),
        ("needs a new epoch", abc().adopted(), |s| {
            s.adopted().but(|r| r.epoch = Epoch(2))
        }),
        ("generation 2 where 1", abc(), |s| {
            s.starts("a").but(|r| r.generation = Generation(2))
        }),
        ("generation 1 where 2", replayed(), |s| {
            s.replays("a", None, false).but(|r| r.generation = Generation(1))
        }),
        ("started already", abc(), |s| {
            let first = s.events[0].event.clone();
            s.then(first)
        }),
        // Starts.
        ("no step x", abc(), |s| s.starts("x")),
        ("attempt 2 follows attempt 0", abc(), |s| s.starts_as("a", 2)),
        ("attempt 1 follows attempt 1", abc().starts("a").fails("a"), |s| {
            s.starts_as("a", 1)
        }),
        ("attempt 3 follows attempt 0", halfway(), |s| {
            s.starts_as("b/n3", 3)
        }),
        ("it has its outcome: succeeded", abc().runs(&["a"]), |s| {
            s.starts("a")
        }),
        ("it has its outcome: succeeded", halfway(), |s| s.starts("b/n1")),
        ("it has its outcome: skipped", abc().skips("a"), |s| s.starts("a")),
        ("its step has not started", abc(), |s| s.starts("a/n1")),
        ("its step has not started", abc().starts("a").fails("a"), |s| {
            s.starts("a/n1")
        }),
        (
            "its step has not started",
            replayed().replays("b", None, false),
            |s| s.starts("b/n1"),
        ),
        (
            "attempt 2 follows attempt 0",
            replayed().replays("b", None, false),
            |s| s.starts_as("b", 2),
        ),
        ("does not run step a", replayed().replays("b", None, false), |s| {
            s.starts("a")
        }),
        (
            "does not run step c",
            replayed().replays("a", Some("b"), false),
            |s| s.starts("c"),
        ),
        ("does not run step c", replayed().replays("b", None, true), |s| {
            s.skips("c")
        }),
        (
            "attempt 2 follows attempt 0",
            with_items().replays("b", None, false),
            |s| s.starts_as("b", 2),
        ),
        (
            "its step has not started",
            with_items().replays("b", None, false),
            |s| s.starts("b/n1"),
        ),
        (
            "attempt 2 follows attempt 0",
            with_items().replays("c", None, false),
            |s| s.starts_as("c", 2),
        ),
        // Ends.
        ("it is pending, not running", abc(), |s| s.succeeds("a")),
        ("it is pending, not running", abc(), |s| s.fails("a")),
        ("it is succeeded, not running", abc().runs(&["a"]), |s| {
            s.succeeds("a")
        }),
        ("it is succeeded, not running", abc().runs(&["a"]), |s| {
            s.fails("a")
        }),
        ("it is failed, not running", abc().starts("a").fails("a"), |s| {
            s.succeeds("a")
        }),
        (
            "attempt 1 has failed",
            abc().starts("a").fails_and_will_retry("a"),
            |s| s.succeeds("a"),
        ),
        (
            "attempt 1 has failed",
            abc().starts("a").fails_and_will_retry("a"),
            |s| s.fails_and_will_retry("a"),
        ),
        (
            "not the running attempt 2",
            abc().starts("a").fails_and_will_retry("a").starts("a"),
            |s| {
                s.succeeds("a").but(|r| {
                    if let Event::StepSucceeded { attempt, .. } = &mut r.event {
                        *attempt = Attempt(1);
                    }
                })
            },
        ),
        ("item n9 has not started", halfway(), |s| s.succeeds("b/n9")),
        ("step b is failed, not running", halfway().fails("b"), |s| {
            s.succeeds("b/n2")
        }),
        ("no step x", abc(), |s| s.succeeds("x")),
        ("no step x", abc(), |s| s.fails("x/n1")),
        (
            "has not started in generation 2",
            cut_off().replays("b", None, false),
            |s| s.succeeds("b"),
        ),
        (
            "has not started in generation 2",
            cut_off().replays("b", None, false),
            |s| s.fails("b/n1"),
        ),
        // Skips.
        ("has its outcome: succeeded", abc().runs(&["a"]), |s| s.skips("a")),
        ("has its outcome: skipped", abc().skips("a"), |s| s.skips("a")),
        ("no step x", abc(), |s| s.skips("x")),
        // The run.
        ("step c is pending", abc().runs(&["a", "b"]), |s| s.ends_well()),
        ("step b is running", halfway(), |s| s.ends_well()),
        ("step b is failed", halfway().fails("b"), |s| s.ends_well()),
        ("step c is stale", replayed().replays("c", None, false), |s| {
            s.ends_well()
        }),
        ("the run has ended", done().ends_well(), |s| s.ends_well()),
        ("the run has ended", done().ends_well(), |s| s.ends_badly()),
        ("the run has ended", done().ends_well(), |s| s.interrupted()),
        ("the run has ended", abc().ends_badly(), |s| s.starts("a")),
        ("the run has ended", abc().starts("a").interrupted(), |s| {
            s.succeeds("a")
        }),
        ("the run has ended", abc().starts("a").interrupted(), |s| {
            s.fails("a")
        }),
        ("the run has ended", abc().interrupted(), |s| s.skips("a")),
        ("the run has ended", abc().interrupted(), |s| {
            s.creates("a", "i-1")
        }),
        ("the run has ended", done().ends_well(), |s| {
            s.replays("a", None, false)
        }),
        (
            "the run was destroyed",
            done().ends_well().adopted_to_be_destroyed(),
            |s| s.adopted(),
        ),
        // Replays.
        ("no step `x`", replayed(), |s| s.replays("x", None, false)),
        ("no step `x`", replayed(), |s| s.replays("a", Some("x"), false)),
        ("ends before it begins", replayed(), |s| {
            s.replays("b", Some("a"), false)
        }),
        ("step `b`, which comes before", halfway(), |s| {
            s.replays("c", None, false)
        }),
    ];
    for (why, history, next) in table {
        let mut state = history.fold().unwrap();
        let before = state.clone();
        let story = next(history);
        let refused = match state.apply(story.events.last().unwrap()) {
            Ok(()) => panic!("`{why}` was not refused: {story:#?}"),
            Err(refused) => refused,
        };
        assert!(
            refused.to_string().contains(why),
            "`{refused}` does not say `{why}`"
        );
        assert_eq!(state, before, "`{why}` was refused and left something");
        assert!(story.fold().is_err());
    }
}

#[test]
fn a_history_has_a_beginning() {
    assert!(RunState::fold([]).is_err());
    let story = abc().starts("a");
    assert!(RunState::fold(&story.events[1..]).is_err());
    assert!(RunState::fold(&abc().but(|r| r.seq = Seq(2)).events).is_err());
}

fn any_next() -> impl Strategy<Value = fn(Story, &str) -> Story> {
    // Weighted towards what moves on, so that histories get somewhere.
    prop_oneof![
        6 => Just((|s, at| s.starts(at)) as fn(Story, &str) -> Story),
        6 => Just((|s, at| s.succeeds(at)) as fn(Story, &str) -> Story),
        2 => Just((|s, at| s.fails(at)) as fn(Story, &str) -> Story),
        2 => Just((|s, at| s.fails_and_will_retry(at)) as fn(Story, &str) -> Story),
        1 => Just((|s, at| s.skips(at)) as fn(Story, &str) -> Story),
        1 => Just((|s, at| s.creates(at, "i-1")) as fn(Story, &str) -> Story),
        1 => Just((|s, _| s.deletes("i-1")) as fn(Story, &str) -> Story),
        2 => Just((|s, _| s.adopted()) as fn(Story, &str) -> Story),
        1 => Just((|s, at| s.replays(at, None, false)) as fn(Story, &str) -> Story),
        1 => Just((|s, at| s.replays(at, Some("b"), false)) as fn(Story, &str) -> Story),
        1 => Just((|s, at| s.replays(at, None, true)) as fn(Story, &str) -> Story),
        1 => Just((|s, _| s.interrupted()) as fn(Story, &str) -> Story),
        1 => Just((|s, _| s.ends_badly()) as fn(Story, &str) -> Story),
        1 => Just((|s, _| s.ends_well()) as fn(Story, &str) -> Story),
    ]
}

proptest! {
    /// Whatever is thrown at it: what is refused changes nothing, and what is accepted is a history that folds again,
    /// to the same state, as do all its beginnings.
    #[test]
    fn an_accepted_history_folds_again(
        nexts in prop::collection::vec((any_next(), prop::sample::select(vec!["a", "b", "b/n1", "b/n2", "c"])), 1..60)
    ) {
        let mut story = abc();
        let mut state = story.fold().unwrap();
        for (next, at) in nexts {
            let tried = next(story.clone(), at);
            let before = state.clone();
            match state.apply(tried.events.last().unwrap()) {
                Ok(()) => {
                    story = tried;
                    prop_assert_eq!(&state, &story.fold().unwrap());
                }
                Err(_) => prop_assert_eq!(&state, &before),
            }
        }
    }
}
