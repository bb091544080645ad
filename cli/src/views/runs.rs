//! All runs of a journal.

use std::collections::BTreeSet;

use mesosflow_workflow::{PhaseKind, RunRow};

use super::status::{Fate, RunView};
use crate::error::CliError;
use crate::runs;
use crate::wiring::{self, Journal, Workflow};

/// All runs, oldest first.
pub(crate) async fn all(journal: &Journal) -> Result<Vec<RunView>, CliError> {
    let rows = journal.runs().await?;
    let clusters: BTreeSet<_> = rows.iter().map(|row| row.cluster_id).collect();
    let of = |cluster| rows.iter().filter(move |row| row.cluster_id == cluster);
    let is_going = |row: &RunRow| wiring::workflow(&row.workflow).is_some_and(Workflow::ends_cluster);
    let going: BTreeSet<_> = clusters
        .into_iter()
        .filter(|cluster| runs::latest(of(*cluster)).is_some_and(is_going))
        .collect();
    let mut views = Vec::new();
    for row in &rows {
        // Whether somebody drives it matters only of a run without an end.
        let held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
        let fate = Fate::of(row, going.contains(&row.cluster_id));
        views.push(RunView::listed(row, held, fate));
    }
    Ok(views)
}
