//! `get-master`: the address of the leading Mesos master.

use clap::Args;
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ssh::address;
use crate::wiring::{self, Node, Role};

/// Print the address of the leading Mesos master
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct GetMasterArgs {
    #[command(flatten)]
    of: ClusterArgs,
}

const HELP: &str = "\
Prints the address that you reach it under, and nothing else. ZooKeeper is asked, one server after the other until one answers; it \
goes on naming a master that has died until its session ends, some ten seconds later. Without ZooKeeper the only master itself is \
asked whether it leads.";

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
    let (masters, zookeepers) = (living.of(Role::Master), living.of(Role::Zookeeper));
    let asked = wiring::leading_master(&outside, &zookeepers, &masters).await;
    let cluster = &living.row.cluster;
    let failed = |message: String, causes: Vec<String>| {
        let causes = causes.into_iter();
        causes.fold(CliError::new(Exit::Failed, message), CliError::because)
    };
    let error = match asked {
        Ok(Some(leader)) => match masters.iter().find(|master| master.private_ip == leader) {
            Some(master) => return tell(app, master),
            None => failed(
                format!("{leader} leads, which is no master of cluster `{cluster}` that was ever reached"),
                Vec::new(),
            ),
        },
        Ok(None) => failed(format!("no master of cluster `{cluster}` leads"), Vec::new()),
        Err(causes) => failed(
            format!("nothing of cluster `{cluster}` can be asked which master leads"),
            causes,
        ),
    };
    Err(match outside.locked_out(&living.spec) {
        Some(locked_out) => error.hint(locked_out.to_string()),
        None => error
            .hint("an election takes some seconds; `systemctl status mesos-master` on a master says more"),
    })
}

fn tell(app: &App, master: &Node) -> Result<(), CliError> {
    match app.ui.json {
        true => app.ui.object(&Master {
            node: &master.name,
            address: address(master),
            private_ip: master.private_ip.to_string(),
            port: wiring::MESOS_MASTER_PORT,
        }),
        false => app.ui.line(&address(master)),
    }
}
