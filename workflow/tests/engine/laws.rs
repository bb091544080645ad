//! What holds for every run, whatever has happened to it.

use std::collections::BTreeMap;

use mesosflow_workflow::{Event, Phase, RunState};

use crate::rig::{Rig, place_of};

/// The history folds with all its beginnings; nothing that succeeded was started again in its generation; effect keys
/// are those of their places; every effect happened once; and the observer saw only what is there, in order.
#[track_caller]
pub(crate) fn assert_lawful(rig: &Rig) {
    let history = rig.history();
    let mut state = RunState::begin(&history[0]).unwrap();
    for recorded in &history[1..] {
        if let Event::StepStarted {
            step,
            item,
            effect_key,
            ..
        } = &recorded.event
        {
            let place = place_of(&recorded.event);
            let progress = state.step(step).and_then(|found| found.of(item.as_ref()));
            assert!(
                progress.is_none_or(|progress| !progress.status.is_valid()),
                "{place} was started after its success"
            );
            assert_eq!(*effect_key, state.next_try(step, item.as_ref()).1);
        }
        state.apply(recorded).unwrap();
    }
    assert!(
        state.phase != Phase::Succeeded || state.open().next().is_none(),
        "it succeeded with open steps"
    );

    let mut created = Vec::new();
    for recorded in &history {
        if let Event::ResourceCreated { resource, .. } = &recorded.event {
            assert!(!created.contains(resource), "{resource:?} was recorded twice");
            created.push(resource.clone());
        }
    }

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for key in rig.world.effects() {
        *times.entry(key).or_default() += 1;
    }
    let repeated: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        repeated.is_empty(),
        "effects that happened more than once: {repeated:?}"
    );

    let mut rest = history.iter();
    for seen in rig.seen() {
        assert!(
            rest.any(|recorded| *recorded == seen),
            "{seen:?} was seen out of order, or twice"
        );
    }
}

/// Each place of the flow has had its effect in the first generation, and each instance is known.
#[track_caller]
pub(crate) fn assert_complete(rig: &Rig) {
    let mut effects: Vec<_> = rig
        .world
        .effects()
        .iter()
        .map(|key| key.split_once("-g1-").unwrap().1.to_owned())
        .collect();
    effects.sort();
    let places = [
        "format",
        "groups",
        "health",
        "launch-n1",
        "launch-n2",
        "launch-n3",
        "launch-n4",
        "launch-n5",
        "share",
        "start",
    ];
    assert_eq!(effects, places);
    assert_eq!(rig.state().resources.len(), 5);
}
