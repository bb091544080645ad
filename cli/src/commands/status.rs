//! `status`: where a run and each of its steps stand.

use clap::Args;
use jiff::Timestamp;

use crate::app::App;
use crate::error::CliError;
use crate::render::status;
use crate::render::view::StatusView;
use crate::runs::{self, Found};
use crate::session;

/// Show where a run and each of its steps stand
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The run's id, or the beginning of it; by default the newest run
    run: Option<String>,
}

/// Shows one run.
pub(crate) async fn status(app: &App, args: &StatusArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let row = runs::choose(app, &journal, args.run.as_deref()).await?;
    let found = Found::look(&journal, row).await?;
    let view = StatusView::of(
        &found.state,
        found.held,
        session::next(app, &found.state, found.held),
    );
    if app.ui.json {
        app.ui.document(&view)
    } else {
        app.ui.line(&status::text(&view, Timestamp::now()))
    }
}
