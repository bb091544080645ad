//! A run as a process holds it: created or adopted, driven to an end, replayed, taken down.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;

use crate::catalogue::{CatalogueChange, CatalogueEntry};
use crate::clock::Clock;
use crate::error::{ErrorClass, ErrorReport};
use crate::event::{EVENT_FORMAT, Event, OLDEST_DRIVEN, Purpose, Recorded, Resource};
use crate::flow::{Flow, Hand, Settings};
use crate::halt::{Drift, Halt};
use crate::heritage::Heritage;
use crate::ids::{ClusterId, Driver, Epoch, FencingToken, Generation, Nonce, RunId, Seq, StepId};
use crate::preflight::preflight;
use crate::record::{Observer, RecordError, Recorder};
use crate::replay::Replay;
use crate::state::{IllegalTransition, RunState};
use crate::stop::Stop;
use crate::store::{Lease, Store, StoreError};

/// What a new run is made of.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The workflow that it is a run of.
    pub workflow: String,
    /// The cluster's name.
    pub cluster: String,
    /// The cluster: a new id, or that of one which exists.
    pub cluster_id: ClusterId,
    /// The provider's name.
    pub provider: String,
    /// The spec, frozen here.
    pub spec: Value,
    /// The version of the program.
    pub tool_version: String,
    /// The steps in the order that replay follows.
    pub catalogue: Vec<CatalogueEntry>,
    /// Drivers that no history of the cluster has, and who are passed over on purpose.
    pub over: Vec<Driver>,
}

/// Who takes a run over.
#[derive(Debug, Clone)]
pub struct Adopter {
    /// What for.
    pub purpose: Purpose,
    /// The process.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// The last event that it has seen, where it decided upon that; another one since is refused.
    pub seen: Option<Seq>,
    /// Drivers whom nodes obey, and whom this history does not have: passed over on purpose, as with a restored older journal.
    pub over: Vec<Driver>,
}

impl Adopter {
    /// What the history says of it, under a nonce of its own.
    pub(crate) fn adopts(self, nonce: Nonce) -> Event {
        let Self {
            purpose,
            pid,
            host,
            over,
            ..
        } = self;
        Event::RunAdopted {
            purpose,
            pid,
            host,
            nonce: Some(nonce),
            over,
        }
    }
}

/// A run cannot be created or taken over.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The history cannot be folded.
    #[error("the history of the run cannot be read")]
    History(#[from] IllegalTransition),
    /// Something happened to the run between the look by which its adopter decided and the adoption.
    #[error("run `{run}` went on since it was looked at")]
    Changed {
        /// The run.
        run: RunId,
    },
    /// The run began in a format that is shown and destroyed only.
    #[error(
        "run `{run}` was begun by mesosflow {tool_version}, in event format {format}, and cannot be driven on"
    )]
    OldFormat {
        /// The run.
        run: RunId,
        /// The program that began it.
        tool_version: String,
        /// Its format.
        format: u16,
    },
    /// An event was refused.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// How driving a run ended. Each but `Lost` is in the journal.
#[derive(Debug)]
pub enum Outcome {
    /// Every step of the catalogue has a valid outcome.
    Succeeded,
    /// A replay came to its end, and other steps have no valid outcome.
    Partial {
        /// Those, in catalogue order.
        open: Vec<StepId>,
    },
    /// It cannot go on by itself.
    Failed {
        /// The step that failed.
        step: StepId,
        /// Why.
        error: ErrorReport,
    },
    /// It stopped in good order and can be resumed.
    Interrupted {
        /// Why, and what to do.
        reason: ErrorReport,
    },
    /// A node refused it: another driver has taken the cluster over, and the history of that is in another journal.
    Fenced {
        /// What the node said, and what to do.
        reason: ErrorReport,
    },
    /// It stopped before doing anything, since the history does not fit this program.
    Drifted(
        /// The first such step.
        Drift,
    ),
    /// The journal failed in the middle: what happened last may be missing from it.
    Lost(RecordError),
}

/// A run that this process holds and has not begun to drive: nothing of that is in its history yet. Dropped, it is as if
/// nobody had taken it, but for the epoch.
pub struct Taken {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    state: RunState,
    /// The last event that the newest snapshot has.
    kept: Seq,
    nonce: Nonce,
}

impl Taken {
    /// Leases a run, under a new epoch above `above` too. Refused where anything has happened to it after event `seen`.
    ///
    /// # Errors
    /// A living process holds it, it went on meanwhile, or the store fails.
    pub async fn take(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        run: RunId,
        seen: Option<Seq>,
        above: Epoch,
    ) -> Result<Self, RunError> {
        let lease = store.adopt(run, above).await?;
        let (state, kept) = load_from(&*store, run).await?;
        if seen.is_some_and(|seen| seen != state.seq) {
            return Err(RunError::Changed { run });
        }
        let nonce = Nonce::generate();
        Ok(Self {
            store,
            clock,
            lease,
            state,
            kept,
            nonce,
        })
    }

    /// What every act of this process on the cluster's nodes has to carry.
    pub const fn token(&self) -> FencingToken {
        token(&self.lease, self.nonce)
    }

    /// The state that it was found in.
    pub const fn state(&self) -> &RunState {
        &self.state
    }

    /// Begins to drive it: from here on the history says so.
    ///
    /// # Errors
    /// It was destroyed, it is of an older format, or the store fails.
    pub async fn begin(self, adopter: Adopter, observer: Observer) -> Result<Run, RunError> {
        let Self {
            store,
            clock,
            lease,
            state,
            kept,
            nonce,
        } = self;
        if adopter.purpose == Purpose::Drive && state.format < OLDEST_DRIVEN {
            let (run, tool_version, format) = (state.run, state.tool_version, state.format);
            return Err(RunError::OldFormat {
                run,
                tool_version,
                format,
            });
        }
        let recorder = Recorder::new(Some(store), lease, clock.clone(), state, kept, observer);
        recorder.record(adopter.adopts(nonce)).await?;
        Ok(Run {
            recorder,
            clock,
            nonce,
        })
    }
}

const fn token(lease: &Lease, nonce: Nonce) -> FencingToken {
    FencingToken {
        cluster: lease.cluster(),
        epoch: lease.epoch(),
        nonce,
    }
}

/// A run under this process's lease.
pub struct Run {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) nonce: Nonce,
}

/// How many events are read at a time.
const PAGE: usize = 4096;

/// The state of a run by its history: from the newest snapshot on, where there is one that this program understands.
///
/// # Errors
/// The store fails, or the history does not fold.
pub async fn load(store: &dyn Store, run: RunId) -> Result<RunState, RunError> {
    Ok(load_from(store, run).await?.0)
}

/// The same, and the event that the snapshot had, from which it was folded on.
async fn load_from(store: &dyn Store, run: RunId) -> Result<(RunState, Seq), RunError> {
    let kept = store.snapshot(run).await?;
    let mut state = kept.and_then(|snapshot| RunState::from_snapshot(run, &snapshot));
    let from = state.as_ref().map_or(Seq(0), |state| state.seq);
    loop {
        let after = state.as_ref().map_or(Seq(0), |state| state.seq);
        let page = store.read(run, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        for recorded in &page {
            match &mut state {
                Some(state) => state.apply(recorded)?,
                None => state = Some(RunState::begin(recorded)?),
            }
        }
        if is_last {
            let state = state.ok_or(RunError::Store(StoreError::UnknownRun { run }))?;
            return Ok((state, from));
        }
    }
}

impl Run {
    /// Creates a run and leases it.
    ///
    /// # Errors
    /// Another run owns the cluster's name, or the store fails.
    pub async fn create(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        run: RunId,
        new: NewRun,
        observer: Observer,
    ) -> Result<Self, RunError> {
        let NewRun {
            workflow,
            cluster,
            cluster_id,
            provider,
            spec,
            tool_version,
            catalogue,
            over,
        } = new;
        let nonce = Nonce::generate();
        let mut first = Recorded {
            run,
            seq: Seq::FIRST,
            at: clock.now(),
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event: Event::RunStarted {
                workflow,
                cluster,
                cluster_id: Some(cluster_id),
                provider,
                spec,
                tool_version,
                catalogue,
                nonce: Some(nonce),
                over,
            },
        };
        let lease = store.create(Arc::new(first.clone())).await?;
        first.epoch = lease.epoch();
        let state = RunState::begin(&first)?;
        observer(&first);
        let recorder = Recorder::new(Some(store), lease, clock.clone(), state, Seq(0), observer);
        Ok(Self {
            recorder,
            clock,
            nonce,
        })
    }

    /// Takes a run over, under a new epoch.
    ///
    /// # Errors
    /// A living process holds it, it was destroyed, or the store fails.
    pub async fn adopt(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        run: RunId,
        adopter: Adopter,
        observer: Observer,
    ) -> Result<Self, RunError> {
        let seen = adopter.seen;
        let above = adopter.over.iter().map(|driver| driver.epoch).max();
        let taken = Taken::take(store, clock, run, seen, above.unwrap_or(Epoch(0))).await?;
        taken.begin(adopter, observer).await
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.recorder.lease().run()
    }

    /// What every act of this process on the cluster's nodes has to carry.
    pub fn token(&self) -> FencingToken {
        token(self.recorder.lease(), self.nonce)
    }

    /// The state now.
    pub fn state(&self) -> RunState {
        self.recorder.state()
    }

    /// Holds the recorded catalogue against this program's, and records what has changed; none where nothing has.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn reconcile(
        &self,
        tool_version: &str,
        catalogue: &[CatalogueEntry],
    ) -> Result<Option<CatalogueChange>, RecordError> {
        let recorded: Vec<_> = self
            .recorder
            .inspect(|state| state.steps.iter().map(|step| step.entry.clone()).collect());
        let Some(change) = CatalogueChange::between(&recorded, catalogue) else {
            return Ok(None);
        };
        let CatalogueChange {
            added,
            dropped,
            renamed,
        } = change.clone();
        let event = Event::CatalogueChanged {
            tool_version: tool_version.to_owned(),
            catalogue: catalogue.to_vec(),
            added,
            dropped,
            renamed,
        };
        self.recorder.record(event).await?;
        Ok(Some(change))
    }

    /// Begins the next generation, of a run whose cluster no other run has changed.
    ///
    /// # Errors
    /// The replay names unknown steps, ends before it begins, or begins after a step without an outcome.
    pub async fn replay(&self, replay: Replay) -> Result<(), RecordError> {
        self.replay_on(replay, Heritage::default()).await
    }

    /// Begins the next generation, on the cluster as other runs have left it.
    ///
    /// # Errors
    /// As [`Run::replay`], or the heritage names a step that the run does not have.
    pub async fn replay_on(&self, replay: Replay, heritage: Heritage) -> Result<(), RecordError> {
        let Replay { from, to, only } = replay;
        let Heritage { spec, inherited } = heritage;
        self.recorder
            .record(Event::ReplayRequested {
                from,
                to,
                only,
                spec,
                inherited,
            })
            .await
    }

    /// Records that a resource is gone.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn deleted(&self, resource: Resource) -> Result<(), RecordError> {
        self.recorder.record(Event::ResourceDeleted { resource }).await
    }

    /// Ends the run where it stands; the steps that have no valid outcome.
    ///
    /// # Errors
    /// It has ended, or the journal failed.
    pub async fn close(&self) -> Result<Vec<StepId>, RecordError> {
        let open = |state: &RunState| state.open().map(|step| step.entry.id.clone()).collect();
        let open: Vec<_> = self.recorder.inspect(open);
        self.recorder
            .record(Event::RunClosed { open: open.clone() })
            .await?;
        Ok(open)
    }

    /// Gives the cluster's name back: everything the run created is gone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn retire(&self) -> Result<(), StoreError> {
        match self.recorder.store() {
            Some(store) => store.retire(self.recorder.lease()).await,
            None => Ok(()),
        }
    }

    /// Ends the run for now, before it could begin to work: it can be resumed.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn interrupt(&self, reason: ErrorReport) -> Result<(), RecordError> {
        self.recorder.record(Event::RunInterrupted { reason }).await
    }

    /// Ends the run for now, since a stop was requested before it could begin to work.
    pub async fn stopped(&self) -> Outcome {
        let reason = stop_requested();
        match self.interrupt(reason.clone()).await {
            Ok(()) => Outcome::Interrupted { reason },
            Err(lost) => Outcome::Lost(lost),
        }
    }

    /// Ends the run for now, since this program cannot read its spec: another version wrote it.
    pub async fn unreadable(&self, error: &dyn std::error::Error) -> Outcome {
        let reason = ErrorReport {
            causes: vec![error.to_string()],
            ..ErrorReport::new(
                ErrorClass::Operator,
                "this version of the program cannot read the run's spec",
            )
        };
        match self.interrupt(reason.clone()).await {
            Ok(()) => Outcome::Interrupted { reason },
            Err(lost) => Outcome::Lost(lost),
        }
    }

    /// Drives the run through `body` to an end, and records that end. Before anything acts, all of `body` is held against the
    /// history; in a rehearsal that is all.
    pub async fn drive<W, F, Fut, T>(&self, world: Arc<W>, settings: Settings, stop: Stop, body: F) -> Outcome
    where
        W: Send + Sync + 'static,
        F: Fn(Flow<W>) -> Fut,
        Fut: Future<Output = Result<T, Halt>>,
    {
        let looked = preflight(self.state(), world.clone(), settings, &body);
        let halt = match looked.drifts.into_iter().next() {
            Some(drift) => Some(Halt::Drift(drift)),
            None if self.is_rehearsal() => return Outcome::Succeeded,
            None => {
                let hand = Hand::Acts(self.recorder.clone());
                let flow = Flow::new(world, hand, self.clock.clone(), stop, settings);
                let result = tokio::select! {
                    result = body(flow) => result,
                    never = self.recorder.flush_stragglers() => match never {},
                };
                result.err()
            }
        };
        let (event, outcome) = match halt {
            Some(Halt::Record(lost)) => return Outcome::Lost(lost),
            halt => self.recorder.inspect(|state| conclude(state, halt)),
        };
        match self.recorder.record(event).await {
            Ok(()) => outcome,
            Err(lost) => Outcome::Lost(lost),
        }
    }
}

/// Why a run ends that was asked to stop.
fn stop_requested() -> ErrorReport {
    ErrorReport::new(ErrorClass::Operator, "a stop was requested")
}

/// The event that ends a run, and what its caller is told. A lost journal gets no event.
fn conclude(state: &RunState, halt: Option<Halt>) -> (Event, Outcome) {
    let interrupted = |reason: ErrorReport| {
        (
            Event::RunInterrupted {
                reason: reason.clone(),
            },
            reason,
        )
    };
    match halt {
        None | Some(Halt::EndOfReplay | Halt::Record(_)) => {
            let open: Vec<_> = state.open().map(|step| step.entry.id.clone()).collect();
            let is_left = state.open().all(|step| step.progress.left);
            if open.is_empty() || !is_left && (state.replay.is_none() || state.lifted) {
                // Where steps are left that nothing had put off, the event is refused: a defect of the program.
                return (Event::RunSucceeded, Outcome::Succeeded);
            }
            (
                Event::RunPartial { open: open.clone() },
                Outcome::Partial { open },
            )
        }
        Some(Halt::Failed { step, error }) if error.class == ErrorClass::Fenced => {
            let message = format!("step `{step}`: {}", error.message);
            let (event, reason) = interrupted(ErrorReport { message, ..error });
            (event, Outcome::Fenced { reason })
        }
        Some(Halt::Failed { step, error }) if error.class == ErrorClass::Operator => {
            let message = format!("step `{step}` needs a person: {}", error.message);
            let (event, reason) = interrupted(ErrorReport { message, ..error });
            (event, Outcome::Interrupted { reason })
        }
        Some(Halt::Failed { step, error }) => (
            Event::RunFailed {
                step: Some(step.clone()),
                error: error.clone(),
            },
            Outcome::Failed { step, error },
        ),
        Some(Halt::Stopped) => {
            let (event, reason) = interrupted(stop_requested());
            (event, Outcome::Interrupted { reason })
        }
        Some(Halt::Drift(drift)) => {
            let message = format!("step `{}` has drifted: {}", drift.step, drift.why);
            let (event, _) = interrupted(ErrorReport::new(ErrorClass::Operator, message));
            (event, Outcome::Drifted(drift))
        }
    }
}
