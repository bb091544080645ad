//! A run is driven to its end.

use std::sync::Arc;

use mesosflow_workflow::{Run, RunState, Settings, Stop};
use serde::Serialize;

use super::outcome::{judge, let_in};
use super::take::create;
use super::told::{Ended, notify, tell};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::progress::Announcer;
use crate::runs::Found;
use crate::text::clean;
use crate::wiring::{self, Journal, Record, Verified, Workflow};

/// What a run is driven with, beside itself.
pub(crate) struct Driving {
    /// The other runs of its cluster.
    pub(crate) others: Vec<RunState>,
    /// The cluster's spec in force.
    pub(crate) spec: Verified,
    /// Whether the doors are opened for who comes from elsewhere now, before anything else: where no step sees to it.
    pub(crate) readmits: bool,
    pub(crate) settings: Settings,
    /// Ctrl-C, heard since before the run was taken.
    pub(crate) stop: Stop,
}

impl Driving {
    /// With what the run needs, and nothing else.
    pub(crate) fn new(others: Vec<RunState>, spec: Verified, stop: Stop) -> Self {
        Self {
            others,
            spec,
            readmits: false,
            settings: Settings::default(),
            stop,
        }
    }
}

/// Begins a run of a workflow on a cluster that is there, which is to be as `spec` says, and drives it to its end.
pub(crate) async fn begin(
    app: &App,
    journal: Journal,
    found: &Found,
    workflow: (&dyn Workflow, &impl Serialize),
    spec: Verified,
    stop: Stop,
) -> Result<(), CliError> {
    let (run, progress) = create(app, journal, found, workflow, Vec::new()).await?;
    let driving = Driving::new(found.record.others(run.id()), spec, stop);
    drive(app, run, progress, driving).await
}

/// Prints the run's id, drives the run to its end and tells how that was.
pub(crate) async fn drive(
    app: &App,
    run: Run,
    progress: Announcer,
    driving: Driving,
) -> Result<(), CliError> {
    // The cluster is worth more than the reader of the output.
    let _read = app.ui.line(&run.id().to_string());
    let ended = work(app, run, progress, driving).await?;
    match tell(app, &ended) {
        // What the run came to counts for more than whether its result could be printed.
        Err(unprinted) if ended.result.is_ok() && !unprinted.is_silent() => Err(unprinted),
        _ => ended.result,
    }
}

/// Drives the run to its end.
pub(crate) async fn work(
    app: &App,
    run: Run,
    progress: Announcer,
    driving: Driving,
) -> Result<Ended, CliError> {
    app.voice.through(progress.voice());
    if let Some(unread) = &app.channels.unread {
        app.voice.say(&format!("warning: {}", clean(unread)));
    }
    let Driving {
        others,
        spec,
        readmits,
        settings,
        stop,
    } = driving;
    let workflow = wiring::workflow_of(&run.state())?;
    let begun = unless_stopped(&stop, open(app, &run, &others, spec, readmits)).await;
    let (outcome, locked_out, waits_for) = match begun {
        None => (run.stopped().await, None, None),
        Some(Ok(world)) => {
            let world = Arc::new(world);
            let outcome = match unless_stopped(&stop, world.hold_all()).await {
                None => run.stopped().await,
                Some(Err(fenced)) => wiring::give_way(&run, &fenced).await,
                Some(Ok(())) => workflow.drive(&run, world.clone(), settings, stop.clone()).await,
            };
            (outcome, world.locked_out(), world.waits_for())
        }
        Some(Err(error)) => (wiring::give_up(&run, &error).await, None, None),
    };
    let state = run.state();
    drop(run);
    progress.end().await;
    let record = Record::of(state.clone(), others);
    let replayed = wiring::replayed(&state, record.founder().run);
    let mut result = judge(app, &state, outcome, &stop).map_err(|error| error.about(state.run, replayed));
    if let Err(error) = &mut result {
        if stop.is_requested() {
            error.causes.extend(waits_for);
        }
        if let Some(locked_out) = locked_out {
            error.hints.insert(0, let_in(app, &state, &locked_out));
        }
    }
    let mut cluster = record.cluster();
    cluster.destroyed |= result.is_ok() && workflow.ends_cluster();
    let ended = Ended {
        state,
        cluster,
        result,
    };
    notify(app, &ended);
    Ok(ended)
}

/// Refuses what would not fit the history of a run that was found, by a rehearsal of it: nothing acts, and the run stays what it is.
pub(crate) async fn rehearse(
    app: &App,
    found: &Found,
    rehearsal: Run,
    spec: Verified,
    stop: &Stop,
) -> Result<(), CliError> {
    let cluster = found.cluster();
    let world = wiring::open_outside(spec, &cluster, &app.cluster_dir(&cluster)).await?;
    let world = Arc::new(wiring::remembering(world, &found.record));
    let workflow = wiring::workflow_of(&found.state)?;
    let outcome = workflow
        .drive(&rehearsal, world, Settings::default(), stop.clone())
        .await;
    judge(app, &found.state, outcome, stop)
}

/// What comes of an act that nothing is lost by leaving in the middle; none where a stop is requested first.
pub(crate) async fn unless_stopped<T>(stop: &Stop, act: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.requested() => None,
        done = act => Some(done),
    }
}

/// Begins the run's log and opens the cluster's world.
async fn open(
    app: &App,
    run: &Run,
    others: &[RunState],
    spec: Verified,
    readmits: bool,
) -> Result<wiring::World, CliError> {
    let state = run.state();
    let ends = wiring::workflow_of(&state)?.ends_cluster();
    let record = Record::of(state, others.iter().cloned());
    let cluster = record.cluster();
    let (folder, key) = match ends {
        // Nobody has to log in to what is deleted, nor to find its things where they ought to be.
        true => {
            app.give_back_log(&cluster);
            (app.cluster_dir(&cluster), wiring::key_if_kept(&cluster))
        }
        // Before the log is begun, which the folder may take along.
        false => (app.take_cluster_dir(&cluster), wiring::key_of(&cluster)),
    };
    app.begin_log(run.id()).map_err(|error| CliError {
        exit: Exit::Interrupted,
        ..error
    })?;
    tracing::info!(run = %run.id(), version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "begins");
    let world = wiring::open_world(spec, &cluster, &folder, run.token(), &key).await?;
    let world = wiring::remembering(world, &record);
    if readmits {
        wiring::readmitted(&app.places, &world, &cluster).await?;
    }
    Ok(world)
}
