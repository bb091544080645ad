//! Histories that are written down as one would tell them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mesosflow_workflow::state::IllegalTransition;
use mesosflow_workflow::{
    Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, ErrorClass, ErrorReport, Event,
    Generation, How, ItemKey, Nonce, Purpose, Recorded, Resource, RunId, RunState, Seq, Settled, StepId,
};
use serde_json::{Value, json};

/// A history in the making. A place is a step (`"b"`) or an item of one (`"b/n1"`); attempts count by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) events: Vec<Recorded>,
    run: RunId,
    epoch: Epoch,
    generation: Generation,
    attempts: BTreeMap<(Generation, String), u32>,
}

/// The beginning of a run over these steps.
pub(crate) fn a_run_of(steps: &[&str]) -> Story {
    let catalogue = steps
        .iter()
        .map(|id| CatalogueEntry::new(StepId::from(*id), "-", id))
        .collect();
    let story = Story {
        events: Vec::new(),
        run: RunId::generate(),
        epoch: Epoch::FIRST,
        generation: Generation::FIRST,
        attempts: BTreeMap::new(),
    };
    story.then(Event::RunStarted {
        workflow: "deploy".into(),
        cluster_id: Some(ClusterId::generate()),
        nonce: Some(Nonce::generate()),
        over: Vec::new(),
        cluster: "demo".into(),
        provider: "local".into(),
        spec: json!({"slaves": 2}),
        tool_version: "0.1.0".into(),
        catalogue,
    })
}

pub(crate) fn place(place: &str) -> (StepId, Option<ItemKey>) {
    match place.split_once('/') {
        Some((step, item)) => (step.into(), Some(item.into())),
        None => (place.into(), None),
    }
}

pub(crate) fn trouble(class: ErrorClass) -> ErrorReport {
    ErrorReport::new(class, "it broke")
}

pub(crate) fn output_of(place: &str) -> Value {
    json!(format!("output of {place}"))
}

impl Story {
    /// One more event, with whatever number, epoch and generation come next.
    pub(crate) fn then(mut self, event: Event) -> Self {
        let seq = Seq(self.events.len() as u64 + 1);
        self.events.push(Recorded {
            run: self.run,
            seq,
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seq.0.cast_signed()),
            epoch: self.epoch,
            generation: self.generation,
            format: EVENT_FORMAT,
            event,
        });
        self
    }

    /// The last event, falsified.
    pub(crate) fn but(mut self, falsify: impl FnOnce(&mut Recorded)) -> Self {
        falsify(self.events.last_mut().unwrap());
        self
    }

    pub(crate) fn adopted(mut self) -> Self {
        self.epoch = self.epoch.next();
        self.then(Event::RunAdopted {
            purpose: Purpose::Drive,
            pid: 1,
            host: "host".into(),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        })
    }

    pub(crate) fn adopted_to_be_destroyed(mut self) -> Self {
        self.epoch = self.epoch.next();
        self.then(Event::RunAdopted {
            purpose: Purpose::Destroy,
            pid: 1,
            host: "host".into(),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        })
    }

    fn last_attempt(&mut self, at: &str) -> &mut u32 {
        self.attempts.entry((self.generation, at.to_owned())).or_default()
    }

    pub(crate) fn starts(mut self, at: &str) -> Self {
        *self.last_attempt(at) += 1;
        let attempt = *self.last_attempt(at);
        let (step, item) = place(at);
        // The right one where the history so far is one.
        let effect_key = RunState::fold(&self.events).map_or_else(
            |_| EffectKey::derive(self.run, self.generation, &step, item.as_ref(), 0),
            |state| state.next_try(&step, item.as_ref()).1,
        );
        self.then(Event::StepStarted {
            step,
            item,
            attempt: Attempt(attempt),
            input: json!({"of": at}),
            input_digest: format!("digest of {at}"),
            effect_key,
        })
    }

    /// A fan-out starts with these items.
    pub(crate) fn starts_over(self, at: &str, items: &[&str]) -> Self {
        self.starts(at).but(|recorded| {
            if let Event::StepStarted { input, .. } = &mut recorded.event {
                *input = json!({"items": items});
            }
        })
    }

    pub(crate) fn goes_stale(self, at: &str) -> Self {
        let (step, item) = place(at);
        self.then(Event::StepStale {
            left: false,
            step,
            item,
            reason: "it is gone".into(),
        })
    }

    pub(crate) fn gives(self, at: &str, given: &str) -> Self {
        self.succeeds(at).but(|recorded| {
            if let Event::StepSucceeded { output, .. } = &mut recorded.event {
                *output = json!(given);
            }
        })
    }

    pub(crate) fn settles(self, at: &str, effect_key: EffectKey) -> Self {
        let (step, item) = place(at);
        self.then(Event::EffectSettled {
            step,
            item,
            effect_key,
            settled: Settled::Ended,
        })
    }

    pub(crate) fn ends_with_open(self, steps: &[&str]) -> Self {
        let open = steps.iter().map(|step| StepId::from(*step)).collect();
        self.then(Event::RunPartial { open })
    }

    /// Starts as another attempt than the one whose turn it is.
    pub(crate) fn starts_as(mut self, at: &str, attempt: u32) -> Self {
        *self.last_attempt(at) = attempt - 1;
        self.starts(at)
    }

    pub(crate) fn succeeds(mut self, at: &str) -> Self {
        let attempt = Attempt(*self.last_attempt(at));
        let (step, item) = place(at);
        self.then(Event::StepSucceeded {
            step,
            item,
            attempt,
            output: output_of(at),
            how: How::Applied,
        })
    }

    pub(crate) fn fails(self, at: &str) -> Self {
        self.fails_as(at, ErrorClass::Permanent, None)
    }

    pub(crate) fn fails_and_will_retry(self, at: &str) -> Self {
        self.fails_as(at, ErrorClass::Transient, Some(100))
    }

    pub(crate) fn fails_as(mut self, at: &str, class: ErrorClass, retry_in_ms: Option<u64>) -> Self {
        let attempt = Attempt(*self.last_attempt(at));
        let (step, item) = place(at);
        self.then(Event::StepFailed {
            step,
            item,
            attempt,
            error: trouble(class),
            retry_in_ms,
        })
    }

    /// Starts and succeeds, one after the other.
    pub(crate) fn runs(mut self, places: &[&str]) -> Self {
        for at in places {
            self = self.starts(at).succeeds(at);
        }
        self
    }

    pub(crate) fn skips(self, step: &str) -> Self {
        self.then(Event::StepSkipped {
            step: step.into(),
            reason: "not needed".into(),
        })
    }

    pub(crate) fn creates(self, at: &str, id: &str) -> Self {
        let (step, item) = place(at);
        self.then(Event::ResourceCreated {
            step,
            item,
            resource: instance(id),
        })
    }

    pub(crate) fn deletes(self, id: &str) -> Self {
        self.then(Event::ResourceDeleted {
            resource: instance(id),
        })
    }

    pub(crate) fn replays(mut self, from: &str, to: Option<&str>, only: bool) -> Self {
        self.generation = self.generation.next();
        self.then(Event::ReplayRequested {
            from: from.into(),
            to: to.map(Into::into),
            only,
            spec: None,
            inherited: Vec::new(),
        })
    }

    pub(crate) fn interrupted(self) -> Self {
        self.then(Event::RunInterrupted {
            reason: trouble(ErrorClass::Operator),
        })
    }

    pub(crate) fn ends_badly(self) -> Self {
        self.then(Event::RunFailed {
            step: None,
            error: trouble(ErrorClass::Permanent),
        })
    }

    pub(crate) fn ends_well(self) -> Self {
        self.then(Event::RunSucceeded)
    }

    pub(crate) fn fold(&self) -> Result<RunState, IllegalTransition> {
        RunState::fold(&self.events)
    }
}

pub(crate) fn instance(id: &str) -> Resource {
    Resource {
        kind: "instance".into(),
        id: id.into(),
        name: format!("the {id}"),
    }
}
