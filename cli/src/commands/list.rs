//! `list`: all runs.

use clap::Args;

use super::orphans;
use crate::app::App;
use crate::args::{PlaceArgs, word};
use crate::error::CliError;
use crate::render::status;
use crate::views::runs;
use crate::wiring::ProviderKind;

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
    let views = match app.existing_journal()? {
        Some(journal) => runs::all(&journal).await?,
        None => Vec::new(),
    };
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
