//! `status`: where a run and each of its steps stand.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::render::{critical, status};
use crate::runs::{self, Found};
use crate::session;
use crate::views::chronicle::Chronicle;
use crate::views::critical::{CriticalPath, critical_path};
use crate::views::status::{Fate, StatusView};

/// Show where a run and each of its steps stand
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The run's id, or the beginning of it; by default the newest run
    run: Option<String>,
    /// Which steps the end of the newest generation waited for, one after the other, and what each took
    #[arg(long)]
    critical_path: bool,
}

/// The contract of `--json` with `--critical-path`.
#[derive(Serialize)]
struct WithPath<'a> {
    #[serde(flatten)]
    status: &'a StatusView,
    critical_path: Option<CriticalPath>,
}

/// Shows one run.
pub(crate) async fn status(app: &App, args: &StatusArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let row = runs::choose(app, &journal, args.run.as_deref()).await?;
    let found = Found::look(&journal, row).await?;
    let view = StatusView::of(
        &found.state,
        &found.standing(),
        found.held,
        Fate::of(&found.row, found.record.is_destroying()),
        session::next(app, &found, found.held),
    );
    if !args.critical_path {
        return match app.ui.json {
            true => app.ui.document(&view),
            false => app.ui.line(&status::text(&view, Timestamp::now())),
        };
    }
    let mut chronicle = Chronicle::default();
    chronicle.catch_up(&journal, found.state.run).await?;
    // Of a run that nobody drives, what is under way is known until it was last heard of.
    chronicle.until(match view.is_driven() {
        true => Timestamp::now(),
        false => found.state.moved_at,
    });
    let passage = chronicle.passages.last();
    let path = passage.map(|passage| critical_path(&found.state, passage));
    match (app.ui.json, path) {
        (true, path) => app.ui.document(&WithPath {
            status: &view,
            critical_path: path,
        }),
        (false, Some(path)) => app.ui.line(&critical::text(&path)),
        (false, None) => Ok(()),
    }
}
