//! What every command that drives a run takes, beside its own.

use clap::Args;

use crate::app::App;
use crate::error::CliError;
use crate::notify::check_command;

// The help of the command is that of its own arguments.
#[derive(Debug, Clone, Args)]
pub(crate) struct Driven<A: Args> {
    #[command(flatten)]
    pub(super) own: A,
    /// Run a command by `sh -c` once the run has ended, however it has: with what `status --json` says on its standard input, and
    /// MESOSFLOW_RUN, _CLUSTER, _WORKFLOW and _STATE in its environment; for 30 s at most. In place of the configuration's `notify.command`
    // The heading of whatever stands above ends here.
    #[arg(long, value_name = "CMD", value_parser = command, help_heading = None::<&str>)]
    notify: Option<String>,
}

impl<A: Args> Driven<A> {
    /// What the command works with: who is to be told of the run's end is settled before anything else.
    pub(super) fn app(&self, app: &App) -> Result<App, CliError> {
        app.telling(self.notify.as_deref())
    }
}

fn command(text: &str) -> Result<String, String> {
    check_command(text).map_err(|what| format!("it {what}"))?;
    Ok(text.to_owned())
}
