//! `list`: all runs.

use std::collections::BTreeSet;

use clap::Args;
use mesosflow_workflow::{PhaseKind, RunRow};

use super::orphans;
use crate::app::App;
use crate::args::{PlaceArgs, word};
use crate::error::CliError;
use crate::render::status;
use crate::render::view::{Fate, RunView};
use crate::runs;
use crate::wiring::{self, ProviderKind, Workflow};

/// Show all runs, or what exists and belongs to none
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Show what carries mesosflow's tags and belongs to no run of this journal, or to one that is over
    #[arg(long)]
    orphans: bool,
    /// The provider that is asked; by default each that can be used from here
    #[arg(long, requires = "orphans", value_parser = word::<ProviderKind>())]
    provider: Option<ProviderKind>,
    #[command(flatten, next_help_heading = "EC2")]
    place: PlaceArgs,
}

/// The newest run comes last, where the eye is.
pub(crate) async fn list(app: &App, args: &ListArgs) -> Result<(), CliError> {
    if args.orphans {
        return orphans::list(app, args.provider, &args.place).await;
    }
    let mut views = Vec::new();
    if let Some(journal) = app.existing_journal()? {
        let rows = journal.runs().await?;
        let clusters: BTreeSet<_> = rows.iter().map(|row| row.cluster_id).collect();
        let of = |cluster| rows.iter().filter(move |row| row.cluster_id == cluster);
        let is_going = |row: &RunRow| wiring::workflow(&row.workflow).is_some_and(Workflow::ends_cluster);
        let going: BTreeSet<_> = clusters
            .into_iter()
            .filter(|cluster| runs::latest(of(*cluster)).is_some_and(is_going))
            .collect();
        for row in &rows {
            // Whether somebody drives it matters only of a run without an end.
            let held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
            let fate = Fate::of(row, going.contains(&row.cluster_id));
            views.push(RunView::listed(row, held, fate));
        }
    }
    if app.ui.json {
        return app.ui.document(&views);
    }
    if views.is_empty() {
        app.ui.note(&format!(
            "no runs yet in the journal `{}`",
            app.places.journal().display()
        ));
        return Ok(());
    }
    app.ui.line(&status::list(&views))
}
