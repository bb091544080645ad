//! `ssh-config`: a cluster for the user's own SSH configuration.

use clap::Args;
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::ssh::SshFiles;

/// Print the nodes of a cluster for one's own SSH configuration
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct SshConfigArgs {
    #[command(flatten)]
    of: ClusterArgs,
}

const HELP: &str = "\
  mesosflow ssh-config > ~/.ssh/demo.config     and in ~/.ssh/config, at the top:  Include demo.config

Then `ssh demo-slave-1`, `scp`, `rsync` and the like work by the nodes' names, with the cluster's key and its pinned host keys.";

#[derive(Serialize)]
struct Config<'a> {
    cluster: &'a str,
    config: String,
}

/// Prints it.
pub(crate) async fn ssh_config(app: &App, args: &SshConfigArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    let config = SshFiles::write(&living)?.hosts(&living.nodes);
    match app.ui.json {
        true => app.ui.object(&Config {
            cluster: &living.row.cluster,
            config,
        }),
        false => app.ui.line(config.trim_end()),
    }
}
