//! `list`: all runs.

use crate::app::App;
use crate::error::CliError;
use crate::render::status;
use crate::render::view::RunView;
use crate::runs::Found;

/// The newest run comes last, where the eye is.
pub(crate) async fn list(app: &App) -> Result<(), CliError> {
    let mut runs = Vec::new();
    if let Some(journal) = app.existing_journal()? {
        for row in journal.runs().await? {
            let found = Found::look(&journal, row).await?;
            runs.push(RunView::of(&found.state, found.held));
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
