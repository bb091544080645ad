//! The fold: until when an effect that nobody saw answered can have been at work.

use mesosflow_workflow::{ErrorClass, Unanswered};

use crate::fold::{abc, fold};
use crate::story::Story;

/// When the one effect in doubt can have been at work, by the numbers of the events that say so.
fn unanswered(story: &Story) -> Option<(i64, Option<i64>)> {
    let state = fold(story);
    let [effect] = &state.effects.values().collect::<Vec<_>>()[..] else {
        panic!("not one effect: {:?}", state.effects)
    };
    let second = |at: jiff::Timestamp| at.as_second();
    effect
        .unanswered
        .map(|Unanswered { from, until, .. }| (second(from), until.map(second)))
}

#[test]
fn a_try_goes_on_until_it_fails_or_its_driver_is_seen_to_be_gone() {
    let story = abc().starts("a");
    assert_eq!(unanswered(&story), Some((2, None)));
    let lost = story.clone().fails_as("a", ErrorClass::Ambiguous, Some(100));
    assert_eq!(unanswered(&lost), Some((2, Some(3))));
    // Whoever comes later adds nothing to that.
    assert_eq!(unanswered(&lost.interrupted().adopted()), Some((2, Some(3))));
    assert_eq!(unanswered(&story.clone().adopted().adopted()), Some((2, Some(3))));
    assert_eq!(unanswered(&story.adopted_to_be_destroyed()), Some((2, Some(3))));
}

#[test]
fn a_failure_that_says_no_answers_its_own_try_and_no_other() {
    for class in [
        ErrorClass::Transient,
        ErrorClass::Permanent,
        ErrorClass::Operator,
        ErrorClass::Fenced,
    ] {
        let refused = abc().starts("a").fails_as("a", class, Some(100));
        assert_eq!(unanswered(&refused), None, "{class:?}");
        let lost = abc()
            .starts("a")
            .fails_as("a", ErrorClass::Ambiguous, Some(100))
            .starts("a");
        assert_eq!(unanswered(&lost), Some((4, None)));
        assert_eq!(
            unanswered(&lost.fails_as("a", class, None)),
            Some((2, Some(3))),
            "{class:?}"
        );
    }
}

#[test]
fn who_destroys_a_run_settles_its_effects_however_it_ended() {
    let story = abc()
        .starts("a")
        .fails_as("a", ErrorClass::Ambiguous, None)
        .ends_badly();
    let key = fold(&story).effects.keys().next().unwrap().clone();
    assert!(
        story.clone().settles("a", key.clone()).fold().is_err(),
        "an ended run"
    );
    let destroyed = story.adopted_to_be_destroyed().settles("a", key.clone());
    assert!(fold(&destroyed).effects.is_empty());
    assert!(destroyed.settles("a", key).fold().is_err(), "settled twice");
}

#[test]
fn each_try_that_nobody_saw_answered_counts() {
    let tries = |story: &Story| {
        let effect = fold(story).effects.into_values().next().unwrap();
        effect.unanswered.map(|unanswered| unanswered.tries)
    };
    let lost = abc().starts("a").fails_as("a", ErrorClass::Ambiguous, Some(100));
    assert_eq!(tries(&lost), Some(1));
    let refused = lost.starts("a").fails_as("a", ErrorClass::Transient, Some(100));
    assert_eq!(tries(&refused), Some(1));
    assert_eq!(tries(&refused.starts("a")), Some(2));
}
