//! `clusters`: what exists, and what has existed.

use clap::Args;

use crate::app::App;
use crate::error::CliError;
use crate::health::Health;
use crate::render::table::table;
use crate::views::cluster::{self, ClusterView};

/// Show the clusters: what exists, and what has existed
#[derive(Debug, Clone, Args)]
pub(crate) struct ClustersArgs {}

/// The newest comes last, where the eye is.
pub(crate) async fn clusters(app: &App, ClustersArgs {}: &ClustersArgs) -> Result<(), CliError> {
    let views = match app.existing_journal()? {
        Some(journal) => cluster::all(app, &journal, |damaged| app.ui.warn(damaged)).await?,
        None => Vec::new(),
    };
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
