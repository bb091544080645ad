//! The first page: what there is.

use serde::Serialize;

use super::frame::Frame;
use super::run::RunRowView;
use crate::app::App;
use crate::error::CliError;
use crate::health::Health;
use crate::views::cluster::{self, ClusterView};
use crate::views::runs;
use crate::wiring::Journal;

/// How many runs are shown.
const SHOWN: usize = 200;

#[derive(Debug, Serialize)]
struct Page {
    /// Newest first.
    clusters: Vec<Row>,
    runs: Vec<RunRowView>,
    older_runs: usize,
}

/// A cluster, as the list has it.
#[derive(Debug, Serialize)]
struct Row {
    cluster_id: String,
    cluster: String,
    state: &'static str,
    provider: String,
    masters: String,
    slaves: String,
    zookeepers: String,
    mesos: String,
    health: String,
}

impl Row {
    fn of(view: ClusterView) -> Self {
        let count = |count: Option<usize>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        Self {
            cluster_id: view.cluster_id.to_string(),
            state: view.state,
            provider: view.provider,
            masters: count(view.masters),
            slaves: count(view.slaves),
            zookeepers: count(view.zookeepers),
            mesos: view.mesos_version.unwrap_or_default(),
            health: view.health.as_ref().map(Health::text).unwrap_or_default(),
            cluster: view.cluster,
        }
    }
}

/// The page; without a journal there is nothing on it.
pub(super) async fn served(app: &App, journal: Option<&Journal>, frame: Frame) -> Result<String, CliError> {
    let mut page = Page {
        clusters: Vec::new(),
        runs: Vec::new(),
        older_runs: 0,
    };
    if let Some(journal) = journal {
        // What cannot be read of one has a question mark.
        let clusters = cluster::all(app, journal, |_| ()).await?;
        page.clusters = clusters.into_iter().rev().map(Row::of).collect();
        let runs = runs::all(journal).await?;
        page.older_runs = runs.len().saturating_sub(SHOWN);
        page.runs = runs.iter().rev().take(SHOWN).map(RunRowView::of).collect();
    }
    frame.around("overview.html", &page)
}
