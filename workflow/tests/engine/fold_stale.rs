//! The fold: outcomes that do not count any more, effects in doubt, ends that say so, catalogues that change.

use mesosflow_workflow::{Event, Phase, RunState, Status};
use serde_json::json;

use crate::fold::{abc, fold, statuses};
use crate::story::{Story, output_of};

#[test]
fn a_partial_end_names_what_is_open_and_nothing_else() {
    let story = abc()
        .runs(&["a", "b", "c"])
        .ends_well()
        .adopted()
        .replays("a", Some("b"), false)
        .runs(&["a"]);
    for wrong in [&["c"][..], &["b", "c"], &[]] {
        assert!(story.clone().ends_with_open(wrong).fold().is_err(), "{wrong:?}");
    }
    let story = story.runs(&["b"]);
    for wrong in [&["b", "c"][..], &["a"], &[]] {
        assert!(story.clone().ends_with_open(wrong).fold().is_err(), "{wrong:?}");
    }
    fold(&story.ends_with_open(&["c"]));
}

#[test]
fn an_outcome_that_became_stale_is_made_anew_under_another_name() {
    let story = abc().runs(&["a", "b"]).goes_stale("a");
    assert_eq!(statuses(&fold(&story)), ["stale", "succeeded", "pending"]);
    let before = fold(&story).steps[0].progress.effect_key.clone();
    let state = fold(&story.starts("a"));
    let progress = &state.steps[0].progress;
    assert_eq!((progress.attempts, progress.round), (2, 1));
    assert_ne!(progress.effect_key, before);
    assert_eq!(
        progress.output,
        Some(output_of("a")),
        "kept until there is another"
    );
}

#[test]
fn an_item_that_became_stale_opens_its_step_and_leaves_the_others() {
    let story = abc()
        .starts("a")
        .runs(&["a/n1", "a/n2"])
        .succeeds("a")
        .goes_stale("a/n2");
    let state = fold(&story);
    let items = |state: &RunState| {
        let items = state.steps[0].items.values();
        items.map(|item| item.status).collect::<Vec<_>>()
    };
    assert_eq!(state.steps[0].progress.status, Status::Stale);
    assert_eq!(items(&state), [Status::Succeeded, Status::Stale]);
    let state = fold(
        &story
            .starts_over("a", &["n1", "n2"])
            .runs(&["a/n2"])
            .succeeds("a"),
    );
    assert_eq!(items(&state), [Status::Succeeded, Status::Succeeded]);
}

#[test]
fn what_was_replaced_makes_all_later_items_of_its_key_stale() {
    let launches = |output: &str| {
        let story = abc().but(|first| {
            if let Event::RunStarted { catalogue, .. } = &mut first.event {
                catalogue[0] = catalogue[0].clone().over("nodes").replaces();
                catalogue[1] = catalogue[1].clone().over("nodes");
            }
        });
        let story = story.starts("a").runs(&["a/n1", "a/n2"]).succeeds("a");
        let story = story
            .starts("b")
            .runs(&["b/n1", "b/n2"])
            .succeeds("b")
            .runs(&["c"]);
        let story = story.ends_well().adopted().replays("a", None, true);
        fold(&story.starts("a").starts("a/n1").gives("a/n1", output))
    };
    let again = launches("output of a/n1");
    assert_eq!(again.steps[1].progress.status, Status::Succeeded);
    let other = launches("another machine");
    assert_eq!(other.steps[1].progress.status, Status::Stale);
    assert_eq!(other.steps[1].items[&"n1".into()].status, Status::Stale);
    assert_eq!(other.steps[1].items[&"n2".into()].status, Status::Succeeded);
    assert_eq!(other.steps[2].progress.status, Status::Succeeded);
    assert!(other.is_superseded(&"c".into(), other.steps[2].progress.started));
    assert!(!again.is_superseded(&"c".into(), again.steps[2].progress.started));
}

#[test]
fn an_effect_is_in_doubt_from_its_start_to_its_success_over_all_generations() {
    let names = |state: &RunState| {
        let effects = state.effects.values();
        effects
            .map(|effect| (effect.step.to_string(), effect.generation.0))
            .collect::<Vec<_>>()
    };
    let story = abc().runs(&["a"]).starts("b");
    assert_eq!(names(&fold(&story)), [("b".to_owned(), 1)]);
    assert!(fold(&story.clone().succeeds("b")).effects.is_empty());
    let story = story.adopted().replays("a", None, false).runs(&["a"]).starts("b");
    assert_eq!(names(&fold(&story)), [("b".to_owned(), 1), ("b".to_owned(), 2)]);
    let doubt = fold(&story).effects.keys().next().unwrap().clone();
    let settled = fold(&story.clone().settles("b", doubt.clone()));
    assert_eq!(names(&settled), [("b".to_owned(), 2)]);
    assert!(
        story
            .settles("b", doubt.clone())
            .settles("b", doubt)
            .fold()
            .is_err()
    );
}

#[test]
fn a_change_of_the_catalogue_keeps_what_is_known_and_asks_for_what_is_new() {
    let entry = |id: &str| mesosflow_workflow::CatalogueEntry::new(id.into(), "-", id);
    let story = abc().runs(&["a", "b"]).starts("c").adopted();
    let changed = Event::CatalogueChanged {
        tool_version: "0.2.0".into(),
        catalogue: vec![entry("a"), entry("n"), entry("b2")],
        added: vec!["n".into()],
        dropped: vec!["c".into()],
        renamed: vec![mesosflow_workflow::Renamed {
            from: "b".into(),
            to: "b2".into(),
        }],
    };
    let story = story.then(changed);
    let state = fold(&story);
    assert_eq!(statuses(&state), ["succeeded", "pending", "succeeded"]);
    assert_eq!((state.dropped.len(), state.effects.len()), (1, 1));
    assert_eq!(state.tool_version, "0.2.0");
    assert!(story.clone().ends_well().fold().is_err(), "`n` has not run");
    fold(&story.runs(&["n"]).ends_well());
}

#[test]
fn a_value_that_is_given_anew_is_in_the_spec_and_opens_those_steps_alone() {
    let amended = |field: &str| Event::SpecAmended {
        field: field.into(),
        before: json!(["a"]),
        value: json!(["b"]),
        steps: vec!["b".into(), "unknown".into()],
    };
    let story = abc().but(|first| {
        if let Event::RunStarted { spec, .. } = &mut first.event {
            *spec = json!({"in": {"from": ["a"], "other": 1}});
        }
    });
    let story = story.runs(&["a", "b", "c"]).ends_well();
    let state = fold(&story.clone().adopted().then(amended("in.from")));
    assert_eq!(state.spec, json!({"in": {"from": ["b"], "other": 1}}));
    assert_eq!(statuses(&state), ["succeeded", "stale", "succeeded"]);
    let reason = state.steps[1].reason();
    assert_eq!(reason, Some("in.from was given anew"));
    // Those who destroy it need not take it over first.
    assert_eq!(
        fold(&story.clone().then(amended("in.from"))).phase,
        Phase::Succeeded
    );
    for missing in ["in.where", "from", "in.from.to", ""] {
        assert!(story.clone().then(amended(missing)).fold().is_err(), "{missing}");
    }
    let story = story.adopted().then(amended("in.from"));
    assert!(story.clone().ends_well().fold().is_err(), "`b` is open");
    fold(&story.runs(&["b"]).ends_well());
}

#[test]
fn a_run_of_the_first_format_folds_and_is_not_driven_on() {
    let old = |story: Story| {
        let mut story = story;
        story.events.iter_mut().for_each(|recorded| recorded.format = 1);
        story
    };
    let story = old(abc()
        .runs(&["a", "b", "c"])
        .ends_well()
        .adopted()
        .replays("b", None, true)
        .runs(&["b"])
        .ends_well());
    assert_eq!(fold(&story).phase, Phase::Succeeded);
    assert!(story.clone().adopted().fold().is_err());
    assert!(fold(&story.adopted_to_be_destroyed()).destroyed);
    // In that format a replay's end was a success, whatever it had left.
    let story = old(abc()
        .runs(&["a", "b", "c"])
        .ends_well()
        .adopted()
        .replays("a", Some("b"), false)
        .runs(&["a", "b"])
        .ends_well());
    assert_eq!(fold(&story).phase, Phase::Succeeded);
}

#[test]
fn a_replay_of_what_takes_back_later_steps_makes_those_stale() {
    let story = abc().but(|first| {
        if let Event::RunStarted { catalogue, .. } = &mut first.event {
            catalogue[1] = catalogue[1].clone().undoes();
        }
    });
    let story = story.runs(&["a", "b", "c"]).ends_well().adopted();
    let story = story.replays("b", None, true).runs(&["b"]);
    assert_eq!(statuses(&fold(&story)), ["succeeded", "succeeded", "stale"]);
    assert!(story.clone().ends_well().fold().is_err());
    fold(&story.ends_with_open(&["c"]));
}

#[test]
fn what_was_meant_stays_meant_until_it_is_done() {
    let story = abc().runs(&["a", "b", "c"]).ends_well().adopted();
    let story = story.replays("b", None, true).adopted().replays("c", None, true);
    let state = fold(&story);
    assert!(state.is_named_by_replay(&"b".into()) && state.is_named_by_replay(&"c".into()));
    assert!(!state.is_named_by_replay(&"a".into()));
    let state = fold(&story.adopted().replays("a", None, false));
    assert!(!state.is_named_by_replay(&"b".into()) && state.is_named_by_replay(&"a".into()));
}

/// Nothing of a closed run reads as if somebody were at it; what it left in doubt keeps its name.
#[test]
fn what_a_close_found_under_way_has_failed() {
    let story = abc()
        .but(|first| {
            if let Event::RunStarted { catalogue, .. } = &mut first.event {
                catalogue[1] = catalogue[1].clone().over("nodes");
            }
        })
        .runs(&["a"])
        .starts("b")
        .runs(&["b/n1"])
        .starts("b/n2")
        .starts("b/n3")
        .fails_and_will_retry("b/n3")
        .adopted();
    let before = fold(&story);
    assert_eq!(statuses(&before), ["succeeded", "running", "pending"]);
    let open = vec!["b".into(), "c".into()];
    let state = fold(&story.then(Event::RunClosed { open }));
    assert_eq!(statuses(&state), ["succeeded", "failed", "pending"]);
    let items: Vec<_> = state.steps[1].items.values().collect();
    assert_eq!(
        items.iter().map(|item| item.status).collect::<Vec<_>>(),
        [Status::Succeeded, Status::Failed, Status::Failed]
    );
    for progress in [&state.steps[1].progress, items[1]] {
        assert_eq!(progress.finished_at, Some(state.moved_at));
        assert!(progress.error.as_ref().unwrap().message.contains("was closed"));
    }
    let tried = items[2].error.as_ref().unwrap();
    assert!(
        !tried.message.contains("was closed"),
        "why its last try failed: {tried:?}"
    );
    assert!(tried.causes.last().unwrap().contains("was closed"), "{tried:?}");
    assert_eq!(state.effects, before.effects);
    assert_eq!(
        items[1].effect_key,
        before.steps[1].items.values().nth(1).unwrap().effect_key
    );
}
