//! `destroy` of a run that is damaged in the journal: by what can still be read of it, and by the tags on what it made.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use mesosflow_workflow::{
    Driver, EVENT_FORMAT, Epoch, Event, FencingToken, Generation, Lease, Nonce, Purpose, Recorded, Resource,
    RunRow, RunState, Salvaged, Seq, StoreError,
};

use super::args::DownArgs;
use super::left::{Left, left, loss};
use super::spec::spec;
use super::told::{Done, not_begun, tell};
use crate::amend;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::Found;
use crate::session;
use crate::wiring::{self, Journal, Ledger, Verified};

/// Takes a damaged run down. What becomes of it is written behind its history, which is read on by nobody but this.
pub(crate) async fn damaged(
    app: &App,
    journal: &Journal,
    row: RunRow,
    args: &DownArgs,
    has_agreed: bool,
) -> Result<(), CliError> {
    let run = row.run;
    let salvaged = journal.salvage(run).await?;
    let state = what_is_left(&row, &salvaged)?;
    let held = journal.is_held(run).await?;
    let record = wiring::Record::of(state.clone(), Vec::new());
    let mut found = Found {
        row,
        held,
        state,
        record,
    };
    if held {
        // The lock itself knows its holder. If that has just gone, the lease is dropped again at once.
        drop(journal.adopt_damaged(run, Epoch(0)).await?);
    }
    let command = args.command(app, run);
    let losses = match left(app, &found).await? {
        Left::Nothing(asked) => return tell(app, &found, &asked),
        Left::Something(losses) => losses,
    };
    let mut lost = vec![damage(&found, &salvaged), loss(&losses)];
    let is_agreed = args.yes || has_agreed;
    if !is_agreed {
        lost.extend(lost_data(app, &found).await?);
    }
    app.ui.confirm(&lost, &command, is_agreed)?;
    // What cannot be deleted is not recorded as destroyed.
    let folder = app.cluster_dir(&found.cluster());
    let spec = amend::amended(app, spec(app, &found, &folder)?, &args.amend)?;
    let spec = wiring::verify(spec).await?;
    if args.take_over {
        let strangers = wiring::strangers(&spec, &found.state, &folder).await?;
        found.state.drivers.extend(strangers);
    }
    let again = |error: CliError| error.hint(format!("to try again: {command}"));
    let stop = session::heard(app)?;
    let lease = journal.adopt_damaged(run, found.state.epoch).await?;
    let mut history = Behind::new(journal, &lease, &found);
    history.adopted().await?;
    let mut gone = Vec::new();
    let deleting = take_down(
        app,
        &found,
        (spec, &folder, args),
        &lease,
        history.nonce,
        &mut gone,
    );
    let deleted = session::unless_stopped(&stop, deleting).await;
    history.deleted(gone).await?;
    let interrupted = || {
        CliError::new(
            Exit::Interrupted,
            format!("the destroy of run `{run}` was interrupted"),
        )
    };
    let deleted = deleted.unwrap_or_else(|| Err(interrupted())).map_err(again)?;
    journal.retire(&lease).await?;
    tell(app, &found, &deleted)
}

/// What is said before somebody is asked.
fn damage(found: &Found, salvaged: &Salvaged) -> String {
    let run = found.row.run;
    match &salvaged.damage {
        Some(what) => format!(
            "the history of run `{run}` is damaged ({what}): {} of its events can be read; what else it made is found by its tags",
            salvaged.events.len() + salvaged.later.len()
        ),
        None => format!("what the journal lists of run `{run}` is damaged: it is set right from its history"),
    }
}

/// The volumes that outlive every machine, and not this. What was formatted may stand in the part that is damaged: the provider says
/// what there is.
async fn lost_data(app: &App, found: &Found) -> Result<Option<String>, CliError> {
    let folder = app.cluster_dir(&found.cluster());
    let look = wiring::look(spec(app, found, &folder)?, &found.state, &folder).await?;
    let listed: Vec<_> = look
        .data_volumes
        .iter()
        .map(|volume| format!("{} ({})", volume.id, volume.name))
        .collect();
    let what = "volumes that outlive their machines, and may hold a persistent HDFS, are deleted";
    Ok((!listed.is_empty()).then(|| format!("{what}: {}", listed.join(", "))))
}

/// Deletes what is known of and what carries the run's tags. `gone` gets everything that is certain not to be there any more;
/// what was there before is returned.
async fn take_down(
    app: &App,
    found: &Found,
    (spec, folder, args): (Verified, &Path, &DownArgs),
    lease: &Lease,
    nonce: Nonce,
    gone: &mut Vec<Resource>,
) -> Result<Done, CliError> {
    let run = found.row.run;
    let token = FencingToken {
        cluster: lease.cluster(),
        epoch: lease.epoch(),
        nonce,
    };
    let key = wiring::key_if_kept(&found.state);
    let opened = wiring::open_world(spec, &found.state, folder, token, &key).await;
    let world = opened.map_err(not_begun)?;
    match args.amend.admin_cidr.is_empty() {
        true => wiring::guard(&app.places, &world, &found.state).await?,
        false => wiring::readmitted(&app.places, &world, &found.state).await?,
    }
    // What the history knows may be gone for long.
    let there = wiring::owned(&world).await?;
    let mut effects: Vec<_> = found.state.effects.values().cloned().collect();
    // Whoever was at it is gone: the run is held here.
    effects
        .iter_mut()
        .for_each(|effect| effect.abandoned(Timestamp::now()));
    let ledger = Ledger::Salvaged {
        resources: found.state.resources.clone(),
        effects,
    };
    let mut told = |resource: &Resource| {
        if there.contains(resource) {
            app.ui
                .note(&format!("deleted {} {}", resource.kind, resource.name));
        }
        gone.push(resource.clone());
    };
    let mut deleted = wiring::delete(&ledger, run, &world, &mut told).await?;
    deleted.retain(|resource| there.contains(resource));
    let asked = world.provider().asked();
    Ok(Done { deleted, asked })
}

/// The state of a run as far as its history tells it: with gaps. Without its first event, what the journal lists stands in.
fn what_is_left(row: &RunRow, salvaged: &Salvaged) -> Result<RunState, CliError> {
    let mut events = salvaged.events.iter().chain(&salvaged.later).peekable();
    let first = match events.next_if(|event| event.seq == Seq::FIRST) {
        Some(first) => first.clone(),
        None => beginning(row),
    };
    let mut state = RunState::begin(&first).map_err(|error| {
        CliError::new(
            Exit::Journal,
            format!("run `{}` does not begin as a run does", row.run),
        )
        .because_of(&error)
    })?;
    for recorded in events {
        // What lies between is lost: this one counts as the next.
        state.seq = Seq(recorded.seq.0 - 1);
        state.epoch = state.epoch.max(recorded.epoch);
        if !matches!(recorded.event, Event::ReplayRequested { .. }) {
            state.generation = recorded.generation;
        }
        if state.apply(recorded).is_err() {
            note(&mut state, recorded);
        }
    }
    Ok(state)
}

/// What exists counts, and who drove it, whatever else of the history is missing.
fn note(state: &mut RunState, recorded: &Recorded) {
    match &recorded.event {
        Event::ResourceCreated { resource, .. } if !state.resources.contains(resource) => {
            state.resources.push(resource.clone());
        }
        Event::RunAdopted {
            nonce: Some(nonce), ..
        } => {
            state.drivers.insert(Driver {
                epoch: recorded.epoch,
                nonce: *nonce,
            });
        }
        _ => {}
    }
}

/// A first event in the place of the one that is lost: it knows the cluster, and no spec.
fn beginning(row: &RunRow) -> Recorded {
    Recorded {
        run: row.run,
        seq: Seq::FIRST,
        at: row.created_at,
        epoch: Epoch::FIRST,
        generation: Generation::FIRST,
        format: row.format.min(EVENT_FORMAT),
        event: Event::RunStarted {
            workflow: row.workflow.clone(),
            cluster: row.cluster.clone(),
            cluster_id: Some(row.cluster_id),
            provider: row.provider.clone(),
            spec: serde_json::Value::Null,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            catalogue: wiring::catalogue(),
            nonce: None,
            over: Vec::new(),
        },
    }
}

/// What is written behind a damaged history.
struct Behind<'a> {
    journal: &'a Journal,
    lease: &'a Lease,
    nonce: Nonce,
    next: Seq,
    generation: Generation,
}

impl<'a> Behind<'a> {
    fn new(journal: &'a Journal, lease: &'a Lease, found: &Found) -> Self {
        let last = found.state.seq.max(found.row.summary.seq);
        Self {
            journal,
            lease,
            nonce: Nonce::generate(),
            next: last.next(),
            generation: found.state.generation.max(found.row.summary.generation),
        }
    }

    /// From now on the run is listed as destroyed, and nobody resumes it.
    async fn adopted(&mut self) -> Result<(), CliError> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let adopted = Event::RunAdopted {
            purpose: Purpose::Destroy,
            pid: std::process::id(),
            host: host.trim().to_owned(),
            nonce: Some(self.nonce),
            over: Vec::new(),
        };
        self.append(vec![adopted]).await
    }

    /// What is gone is not counted another time.
    async fn deleted(&mut self, resources: Vec<Resource>) -> Result<(), CliError> {
        let deleted = |resource| Event::ResourceDeleted { resource };
        self.append(resources.into_iter().map(deleted).collect()).await
    }

    async fn append(&mut self, events: Vec<Event>) -> Result<(), CliError> {
        match self.try_append(events.clone()).await {
            // Where the end of the history cannot be read, the journal itself knows the number.
            Err(StoreError::OutOfSequence { expected, .. }) => {
                self.next = expected;
                Ok(self.try_append(events).await?)
            }
            appended => Ok(appended?),
        }
    }

    async fn try_append(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        let mut next = self.next;
        let mut recorded = Vec::new();
        for event in events {
            recorded.push(Arc::new(Recorded {
                run: self.lease.run(),
                seq: next,
                at: Timestamp::now(),
                epoch: self.lease.epoch(),
                generation: self.generation,
                format: EVENT_FORMAT,
                event,
            }));
            next = next.next();
        }
        self.journal.append(self.lease, recorded).await?;
        self.next = next;
        Ok(())
    }
}
