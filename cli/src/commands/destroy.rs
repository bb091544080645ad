//! `destroy`: everything that a run created is deleted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{Epoch, Purpose, Resource, Run, RunId, RunRow, Stop, SystemClock, Taken};
use serde::Serialize;

use super::destroy_damaged::{self, destroy_damaged};
use super::destroy_orphans::{self, OrphanArgs};
use crate::amend::{self, AmendArgs};
use crate::app::App;
use crate::args::PlaceArgs;
use crate::error::{CliError, Kind};
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::runs::{self, Found};
use crate::signals::stop_on_signals;
use crate::wiring::{self, Journal, ProviderKind, Verified, World};
use crate::{render::progress::Announcer, session};

/// Delete everything that a run created
#[derive(Debug, Clone, Args)]
pub(crate) struct DestroyArgs {
    /// The run's id, or the beginning of it; by default the only run that has a cluster
    #[arg(conflicts_with = "cluster")]
    run: Option<String>,
    #[command(flatten)]
    orphans: OrphanArgs,
    /// The run that owns this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Even where the nodes obey a driver that this journal does not know
    #[arg(long)]
    pub(super) take_over: bool,
    /// Do not ask; with --orphans or --owner, only together with --cluster
    #[arg(long, short)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) amend: AmendArgs,
    #[command(flatten, next_help_heading = "EC2, with --orphans or --owner")]
    place: PlaceArgs,
}

#[derive(Serialize)]
struct Destroyed<'a> {
    run: String,
    cluster: &'a str,
    deleted: Vec<Resource>,
    /// What was asked of whom, and has nothing of the run any more.
    asked: &'a str,
}

/// What became of a cluster.
pub(super) struct Done {
    pub(super) deleted: Vec<Resource>,
    /// What was asked of whom.
    pub(super) asked: String,
}

/// Can be repeated until nothing is left, and after that.
pub(crate) async fn destroy(app: &App, args: &DestroyArgs) -> Result<(), CliError> {
    if let Some(which) = destroy_orphans::which(&args.orphans, &args.place)? {
        let asked = destroy_orphans::Asked {
            which,
            provider: args.orphans.provider,
            place: &args.place,
            cluster: args.cluster.as_deref(),
            yes: args.yes,
        };
        return destroy_orphans::destroy_orphans(app, asked).await;
    }
    let journal = app.journal_with_runs()?;
    let row = meant(app, &journal, args).await?;
    let found = match Found::look(&journal, row.clone()).await {
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return destroy_damaged(app, &journal, row, args, false).await;
        }
        found => found?,
    };
    runs::refuse_held(&journal, &found).await?;
    let command = command(app, found.row.run, args);
    let losses = match left(app, &found).await? {
        Left::Nothing(asked) => return tell(app, &found, &asked),
        Left::Something(losses) => losses,
    };
    let mut lost = vec![loss(&losses)];
    lost.extend(lost_data(&found));
    app.ui.confirm(&lost, &command, args.yes)?;
    let run_dir = app.run_dir_with_log(found.row.run)?;
    let spec = destroy_damaged::spec(app, &found, &run_dir)?;
    let spec = amend::amended(app, spec, &args.amend)?;
    let spec = wiring::verify(spec).await?;
    let (admission, _) = spec.admission();
    let (run, world, progress) = match begin(journal.clone(), app, &found, (spec, &run_dir), args).await {
        // It has been confirmed already.
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return destroy_damaged(app, &journal, found.row, args, true).await;
        }
        begun => begun?,
    };
    let deleted = match amend::record(&run, &args.amend, (admission, Vec::new())).await {
        Ok(()) => take_down(app, &run, &progress, world).await,
        Err(error) => Err(error),
    };
    drop(run);
    progress.end().await;
    let again = |error: CliError| match error.exit {
        // Who may not destroy it does not get there by trying again.
        Exit::Refused => error.about(found.row.run),
        _ => error
            .about(found.row.run)
            .hint(format!("to try again: {command}")),
    };
    tell(app, &found, &deleted.map_err(again)?)
}

/// What there is of a run that is to be destroyed.
pub(super) enum Left {
    /// It was destroyed, its provider has just been asked, and has nothing of it.
    Nothing(Done),
    /// What is known of it; or, where it was destroyed, what has come to exist since.
    Something(Box<Found>),
}

/// Looks whether there is anything to destroy: a run that was destroyed is asked for again.
pub(super) async fn left(app: &App, found: &Found) -> Result<Left, CliError> {
    let mut losses = Box::new(found.clone());
    if is_over(found) {
        let run_dir = app.run_dir(found.row.run)?;
        let spec = destroy_damaged::spec(app, found, &run_dir)?;
        let look = wiring::look(spec, &found.state, &run_dir).await?;
        if look.owned.is_empty() && !look.may_come {
            let (deleted, asked) = (Vec::new(), look.asked);
            return Ok(Left::Nothing(Done { deleted, asked }));
        }
        losses.state.resources = look.owned;
    }
    Ok(Left::Something(losses))
}

/// Whether it was destroyed, and nothing of it is known.
fn is_over(found: &Found) -> bool {
    let is_destroyed = found.state.destroyed || found.row.summary.destroyed;
    is_destroyed && found.state.resources.is_empty() && !found.row.owns_cluster
}

/// The command line again.
pub(super) fn command(app: &App, run: RunId, args: &DestroyArgs) -> String {
    let (run, amend) = (run.to_string(), args.amend.words());
    let words = ["destroy", &run].into_iter();
    let words: Vec<_> = words.chain(amend.iter().map(String::as_str)).collect();
    app.places.command(&words)
}

/// Takes the run over, and asks the nodes whether this is the one who may: only then its history says that it is destroyed.
async fn begin(
    journal: Journal,
    app: &App,
    found: &Found,
    (spec, run_dir): (Verified, &Path),
    args: &DestroyArgs,
) -> Result<(Run, World, Announcer), CliError> {
    let run = found.row.run;
    let over = match args.take_over {
        true => wiring::strangers(&spec, &found.state, run_dir).await?,
        false => Vec::new(),
    };
    let above = over.iter().map(|driver| driver.epoch).max().unwrap_or(Epoch(0));
    let clock = Arc::new(SystemClock);
    let taken = Taken::take(journal, clock, run, Some(found.state.seq), above).await?;
    tracing::info!(%run, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "destroys");
    let mut state = taken.state().clone();
    state.drivers.extend(&over);
    let key = wiring::key_if_kept(&state);
    let opened = wiring::open_world(spec, &state, run_dir, taken.token(), &key).await;
    let world = opened.map_err(not_begun)?;
    match args.amend.admin_cidr.is_empty() {
        true => wiring::guard(&app.places, &world, &found.state).await?,
        false => wiring::readmitted(&app.places, &world, &found.state).await?,
    }
    let progress = Announcer::begin(app.ui, Some(found.state.clone()));
    let adopter = session::adopter(Purpose::Destroy, found, over);
    match taken.begin(adopter, progress.observer()).await {
        Ok(run) => Ok((run, world, progress)),
        Err(error) => {
            progress.end().await;
            Err(error.into())
        }
    }
}

/// What cannot begin to be destroyed is not interrupted: it failed, or was refused.
pub(super) fn not_begun(error: CliError) -> CliError {
    match error.exit {
        Exit::Refused => error,
        _ => CliError {
            exit: Exit::Failed,
            ..error
        },
    }
}

async fn take_down(app: &App, run: &Run, progress: &Announcer, world: World) -> Result<Done, CliError> {
    let stop = Stop::default();
    stop_on_signals(stop.clone(), progress.voice())?;
    app.voice.through(progress.voice());
    let work = wiring::destroy(run, &world);
    let deleted = tokio::select! {
        deleted = work => deleted?,
        // Each deletion is recorded by itself, and can be repeated.
        () = stop.requested() => {
            let mut error = CliError::new(Exit::Interrupted, "interrupted before everything was deleted");
            error.causes.extend(world.waits_for());
            return Err(error);
        }
    };
    let asked = world.provider().asked();
    Ok(Done { deleted, asked })
}

/// The run to take down: by its id, by its cluster, or the only one that has a cluster.
async fn meant(app: &App, journal: &Journal, args: &DestroyArgs) -> Result<RunRow, CliError> {
    if args.run.is_some() {
        return runs::choose(app, journal, args.run.as_deref()).await;
    }
    let mut rows = journal.runs().await?;
    if let Some(cluster) = &args.cluster {
        let names: Vec<_> = rows.iter().map(|row| row.cluster.clone()).collect();
        rows.retain(|row| row.cluster == *cluster);
        if rows.is_empty() {
            let error = CliError::usage(format!("no run is about a cluster `{cluster}`"));
            return Err(match nearest(cluster, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`mesosflow list` shows the runs"),
            });
        }
    }
    let owners: Vec<_> = rows.iter().filter(|row| row.owns_cluster).cloned().collect();
    match owners.as_slice() {
        [only] => Ok(only.clone()),
        // Nothing is left: the newest one says so.
        [] => rows.into_iter().next_back().ok_or_else(|| app.no_run()),
        several => Err(runs::ambiguous(
            &format!("{} runs have a cluster", several.len()),
            several,
        )),
    }
}

/// Machines of the user's own are given back, not deleted.
fn is_lent(found: &Found) -> bool {
    found.row.provider == ProviderKind::Hosts.as_str()
}

/// What would be lost.
pub(super) fn loss(found: &Found) -> String {
    if is_lent(found) {
        return format!(
            "cluster `{}` of run `{}` is stopped, and its key and its mark are taken off the hosts; \
             the machines stay, with what is on their disks",
            found.row.cluster, found.row.run
        );
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &found.state.resources {
        *kinds.entry(&resource.kind).or_default() += 1;
    }
    let counts: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    let counts = if counts.is_empty() {
        "whatever it created".to_owned()
    } else {
        counts.join(", ")
    };
    format!(
        "cluster `{}` of run `{}` is deleted with all its data: {counts}",
        found.row.cluster, found.row.run
    )
}

/// The volumes that outlive every machine, and not this.
fn lost_data(found: &Found) -> Option<String> {
    let volumes = wiring::formatted_volumes(&found.state);
    let listed: Vec<_> = volumes
        .iter()
        .map(|(node, volume)| format!("{volume} ({node})"))
        .collect();
    let what = "the persistent HDFS, which outlives its machines, is deleted with its volumes";
    (!listed.is_empty()).then(|| format!("{what}: {}", listed.join(", ")))
}

pub(super) fn tell(app: &App, found: &Found, done: &Done) -> Result<(), CliError> {
    let Done { deleted, asked } = done;
    let (run, cluster, count) = (found.row.run.to_string(), &found.row.cluster, deleted.len());
    if app.ui.json {
        return app.ui.document(&Destroyed {
            run,
            cluster,
            deleted: deleted.clone(),
            asked,
        });
    }
    let mut said = match (is_lent(found), count) {
        (true, 0) => format!("nothing of cluster `{cluster}` (run {run}) is left"),
        (true, 1) => format!("cluster `{cluster}` (run {run}) is stopped, and its key is off 1 host"),
        (true, _) => format!("cluster `{cluster}` (run {run}) is stopped, and its key is off {count} hosts"),
        (false, 0) => format!("nothing is left of cluster `{cluster}` (run {run})"),
        (false, 1) => format!("cluster `{cluster}` (run {run}) is gone: 1 resource deleted"),
        (false, _) => format!("cluster `{cluster}` (run {run}) is gone: {count} resources deleted"),
    };
    if is_lent(found) {
        said.push_str("; the machines stay, with what is on their disks");
    }
    app.ui.line(&said)?;
    app.ui.line(&format!("asked {asked}: nothing of it is left"))
}
