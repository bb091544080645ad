//! `list`: all runs.

use mesosflow_workflow::PhaseKind;

use crate::app::App;
use crate::error::CliError;
use crate::render::status;
use crate::render::view::RunView;

/// The newest run comes last, where the eye is.
pub(crate) async fn list(app: &App) -> Result<(), CliError> {
    let mut runs = Vec::new();
    if let Some(journal) = app.existing_journal()? {
        for row in journal.runs().await? {
            // Whether somebody drives it matters only of a run without an end.
            let held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
            runs.push(RunView::listed(&row, held));
        }
    }
    if app.ui.json {
        return app.ui.document(&runs);
    }
    if runs.is_empty() {
        app.ui.note(&format!(
            "no runs yet in the journal `{}`",
            app.places.journal().display()
        ));
        return Ok(());
    }
    app.ui.line(&status::list(&runs))
}
