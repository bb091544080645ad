//! How a cluster is taken down, whatever state its history is in.

use clap::Args;
use mesosflow_workflow::RunId;

use crate::amend::AmendArgs;
use crate::app::App;

/// How a cluster is taken down.
#[derive(Debug, Clone, Args)]
pub(crate) struct DownArgs {
    /// Even where the nodes obey a driver that this journal does not know
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Do not ask; with --orphans or --owner, only together with --cluster
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) amend: AmendArgs,
}

impl DownArgs {
    /// The command line again.
    pub(crate) fn command(&self, app: &App, run: RunId) -> String {
        let (run, amend) = (run.to_string(), self.amend.words());
        let words = ["destroy", &run].into_iter();
        let words: Vec<_> = words.chain(amend.iter().map(String::as_str)).collect();
        app.places.command(&words)
    }
}
