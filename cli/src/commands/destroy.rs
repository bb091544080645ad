//! `destroy`: everything that a run created is deleted.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{Epoch, Purpose, Run, RunId, RunRow, Stop, SystemClock, Taken};

use super::destroy_orphans::{self, OrphanArgs};
use crate::amend;
use crate::app::App;
use crate::args::PlaceArgs;
use crate::error::{CliError, Kind};
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::render::progress::Announcer;
use crate::runs::{self, Found};
use crate::session::{self, Driving};
use crate::takedown::{self, Done, DownArgs, Left};
use crate::wiring::{self, ClusterSpec, DestroySpec, Journal, Verified, Workflow};

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
    #[command(flatten)]
    how: DownArgs,
    #[command(flatten, next_help_heading = "EC2, with --orphans or --owner")]
    place: PlaceArgs,
}

/// Can be repeated until nothing is left, and after that.
pub(crate) async fn destroy(app: &App, args: &DestroyArgs) -> Result<(), CliError> {
    if let Some(which) = destroy_orphans::which(&args.orphans, &args.place)? {
        let asked = destroy_orphans::Asked {
            which,
            provider: args.orphans.provider,
            place: &args.place,
            cluster: args.cluster.as_deref(),
            yes: args.how.yes,
        };
        return destroy_orphans::destroy_orphans(app, asked).await;
    }
    let journal = app.journal_with_runs()?;
    let row = meant(app, &journal, args.run.as_deref(), args.cluster.as_deref()).await?;
    let mut found = match Found::look(&journal, row.clone()).await {
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return takedown::damaged(app, &journal, row, &args.how, false).await;
        }
        found => found?,
    };
    runs::refuse_held(&journal, &found).await?;
    let command = args.how.command(app, found.row.run);
    let losses = match takedown::left(app, &found).await? {
        Left::Nothing(done) => return takedown::tell(app, &found, &done),
        Left::Something(losses) => losses,
    };
    let mut lost = vec![takedown::loss(&losses)];
    lost.extend(takedown::lost_data(&found));
    app.ui.confirm(&lost, &command, args.how.yes)?;
    let cluster = found.cluster();
    app.give_back_log(&cluster);
    app.begin_log(found.row.run)?;
    let folder = app.cluster_dir(&cluster);
    let spec = takedown::spec(app, &found, &folder)?;
    let spec = amend::amended(app, spec, &args.how.amend)?;
    let spec = wiring::verify(spec).await?;
    let stop = session::heard(app)?;
    let (run, progress) = match begin(app, &journal, &mut found, (&spec, &folder), args, &stop).await {
        // It has been confirmed already.
        Err(damaged) if damaged.kind == Kind::DamagedRun => {
            return takedown::damaged(app, &journal, found.row, &args.how, true).await;
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
        return takedown::told(app, &ended.state.run.to_string(), &found, &done);
    }
    app.ui.line(&session::taken_down(&ended.state, &ended.cluster))
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
    let over = match args.how.take_over {
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
        let world = opened.map_err(takedown::not_begun)?;
        match args.how.amend.admin_cidr.is_empty() {
            true => wiring::guard(&app.places, &world, &cluster).await,
            false => wiring::readmitted(&app.places, &world, &cluster).await,
        }?;
        let joined = wiring::joined(&world).await;
        let names: Vec<_> = joined.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            app.ui.warn(&format!(
                "not launched by us, and left alone: {}; what they are in cannot go as long as they run",
                names.join(", ")
            ));
        }
        Ok(())
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
        .hint(format!("to do it again: {}", args.how.command(app, run)))
}

/// What a destroy of the cluster goes by, as its record stands now.
pub(super) fn frozen(found: &Found, cluster: ClusterSpec) -> DestroySpec {
    DestroySpec {
        cluster,
        resources: found.record.resources(),
        effects: found.record.effects(),
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
