//! `get-master`: the address of the leading Mesos master.

use clap::Args;
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ssh::address;
use crate::wiring;

/// Print the address of the leading Mesos master
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct GetMasterArgs {
    #[command(flatten)]
    of: ClusterArgs,
}

const HELP: &str = "\
Prints the address that you reach it under, and nothing else. The masters themselves are asked, from a node that answers: \
ZooKeeper goes on naming one that has died until its session ends.";

#[derive(Serialize)]
struct Master<'a> {
    node: &'a str,
    address: String,
    private_ip: String,
    port: u16,
}

/// Asks, and prints.
pub(crate) async fn get_master(app: &App, args: &GetMasterArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    drop(journal);
    let outside = living.outside()?;
    let masters = living.masters();
    let (mut answered, mut causes) = (false, Vec::new());
    for node in &living.nodes {
        match wiring::leading_master(&outside, node, &masters).await {
            Ok(Some(master)) => {
                return match app.ui.json {
                    true => app.ui.object(&Master {
                        node: &master.name,
                        address: address(&master),
                        private_ip: master.private_ip.to_string(),
                        port: wiring::MESOS_MASTER_PORT,
                    }),
                    false => app.ui.line(&address(&master)),
                };
            }
            // From one node the leader may not be seen, from all masters it is.
            Ok(None) => answered = true,
            Err(cause) => causes.push(cause),
        }
    }
    let cluster = &living.row.cluster;
    let message = match answered {
        true => format!("no master of cluster `{cluster}` leads"),
        false => format!("no node of cluster `{cluster}` can be asked which master leads"),
    };
    let error = causes
        .into_iter()
        .take(3)
        .fold(CliError::new(Exit::Failed, message), CliError::because);
    Err(match outside.locked_out(&living.spec) {
        Some(locked_out) => error.hint(locked_out.to_string()),
        None => error
            .hint("an election takes some seconds; `systemctl status mesos-master` on a master says more"),
    })
}
