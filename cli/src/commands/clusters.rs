//! `clusters`: what exists, and what has existed.

use std::collections::BTreeSet;

use clap::Args;
use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, PhaseKind, RunId, RunRow};
use serde::Serialize;

use crate::app::App;
use crate::error::{CliError, Kind};
use crate::health::Health;
use crate::render::table::table;
use crate::runs::{self, Found};
use crate::wiring::{self, Journal, Role, Workflow};

/// Show the clusters: what exists, and what has existed
#[derive(Debug, Clone, Args)]
pub(crate) struct ClustersArgs {}

/// A cluster, in the shape that scripts rely on.
#[derive(Debug, Serialize)]
struct ClusterView {
    cluster: String,
    cluster_id: ClusterId,
    provider: String,
    /// `up`, `stopped`, `unfinished` or `gone`.
    state: &'static str,
    /// Machines that exist; none where the history cannot be read.
    masters: Option<usize>,
    slaves: Option<usize>,
    zookeepers: Option<usize>,
    /// Machines that had joined it by themselves at the last `check`: not launched by us, and none of its record.
    joined: usize,
    /// What `mesos-master --version` prints.
    mesos_version: Option<String>,
    created_at: Timestamp,
    run: RunId,
    /// What the last `check` came to; none where there was none, or nothing is there to be checked.
    health: Option<Health>,
}

/// The newest comes last, where the eye is.
pub(crate) async fn clusters(app: &App, ClustersArgs {}: &ClustersArgs) -> Result<(), CliError> {
    let mut views = Vec::new();
    if let Some(journal) = app.existing_journal()? {
        let rows = journal.runs().await?;
        let mut seen = BTreeSet::new();
        for row in &rows {
            if seen.insert(row.cluster_id.to_string()) {
                let is_of_it = |other: &&RunRow| other.cluster_id == row.cluster_id;
                let of_it: Vec<_> = rows.iter().filter(is_of_it).cloned().collect();
                views.push(view(app, &journal, row, &of_it).await?);
            }
        }
    }
    if app.ui.json {
        return app.ui.document(&views);
    }
    if views.is_empty() {
        app.ui.note(&format!(
            "no clusters yet in the journal `{}`",
            app.places.journal().display()
        ));
        return Ok(());
    }
    let header = [
        "cluster",
        "provider",
        "state",
        "masters",
        "slaves",
        "zookeepers",
        "mesos",
        "since",
        "health",
    ];
    app.ui.line(&table(&header, views.iter().map(line)))
}

/// The cluster that the first run, `row`, of these has made.
async fn view(app: &App, journal: &Journal, row: &RunRow, rows: &[RunRow]) -> Result<ClusterView, CliError> {
    let mut view = ClusterView {
        cluster: row.cluster.clone(),
        cluster_id: row.cluster_id,
        provider: row.provider.clone(),
        state: state(row, rows),
        masters: Some(0),
        slaves: Some(0),
        zookeepers: Some(0),
        joined: 0,
        mesos_version: None,
        created_at: row.created_at,
        run: row.run,
        health: None,
    };
    if !row.owns_cluster {
        return Ok(view);
    }
    let state = match Found::among(journal, row.clone(), rows).await {
        Ok(found) => {
            // What undoes a start has left it stopped, and what undoes a stop has not.
            if ["up", "stopped"].contains(&view.state) {
                view.state = if found.record.is_stopped() {
                    "stopped"
                } else {
                    "up"
                };
            }
            let state = found.cluster();
            // As whoever brought the newest one says, be it after the deploy.
            let mesos = wiring::report(&state).and_then(|_| wiring::built_mesos(&found.record));
            view.mesos_version = mesos.map(|mesos| mesos.version);
            state
        }
        // The others are as they were.
        Err(error) if error.kind == Kind::DamagedRun => {
            app.ui.warn(&error.message);
            (view.masters, view.slaves, view.zookeepers) = (None, None, None);
            return Ok(view);
        }
        Err(error) => return Err(error),
    };
    let nodes = wiring::nodes(&state);
    if !nodes.is_empty() && view.state != "stopped" {
        view.health = Health::kept(&app.cluster_dir(&state));
    }
    view.joined = view.health.as_ref().map_or(0, |health| health.joined);
    let of = |role| Some(nodes.iter().filter(|node| node.role == role).count());
    view.masters = of(Role::Master);
    view.slaves = of(Role::Slave);
    view.zookeepers = of(Role::Zookeeper);
    Ok(view)
}

fn state(row: &RunRow, all: &[RunRow]) -> &'static str {
    let is_unfinished = all.iter().any(|run| run.summary.is_unfinished());
    let last = runs::latest(all).unwrap_or(row);
    let ends = wiring::workflow(&last.workflow).is_some_and(Workflow::ends_cluster);
    match last.summary.phase {
        _ if is_unfinished => "unfinished",
        _ if !row.owns_cluster => "gone",
        _ if row.summary.destroyed || ends => "unfinished",
        PhaseKind::Succeeded | PhaseKind::Partial if last.workflow == wiring::STOPS => "stopped",
        // A replay that ended leaves the cluster as it is; `status` says what is stale.
        PhaseKind::Succeeded | PhaseKind::Partial => "up",
        _ => "unfinished",
    }
}

fn line(view: &ClusterView) -> Vec<String> {
    let count = |count: Option<usize>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    vec![
        view.cluster.clone(),
        view.provider.clone(),
        view.state.to_owned(),
        count(view.masters),
        match view.joined {
            0 => count(view.slaves),
            joined => format!("{} + {joined} joined", count(view.slaves)),
        },
        count(view.zookeepers),
        view.mesos_version.clone().unwrap_or_default(),
        view.created_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        view.health.as_ref().map(Health::text).unwrap_or_default(),
    ]
}
