//! A run of the toy flow, from its creation over deaths and replays to its end.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use mesosflow_workflow::{
    Adopter, ClusterId, Event, NewRun, Observer, Outcome, Purpose, Recorded, Replay, Run, RunError, RunId,
    RunState, Settings, SimulatedClock, Stop,
};
use serde_json::json;

use crate::spy::Spy;
use crate::toy::{Plan, catalogue, deploy};
use crate::world::World;

pub(crate) struct Rig {
    pub(crate) store: Spy,
    pub(crate) world: Arc<World>,
    pub(crate) clock: SimulatedClock,
    pub(crate) id: RunId,
    pub(crate) cluster: ClusterId,
    pub(crate) plan: Plan,
    pub(crate) settings: Settings,
    pub(crate) stop: Stop,
    seen: Arc<Mutex<Vec<Recorded>>>,
}

/// Who takes runs over.
const ADOPTER: Adopter = Adopter {
    purpose: Purpose::Drive,
    pid: 1,
    host: String::new(),
    seen: None,
    over: Vec::new(),
};

impl Rig {
    pub(crate) fn new() -> Self {
        Self::on(Spy::default())
    }

    pub(crate) fn on(store: Spy) -> Self {
        Self {
            world: World::new(store.clone()),
            store,
            clock: SimulatedClock::starting_at(Timestamp::UNIX_EPOCH),
            id: RunId::generate(),
            cluster: ClusterId::generate(),
            plan: Plan::default(),
            settings: Settings::default(),
            stop: Stop::default(),
            seen: Arc::default(),
        }
    }

    /// Keeps what it sees, and insists that it is durable.
    fn observer(&self) -> Observer {
        let (seen, store) = (self.seen.clone(), self.store.clone());
        Arc::new(move |recorded| {
            let durable = store.history(recorded.run);
            assert!(
                durable.contains(recorded),
                "{recorded:?} was shown before it was durable"
            );
            seen.lock().unwrap().push(recorded.clone());
        })
    }

    /// What the observer has seen, of all engines.
    pub(crate) fn seen(&self) -> Vec<Recorded> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) async fn create(&self) -> Result<Run, RunError> {
        let new = NewRun {
            workflow: "deploy".into(),
            cluster_id: self.cluster,
            cluster: self.plan.cluster.clone(),
            provider: "local".into(),
            spec: json!({"slaves": 5}),
            tool_version: "0.1.0".into(),
            catalogue: catalogue(),
            over: Vec::new(),
        };
        Run::create(
            Arc::new(self.store.clone()),
            Arc::new(self.clock),
            self.id,
            new,
            self.observer(),
        )
        .await
    }

    pub(crate) async fn adopt(&self) -> Result<Run, RunError> {
        Run::adopt(
            Arc::new(self.store.clone()),
            Arc::new(self.clock),
            self.id,
            ADOPTER,
            self.observer(),
        )
        .await
    }

    pub(crate) async fn rehearse(&self) -> Run {
        let rehearsal = Run::rehearse(Arc::new(self.clock), self.state(), ADOPTER);
        rehearsal.await.unwrap()
    }

    pub(crate) async fn drive(&self, run: &Run) -> Outcome {
        let plan = self.plan.clone();
        run.drive(self.world.clone(), self.settings, self.stop.clone(), |flow| {
            deploy(flow, plan.clone())
        })
        .await
    }

    /// Creates the run and drives it to an end.
    pub(crate) async fn run(&self) -> Outcome {
        self.drive(&self.create().await.unwrap()).await
    }

    /// Adopts the run with a new engine and drives it to an end.
    pub(crate) async fn resume(&self) -> Outcome {
        self.drive(&self.adopt().await.unwrap()).await
    }

    pub(crate) async fn replay(&self, replay: Replay) -> Outcome {
        let run = self.adopt().await.unwrap();
        run.replay(replay).await.unwrap();
        self.drive(&run).await
    }

    /// A run that has succeeded, with its acts forgotten.
    pub(crate) async fn that_succeeded() -> Self {
        let rig = Self::new();
        assert_succeeded(&rig.run().await);
        rig.world.take_deeds();
        rig
    }

    pub(crate) fn history(&self) -> Vec<Recorded> {
        self.store.history(self.id)
    }

    pub(crate) fn state(&self) -> RunState {
        RunState::fold(&self.history()).unwrap()
    }

    /// The history in words.
    pub(crate) fn story(&self) -> Vec<String> {
        self.history()
            .iter()
            .map(|recorded| tell(&recorded.event))
            .collect()
    }

    /// The history in words, from its `from`th event on.
    pub(crate) fn story_after(&self, from: usize) -> Vec<String> {
        self.story().split_off(from)
    }

    /// The places that were started since the history's `from`th event, sorted.
    pub(crate) fn started_after(&self, from: usize) -> Vec<String> {
        let mut places: Vec<_> = self.history()[from..]
            .iter()
            .filter(|recorded| matches!(recorded.event, Event::StepStarted { .. }))
            .map(|recorded| place_of(&recorded.event))
            .collect();
        places.sort();
        places
    }
}

pub(crate) fn from(step: &str) -> Replay {
    Replay {
        from: step.into(),
        to: None,
        only: false,
    }
}

pub(crate) fn place_of(event: &Event) -> String {
    match (event.step(), event.item()) {
        (Some(step), Some(item)) => format!("{step}/{item}"),
        (Some(step), None) => step.to_string(),
        _ => String::new(),
    }
}

pub(crate) fn tell(event: &Event) -> String {
    let place = place_of(event);
    match event {
        Event::StepStarted { attempt, .. } => format!("{place} #{attempt} started"),
        Event::StepSucceeded { attempt, how, .. } => format!("{place} #{attempt} succeeded ({how:?})"),
        Event::StepFailed {
            attempt,
            error,
            retry_in_ms,
            ..
        } => {
            let next = if retry_in_ms.is_some() { ", will retry" } else { "" };
            format!("{place} #{attempt} failed ({:?}{next})", error.class)
        }
        Event::StepSkipped { .. } => format!("{place} skipped"),
        Event::StepStale { .. } => format!("{place} stale"),
        Event::EffectSettled { settled, .. } => format!("{place} settled ({settled:?})"),
        Event::ResourceCreated { .. } => format!("{place} created"),
        other => other.kind().to_owned(),
    }
}

#[track_caller]
pub(crate) fn assert_succeeded(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Succeeded), "{outcome:?}");
}

/// The run ended with these steps open.
#[track_caller]
pub(crate) fn assert_partial(outcome: &Outcome, steps: &[&str]) {
    match outcome {
        Outcome::Partial { open } => {
            let open: Vec<_> = open.iter().map(|step| step.as_str()).collect();
            assert_eq!(open, steps);
        }
        other => panic!("{other:?}"),
    }
}
