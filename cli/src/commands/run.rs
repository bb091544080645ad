//! `run`: a new cluster.

use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::{ClusterId, NewRun, Run, RunError, RunId, StoreError, SystemClock};

use crate::app::App;
use crate::args::SpecArgs;
use crate::config::{Configured, Surroundings, configure};
use crate::error::CliError;
use crate::render::progress::Announcer;
use crate::session::{self, Driving};
use crate::wiring::{self, ClusterSpec, Journal};

/// Bring up a cluster
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    spec: SpecArgs,
    /// Do not ask
    // The heading of the flags above ends here.
    #[arg(long, short, help_heading = None::<&str>)]
    yes: bool,
}

/// Everything that can be refused is refused before anything is created, the journal included.
pub(crate) async fn run(app: &App, args: &RunArgs) -> Result<(), CliError> {
    let around = Surroundings::of_process()?;
    let Configured {
        spec,
        warnings,
        without_mesos,
    } = configure(app.config.as_deref(), &args.spec, &around)?;
    if let Some(refused) = without_mesos {
        return Err(refused);
    }
    for warning in warnings {
        app.ui.warn(&warning);
    }
    if let Some(journal) = app.existing_journal()? {
        refuse_existing(app, &journal, &spec).await?;
    }
    let spec = wiring::settle(spec).await?;
    wiring::precheck(&spec).await?;
    wiring::survey(&spec).await?;
    agree(app, &spec, args.yes)?;
    let journal = app.journal()?;
    let spec = spec.made_by(wiring::made_by(&journal));
    let stop = session::heard(app)?;
    let (run, progress) = create(app, journal, &spec).await?;
    session::drive(app, run, progress, Driving::new(Vec::new(), spec, stop)).await
}

/// Shows what will be paid for, and asks where there is somebody to ask.
fn agree(app: &App, spec: &ClusterSpec, yes: bool) -> Result<(), CliError> {
    let Some(ec2) = spec.of_ec2() else {
        return Ok(());
    };
    let place = ec2.region.as_deref().unwrap_or_default();
    let account = ec2.account.as_deref().unwrap_or("unknown");
    app.ui.note(&format!(
        "cluster `{}` will create in {place}, account {account}:",
        spec.cluster
    ));
    for line in wiring::plan(spec).summary() {
        app.ui.note(&format!("  {line}"));
    }
    app.ui.ask(yes)
}

async fn create(app: &App, journal: Journal, spec: &ClusterSpec) -> Result<(Run, Announcer), CliError> {
    let new = NewRun {
        workflow: wiring::FOUNDS.to_owned(),
        cluster_id: ClusterId::generate(),
        cluster: spec.cluster.clone(),
        provider: spec.provider.to_string(),
        spec: serde_json::to_value(spec)
            .map_err(|error| CliError::usage("the spec cannot be written as JSON").because_of(&error))?,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        catalogue: wiring::catalogue(),
        over: Vec::new(),
    };
    let progress = Announcer::begin(app.ui, None);
    let created = Run::create(
        journal,
        Arc::new(SystemClock),
        RunId::generate(),
        new,
        progress.observer(),
    )
    .await;
    match created {
        Ok(run) => Ok((run, progress)),
        Err(error) => {
            progress.end().await;
            Err(match error {
                // Another process was faster.
                RunError::Store(StoreError::ClusterExists { cluster, run }) => exists(app, &cluster, run),
                other => other.into(),
            })
        }
    }
}

async fn refuse_existing(app: &App, journal: &Journal, spec: &ClusterSpec) -> Result<(), CliError> {
    let is_owner = |row: &&mesosflow_workflow::RunRow| {
        row.owns_cluster && row.cluster == spec.cluster && row.provider == spec.provider.as_str()
    };
    match journal.runs().await?.iter().find(is_owner) {
        Some(owner) => Err(exists(app, &spec.cluster, owner.run)),
        None => Ok(()),
    }
}

fn exists(app: &App, cluster: &str, run: RunId) -> CliError {
    let id = run.to_string();
    CliError::refused(format!("cluster `{cluster}` exists: it belongs to run `{id}`"))
        .hint(format!(
            "to go on with it: {}",
            app.places.command(&["resume", &id])
        ))
        .hint(format!("to delete it: {}", app.places.command(&["destroy", &id])))
        .hint("or choose another name with --cluster")
}
