//! Deploys as they really went, saved under `fixtures/journals/` by `make fixtures`: today's flow is driven over each of them,
//! without any node, and finds nothing to do and nothing that does not fit. A change of an input or output that would strand
//! the runs of users fails here first.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use mesosflow_workflow::{
    Accepted, Event, ItemKey, Nonce, Preflight, Purpose, Recorded, RunState, Settings, StepId, preflight,
};
use serde_json::{Value, json};

use super::deploy;
use super::rehearsal::Nothing;
use crate::cluster::ClusterSpec;
use crate::key::KeyExpected;
use crate::provision::{CopySshKey, SetupOptions};
use crate::setup::BuildMesos;
use crate::world::World;

/// The deploys that were recorded, by the names of their files.
const NAMES: [&str; 3] = ["local", "ec2", "hosts"];

/// The history of one deploy.
fn history(name: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/journals");
    let path = folder.join(format!("v2-{name}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The world of that deploy as another process would open it, but that nobody answers there.
fn world(history: &[Recorded]) -> (Arc<World>, tempfile::TempDir) {
    let Event::RunStarted { spec, .. } = &history[0].event else {
        panic!("{:?}", history[0])
    };
    let spec: ClusterSpec = serde_json::from_value(spec.clone()).unwrap();
    let public = history.iter().find_map(|recorded| match &recorded.event {
        Event::StepStarted { step, input, .. } if *step == CopySshKey::ID => {
            Some(input["public_key"].as_str().unwrap().to_owned())
        }
        _ => None,
    });
    assert!(public.is_some(), "the cluster's key is not in the history");
    let (folder, key) = (tempfile::tempdir().unwrap(), KeyExpected::MayBeLost { public });
    let nobody = Box::new(Nothing(spec.provider));
    let world = World::with_provider(spec, history[0].run, folder.path(), nobody, &key).unwrap();
    (Arc::new(world), folder)
}

/// What a process that adopts the run finds before it acts.
fn look(history: &[Recorded]) -> (RunState, Preflight) {
    let (world, _folder) = world(history);
    adopted(&RunState::fold(history).unwrap(), history, world)
}

fn adopted(state: &RunState, history: &[Recorded], world: Arc<World>) -> (RunState, Preflight) {
    let mut state = state.clone();
    let adopted = Recorded {
        seq: state.seq.next(),
        epoch: state.epoch.next(),
        event: Event::RunAdopted {
            purpose: Purpose::Drive,
            pid: 1,
            host: "here".to_owned(),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        },
        ..history[0].clone()
    };
    state.apply(&adopted).unwrap();
    let found = preflight(state.clone(), world, Settings::default(), deploy);
    (state, found)
}

#[test]
fn todays_flow_finds_nothing_to_do_in_a_recorded_deploy() {
    for name in NAMES {
        let (state, found) = look(&history(name));
        assert_eq!(found.drifts, [], "{name}");
        assert_eq!(found.due, [], "{name}");
        let reached: BTreeSet<_> = found.reached.iter().collect();
        let all: BTreeSet<_> = state.steps.iter().map(|step| &step.entry.id).collect();
        assert_eq!(reached, all, "{name}");
        let today = crate::catalogue();
        assert!(
            state.steps.iter().map(|step| &step.entry).eq(&today),
            "{name}: the catalogue has changed"
        );
    }
}

/// As after a crash at any moment: what has succeeded is not begun again, and nothing is said not to fit.
#[test]
fn todays_flow_goes_on_from_every_event_of_a_recorded_deploy() {
    for name in NAMES {
        let history = history(name);
        let (world, _folder) = world(&history);
        let mut state = RunState::begin(&history[0]).unwrap();
        let mut done = BTreeSet::new();
        for recorded in &history[1..] {
            state.apply(recorded).unwrap();
            if let Some(outcome) = outcome(&recorded.event) {
                done.insert(outcome);
            }
            let (_, found) = adopted(&state, &history, world.clone());
            assert_eq!(found.drifts, [], "{name}, after {recorded:?}");
            let again: Vec<_> = found.due.iter().filter(|due| done.contains(due)).collect();
            assert!(again.is_empty(), "{name}, after {recorded:?}: {again:?}");
        }
        assert!(
            done.len() >= state.steps.len(),
            "{name}: only {} outcomes",
            done.len()
        );
    }
}

fn outcome(event: &Event) -> Option<(StepId, Option<ItemKey>)> {
    match event {
        Event::StepSucceeded { step, item, .. } => Some((step.clone(), item.clone())),
        Event::StepSkipped { step, .. } => Some((step.clone(), None)),
        _ => None,
    }
}

/// As where a later program's output has a field that the recorded one has not: that step is asked again, nothing else is.
#[test]
fn an_output_that_lacks_a_field_strands_no_recorded_deploy() {
    for name in NAMES {
        let mut history = history(name);
        for recorded in &mut history {
            if let Event::StepSucceeded { step, output, .. } = &mut recorded.event
                && *step == BuildMesos::ID
            {
                assert!(output.as_object_mut().unwrap().remove("digest").is_some());
            }
        }
        let (_, found) = look(&history);
        assert_eq!(found.drifts, [], "{name}");
        assert_eq!(found.due, [(BuildMesos::ID, None)], "{name}");
    }
}

/// What is not compared cannot be found: a spec of other swap, an item's input of another node.
#[test]
fn a_changed_input_of_a_recorded_deploy_is_found() {
    for name in NAMES {
        let mut history = history(name);
        let Event::RunStarted { spec, .. } = &mut history[0].event else {
            panic!("{:?}", history[0])
        };
        spec["swap_mb"] = json!(spec["swap_mb"].as_u64().unwrap() + 1);
        let (_, found) = look(&history);
        let drifted: Vec<_> = found.drifts.iter().map(|drift| &drift.step).collect();
        assert!(drifted.contains(&&SetupOptions::ID), "{name}: {drifted:?}");
        let counts = Some(Accepted::Counts);
        assert!(
            found.drifts.iter().all(|drift| drift.accepted == counts),
            "{name}"
        );
    }
}

#[test]
fn nothing_secret_is_in_a_recorded_deploy() {
    for name in NAMES {
        for recorded in history(name) {
            let text = serde_json::to_string(&recorded).unwrap();
            assert!(!text.contains("PRIVATE KEY"), "{name}: {text}");
            if let Event::StepStarted {
                input, input_digest, ..
            } = &recorded.event
            {
                assert!(input.is_object() && input_digest.len() == 64, "{name}: {text}");
                assert_ne!(*input, Value::Null);
            }
        }
    }
}
