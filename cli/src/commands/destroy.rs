//! `destroy`: everything that a run created is deleted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{ClusterId, Epoch, Purpose, Resource, Run, RunId, RunRow, Stop, SystemClock, Taken};
use serde::Serialize;

use super::destroy_damaged::{self, destroy_damaged};
use super::destroy_orphans::{self, OrphanArgs};
use crate::amend::{self, AmendArgs};
use crate::app::App;
use crate::args::PlaceArgs;
use crate::error::{CliError, Kind};
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::render::progress::Announcer;
use crate::runs::{self, Found};
use crate::session::{self, Driving};
use crate::wiring::{self, ClusterSpec, DestroySpec, Journal, ProviderKind, Verified, Workflow};

/// Delete a cluster: everything that its runs created
#[derive(Debug, Clone, Args)]
pub(crate) struct DestroyArgs {
    /// The id of the run that made the cluster, or the beginning of it; by default the only one whose cluster exists
    #[arg(conflicts_with = "cluster")]
    run: Option<String>,
    #[command(flatten)]
    orphans: OrphanArgs,
    /// The cluster's name
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
    /// The run of the workflow; where there was nothing to do, that which made the cluster.
    run: &'a str,
    cluster: &'a str,
    cluster_id: ClusterId,
    deleted: &'a [Resource],
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
    let row = meant(app, &journal, args.run.as_deref(), args.cluster.as_deref()).await?;
    let mut found = match Found::look(&journal, row.clone()).await {
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return destroy_damaged(app, &journal, row, args, false).await;
        }
        found => found?,
    };
    runs::refuse_held(&journal, &found).await?;
    let command = command(app, found.row.run, args);
    let losses = match left(app, &found).await? {
        Left::Nothing(done) => return tell(app, &found, &done),
        Left::Something(losses) => losses,
    };
    let mut lost = vec![loss(&losses)];
    lost.extend(lost_data(&found));
    app.ui.confirm(&lost, &command, args.yes)?;
    app.begin_log(found.row.run)?;
    let folder = app.cluster_dir(&found.cluster());
    let spec = destroy_damaged::spec(app, &found, &folder)?;
    let spec = amend::amended(app, spec, &args.amend)?;
    let spec = wiring::verify(spec).await?;
    let stop = session::heard(app)?;
    let (run, progress) = match begin(app, &journal, &mut found, (&spec, &folder), args, &stop).await {
        // It has been confirmed already.
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return destroy_damaged(app, &journal, found.row, args, true).await;
        }
        begun => begun?,
    };
    let driving = Driving::new(found.record.others(run.id()), spec, stop);
    let ended = session::work(app, run, progress, driving).await?;
    let again = |error: CliError| match error.exit {
        // Who may not destroy it does not get there by trying again.
        Exit::Refused => error,
        _ => error.hint(format!("or again: {command}")),
    };
    ended.result.map_err(again)?;
    let done = Done {
        deleted: wiring::deleted(&ended.state),
        asked: wiring::asked(&ended.state).unwrap_or_default(),
    };
    if app.ui.json {
        return told(app, &ended.state.run.to_string(), &found, &done);
    }
    app.ui.line(&session::taken_down(&ended.state, &ended.cluster))
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
        let folder = app.cluster_dir(&found.cluster());
        let spec = destroy_damaged::spec(app, found, &folder)?;
        let look = wiring::look(spec, &found.cluster(), &folder).await?;
        if look.owned.is_empty() && !look.may_come {
            let (deleted, asked) = (Vec::new(), look.asked);
            return Ok(Left::Nothing(Done { deleted, asked }));
        }
        losses.state.resources = look.owned;
        return Ok(Left::Something(losses));
    }
    losses.state.resources = found.record.resources();
    Ok(Left::Something(losses))
}

/// Whether it was destroyed, and nothing of it is known.
fn is_over(found: &Found) -> bool {
    found.record.resources().is_empty() && !found.row.owns_cluster
}

/// The command line again.
pub(super) fn command(app: &App, run: RunId, args: &DestroyArgs) -> String {
    let (run, amend) = (run.to_string(), args.amend.words());
    let words = ["destroy", &run].into_iter();
    let words: Vec<_> = words.chain(amend.iter().map(String::as_str)).collect();
    app.places.command(&words)
}

/// Asks the nodes whether this is the one who may; only then any history says that something is destroyed. An unfinished run of
/// the cluster is closed, or gone on with where it is a destroy.
async fn begin(
    app: &App,
    journal: &Journal,
    found: &mut Found,
    (spec, folder): (&Verified, &Path),
    args: &DestroyArgs,
    stop: &Stop,
) -> Result<(Run, Announcer), CliError> {
    let mut cluster = found.cluster();
    let over = match args.take_over {
        true => wiring::strangers(spec, &cluster, folder).await?,
        false => Vec::new(),
    };
    let above = over.iter().map(|driver| driver.epoch).max().unwrap_or(Epoch(0));
    let last = found.record.unfinished().unwrap_or(&found.state).clone();
    let clock = Arc::new(SystemClock);
    let taken = Taken::take(journal.clone(), clock, last.run, Some(last.seq), above).await?;
    tracing::info!(run = %found.row.run, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "destroys");
    cluster.drivers.extend(&over);
    let key = wiring::key_if_kept(&cluster);
    let asked = async {
        let opened = wiring::open_world(spec.clone(), &cluster, folder, taken.token(), &key).await;
        let world = opened.map_err(not_begun)?;
        match args.amend.admin_cidr.is_empty() {
            true => wiring::guard(&app.places, &world, &cluster).await,
            false => wiring::readmitted(&app.places, &world, &cluster).await,
        }
    };
    let asked = session::unless_stopped(stop, asked).await;
    asked.unwrap_or_else(|| Err(interrupted(app, found.row.run, args)))?;
    let is_unfinished = last.phase.kind().is_unfinished() && !last.destroyed;
    let ends = wiring::workflow(&last.workflow).is_some_and(Workflow::ends_cluster);
    if is_unfinished && ends {
        let progress = Announcer::begin(app.ui, Some(last.clone()));
        let adopter = session::adopter(Purpose::Drive, &last, over);
        return match taken.begin(adopter, progress.observer()).await {
            Ok(run) => Ok((run, progress)),
            Err(error) => {
                progress.end().await;
                Err(error.into())
            }
        };
    }
    if is_unfinished {
        let adopter = session::adopter(Purpose::Close, &last, over.clone());
        let run = taken.begin(adopter, Arc::new(|_| {})).await?;
        run.close().await.map_err(|error| CliError::from(&error))?;
        app.ui
            .note(&format!("run {} is closed: its cluster is destroyed", last.run));
    } else {
        drop(taken);
    }
    *found = Found::look(journal, found.row.clone()).await?;
    let destroy = frozen(found, spec.clone().into_spec());
    session::create(
        app,
        journal.clone(),
        found,
        (&wiring::DestroyWorkflow, &destroy),
        over,
    )
    .await
}

/// It was stopped before any history said that something is destroyed.
fn interrupted(app: &App, run: RunId, args: &DestroyArgs) -> CliError {
    CliError::new(Exit::Interrupted, "interrupted: nothing was deleted")
        .hint(format!("to do it again: {}", command(app, run, args)))
}

/// What a destroy of the cluster goes by, as its record stands now.
pub(super) fn frozen(found: &Found, cluster: ClusterSpec) -> DestroySpec {
    DestroySpec {
        cluster,
        resources: found.record.resources(),
        effects: found.record.effects(),
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

/// The run that made the cluster to take down: by its id, by its cluster, or the only one that has a cluster.
pub(super) async fn meant(
    app: &App,
    journal: &Journal,
    run: Option<&str>,
    cluster: Option<&str>,
) -> Result<RunRow, CliError> {
    let rows = journal.runs().await?;
    if run.is_some() {
        let row = runs::choose(app, journal, run).await?;
        if row.workflow == wiring::FOUNDS {
            return Ok(row);
        }
        let is_it = |other: &&RunRow| other.cluster_id == row.cluster_id && other.workflow == wiring::FOUNDS;
        let founder = rows.iter().find(is_it).map_or(row.run, |founder| founder.run);
        let destroy = ["destroy", &founder.to_string()];
        return Err(CliError::refused(format!(
            "run `{}` is a {} of cluster `{}`: it has made nothing that could be destroyed by itself",
            row.run, row.workflow, row.cluster
        ))
        .hint(format!(
            "to destroy the cluster: {}",
            app.places.command(&destroy)
        )));
    }
    if let Some(cluster) = cluster
        && !rows.iter().any(|row| row.cluster == cluster)
    {
        let error = CliError::usage(format!("no run is about a cluster `{cluster}`"));
        return Err(
            match nearest(cluster, rows.iter().map(|row| row.cluster.as_str())) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`mesosflow list` shows the runs"),
            },
        );
    }
    runs::founder(app, rows, |row| {
        cluster.is_none_or(|cluster| row.cluster == cluster)
    })
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
pub(super) fn lost_data(found: &Found) -> Option<String> {
    let volumes = wiring::formatted_volumes(&found.cluster());
    let listed: Vec<_> = volumes
        .iter()
        .map(|(node, volume)| format!("{volume} ({node})"))
        .collect();
    let what = "the persistent HDFS, which outlives its machines, is deleted with its volumes";
    (!listed.is_empty()).then(|| format!("{what}: {}", listed.join(", ")))
}

fn told(app: &App, run: &str, found: &Found, done: &Done) -> Result<(), CliError> {
    app.ui.document(&Destroyed {
        run,
        cluster: &found.row.cluster,
        cluster_id: found.row.cluster_id,
        deleted: &done.deleted,
        asked: &done.asked,
    })
}

pub(super) fn tell(app: &App, found: &Found, done: &Done) -> Result<(), CliError> {
    let Done { deleted, asked } = done;
    let run = found.row.run.to_string();
    if app.ui.json {
        return told(app, &run, found, done);
    }
    let said = session::taken_down_to(&found.state, &run, deleted.len(), Some(asked));
    app.ui.line(&said)
}
