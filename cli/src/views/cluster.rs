//! A cluster, as its record and the last `check` of it tell.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, PhaseKind, RunId, RunRow};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::health::Health;
use crate::runs::{self, Found};
use crate::wiring::{self, Journal, Role, Workflow};

/// A cluster, in the shape that scripts rely on.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterView {
    pub(crate) cluster: String,
    pub(crate) cluster_id: ClusterId,
    pub(crate) provider: String,
    /// `up`, `stopped`, `unfinished` or `gone`.
    pub(crate) state: &'static str,
    /// Machines that exist; none where the history cannot be read.
    pub(crate) masters: Option<usize>,
    pub(crate) slaves: Option<usize>,
    pub(crate) zookeepers: Option<usize>,
    /// Machines that had joined it by themselves at the last `check`: not launched by us, and none of its record.
    pub(crate) joined: usize,
    /// What `mesos-master --version` prints.
    pub(crate) mesos_version: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) run: RunId,
    /// What the last `check` came to; none where there was none, or nothing is there to be checked.
    pub(crate) health: Option<Health>,
}

/// All clusters of the journal, in the order in which they were made; `damaged` hears of those whose history cannot be read whole.
pub(crate) async fn all(
    app: &App,
    journal: &Journal,
    damaged: impl Fn(&str),
) -> Result<Vec<ClusterView>, CliError> {
    let rows = journal.runs().await?;
    let mut seen = BTreeSet::new();
    let mut views = Vec::new();
    for row in &rows {
        if seen.insert(row.cluster_id.to_string()) {
            let is_of_it = |other: &&RunRow| other.cluster_id == row.cluster_id;
            let of_it: Vec<_> = rows.iter().filter(is_of_it).cloned().collect();
            views.push(view(app, journal, row, &of_it, &damaged).await?);
        }
    }
    Ok(views)
}

/// The cluster that the first run, `row`, of these has made.
pub(crate) async fn view(
    app: &App,
    journal: &Journal,
    row: &RunRow,
    rows: &[RunRow],
    damaged: &impl Fn(&str),
) -> Result<ClusterView, CliError> {
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
        Err(error) if error.exit == Exit::Journal => {
            damaged(&error.message);
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
