//! The toy world: it remembers every effect and every act, and misbehaves on demand.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesosflow_workflow::{
    Effect, ErrorClass, Event, Generation, Probe, RecordError, Resource, StepCx, StepError, StepId,
};
use serde::{Deserialize, Serialize};

use crate::spy::Spy;

/// What an act of a step was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Probe,
    Apply,
    Verify,
}

/// One act on the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) act: Act,
    /// A step (`format`) or an item of one (`launch/n1`).
    pub(crate) place: String,
    pub(crate) attempt: u32,
    pub(crate) generation: Generation,
    pub(crate) effect_key: String,
    pub(crate) named_by_replay: bool,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} #{}", self.act, self.place, self.attempt)
    }
}

/// How the next `apply` at a place goes, instead of well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Twist {
    /// It fails before its effect.
    Fails(ErrorClass),
    /// It fails after its effect.
    FailsLate(ErrorClass),
    /// It never ends, and has no effect.
    Hangs,
    /// It has its effect and never ends.
    HangsLate,
    /// All goes well, but looking at the result fails.
    FailsVerification(ErrorClass),
}

/// What a toy step gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) id: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{place} broke")]
pub(crate) struct Trouble {
    place: String,
    class: ErrorClass,
    source: Option<RecordError>,
}

impl StepError for Trouble {
    fn class(&self) -> ErrorClass {
        self.class
    }

    fn hint(&self) -> Option<String> {
        (self.class == ErrorClass::Operator).then(|| format!("mend {}", self.place))
    }
}

type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Inner {
    /// Effect keys, in the order in which their effects happened.
    effects: Vec<String>,
    deeds: Vec<Deed>,
    /// Effect keys that were settled, each with the number of effects that had happened by then.
    settled: Vec<(String, usize)>,
    twists: BTreeMap<String, VecDeque<Twist>>,
    hooks: BTreeMap<String, Hook>,
    verification_fails: BTreeMap<String, ErrorClass>,
    durations: BTreeMap<String, Duration>,
    running: usize,
    most_running: usize,
    ids_are_new: bool,
    lost_is_replaced: bool,
}

pub(crate) struct World {
    inner: Mutex<Inner>,
    store: Spy,
}

/// Counts an apply that runs, also when it is dropped in the middle.
struct Running<'a>(&'a World);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl World {
    pub(crate) fn new(store: Spy) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            store,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next applies at `place` go like this, then all is well.
    pub(crate) fn twist(&self, place: &str, twists: impl IntoIterator<Item = Twist>) {
        self.lock()
            .twists
            .entry(place.to_owned())
            .or_default()
            .extend(twists);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn mend(&self) {
        self.lock().twists.clear();
    }

    /// Does something as the next apply at `place` begins.
    pub(crate) fn when_applied(&self, place: &str, hook: impl FnOnce() + Send + 'static) {
        self.lock().hooks.insert(place.to_owned(), Box::new(hook));
    }

    /// How long an apply at `place` takes: half of it before the effect, half after. Two seconds unless told.
    pub(crate) fn takes(&self, place: &str, duration: Duration) {
        self.lock().durations.insert(place.to_owned(), duration);
    }

    /// What the steps give differs from one generation to the next from now on.
    pub(crate) fn makes_new_ids(&self) {
        self.lock().ids_are_new = true;
    }

    /// What is made in place of something that is lost is something else from now on.
    pub(crate) fn replaces_what_is_lost(&self) {
        self.lock().lost_is_replaced = true;
    }

    pub(crate) fn deeds(&self) -> Vec<Deed> {
        self.lock().deeds.clone()
    }

    /// Everything done since the last call.
    pub(crate) fn take_deeds(&self) -> Vec<Deed> {
        std::mem::take(&mut self.lock().deeds)
    }

    /// The places of the applies among all deeds, sorted.
    pub(crate) fn applied(&self) -> Vec<String> {
        let deeds = self.deeds();
        let mut places: Vec<_> = deeds
            .into_iter()
            .filter(|deed| deed.act == Act::Apply)
            .map(|deed| deed.place)
            .collect();
        places.sort();
        places
    }

    pub(crate) fn settle(&self, effect: &Effect) {
        let mut inner = self.lock();
        let happened = inner.effects.len();
        inner.settled.push((effect.key.to_string(), happened));
    }

    /// Effect keys that were settled, each with the number of effects that had happened by then.
    pub(crate) fn settled(&self) -> Vec<(String, usize)> {
        self.lock().settled.clone()
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        self.lock().effects.clone()
    }

    pub(crate) fn most_running(&self) -> usize {
        self.lock().most_running
    }

    fn note(&self, act: Act, cx: &StepCx<Self>, step: &StepId, item: Option<&str>) -> String {
        let place = item.map_or_else(|| step.to_string(), |item| format!("{step}/{item}"));
        self.lock().deeds.push(Deed {
            act,
            place: place.clone(),
            attempt: cx.attempt().0,
            generation: cx.generation(),
            effect_key: cx.effect_key().to_string(),
            named_by_replay: cx.named_by_replay(),
        });
        place
    }

    fn made(&self, place: &str, cx: &StepCx<Self>) -> Made {
        let generation = if self.lock().ids_are_new {
            cx.generation().0
        } else {
            1
        };
        let again = match cx.round() {
            round if round > 0 && self.lock().lost_is_replaced => format!(".{round}"),
            _ => String::new(),
        };
        Made {
            id: format!("{place}@{generation}{again}"),
        }
    }

    pub(crate) async fn probe(
        &self,
        cx: &StepCx<Self>,
        step: &StepId,
        item: Option<&str>,
    ) -> Result<Probe<Made>, Trouble> {
        let place = self.note(Act::Probe, cx, step, item);
        if !self
            .lock()
            .effects
            .iter()
            .any(|key| key == cx.effect_key().as_str())
        {
            return Ok(Probe::NotDone);
        }
        self.record_resource(&place, cx).await?;
        Ok(Probe::Done(self.made(&place, cx)))
    }

    pub(crate) async fn apply(
        &self,
        cx: &StepCx<Self>,
        step: &StepId,
        item: Option<&str>,
    ) -> Result<Made, Trouble> {
        let place = self.note(Act::Apply, cx, step, item);
        self.assert_that_its_start_is_durable(cx, &place);
        let (twist, hook, duration) = {
            let mut inner = self.lock();
            inner.running += 1;
            inner.most_running = inner.most_running.max(inner.running);
            (
                inner.twists.get_mut(&place).and_then(VecDeque::pop_front),
                inner.hooks.remove(&place),
                inner
                    .durations
                    .get(&place)
                    .copied()
                    .unwrap_or(Duration::from_secs(2)),
            )
        };
        let _running = Running(self);
        if let Some(hook) = hook {
            hook();
        }
        tokio::time::sleep(duration / 2).await;
        match twist {
            Some(Twist::Fails(class)) => {
                return Err(Trouble {
                    place,
                    class,
                    source: None,
                });
            }
            Some(Twist::Hangs) => std::future::pending().await,
            Some(Twist::FailsVerification(class)) => {
                self.lock().verification_fails.insert(place.clone(), class);
            }
            _ => {}
        }
        self.lock().effects.push(cx.effect_key().to_string());
        match twist {
            Some(Twist::FailsLate(class)) => {
                return Err(Trouble {
                    place,
                    class,
                    source: None,
                });
            }
            Some(Twist::HangsLate) => std::future::pending().await,
            _ => {}
        }
        self.record_resource(&place, cx).await?;
        tokio::time::sleep(duration / 2).await;
        Ok(self.made(&place, cx))
    }

    pub(crate) fn verify(
        &self,
        cx: &StepCx<Self>,
        step: &StepId,
        item: Option<&str>,
        made: &Made,
    ) -> Result<(), Trouble> {
        let place = self.note(Act::Verify, cx, step, item);
        assert_eq!(made, &self.made(&place, cx), "not the output of its own apply");
        match self.lock().verification_fails.remove(&place) {
            Some(class) => Err(Trouble {
                place,
                class,
                source: None,
            }),
            None => Ok(()),
        }
    }

    /// Instances are what somebody pays for.
    async fn record_resource(&self, place: &str, cx: &StepCx<Self>) -> Result<(), Trouble> {
        if !place.starts_with("launch/") {
            return Ok(());
        }
        let resource = Resource {
            kind: "instance".into(),
            id: cx.effect_key().to_string(),
            name: place.to_owned(),
        };
        cx.created(resource).await.map_err(|lost| Trouble {
            place: place.to_owned(),
            class: lost.class(),
            source: Some(lost),
        })
    }

    fn assert_that_its_start_is_durable(&self, cx: &StepCx<Self>, place: &str) {
        let history = self.store.history(cx.run());
        let started = history.iter().any(|recorded| match &recorded.event {
            Event::StepStarted {
                attempt, effect_key, ..
            } => (*attempt, effect_key) == (cx.attempt(), cx.effect_key()),
            _ => false,
        });
        assert!(started, "{place} is applied before the journal knows of it");
    }
}
