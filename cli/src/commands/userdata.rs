//! `userdata`: what makes a machine a slave of a cluster, all by itself, on its first boot.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::{self, Dns, Inventory};

/// Show the user data that makes a machine a slave of a cluster on its first boot
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct UserdataArgs {
    #[command(flatten)]
    of: ClusterArgs,
    /// What the machine is to be
    #[arg(long, value_enum)]
    role: Joining,
    /// Where the machine asks for the ZooKeepers, should nothing else know them: a domain with SRV records `_mesos-zk._tcp`
    #[arg(long, value_name = "DOMAIN", value_parser = dns_name)]
    dns_domain: Option<String>,
    /// The same: a name whose addresses are the ZooKeepers'
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    dns_name: Option<String>,
}

/// What can join by itself: another master is another quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Joining {
    /// A Mesos agent with a datanode of each HDFS
    MesosSlave,
}

const HELP: &str = "\
For a launch template, with an image that `mesosflow image prepare` made, in the cluster's subnet and its security group of slaves: \
each machine that it starts joins the cluster. It holds no secret: the cluster's public key lets in whoever drives the cluster. It is made of the cluster as it is now: after a change of its \
configuration, make it anew. docs/roles.md says who can join.

  mesosflow userdata --role mesos-slave > slave.sh
  aws ec2 create-launch-template-version ... --launch-template-data \"{\\\"UserData\\\": \\\"$(base64 -w0 slave.sh)\\\"}\"";

#[derive(Serialize)]
struct UserData<'a> {
    cluster: &'a str,
    role: &'static str,
    /// Bytes; EC2 takes 16384.
    bytes: usize,
    user_data: &'a str,
}

/// A name as DNS has them, in letters that every program takes.
fn dns_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    match name.len() <= 253 && name.split('.').all(is_label) {
        true => Ok(name.to_owned()),
        false => Err("it is no name that DNS could have".to_owned()),
    }
}

/// Prints it.
pub(crate) async fn userdata(app: &App, args: &UserdataArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    let cluster = living.row.cluster.clone();
    if living.spec.of_ec2().is_none() {
        return Err(CliError::new(
            Exit::Usage,
            format!("cluster `{cluster}` is not on EC2: no machine joins it by user data"),
        )
        .hint("`mesosflow roles export --format ansible` brings the roles to machines of other kinds"));
    }
    let Joining::MesosSlave = args.role;
    let inventory = Inventory::new(living.nodes.iter().cloned());
    let inventory = inventory.ok_or_else(|| {
        CliError::new(Exit::Failed, format!("no master of cluster `{cluster}` is known"))
            .hint("`mesosflow status` shows its nodes")
    })?;
    let dns = Dns {
        domain: args.dns_domain.clone(),
        name: args.dns_name.clone(),
    };
    let text = wiring::user_data(&living.spec, &living.state, &inventory, &dns, living.epoch())?;
    match app.ui.json {
        true => app.ui.object(&UserData {
            cluster: &cluster,
            role: "mesos-slave",
            bytes: text.len(),
            user_data: &text,
        }),
        false => app.ui.line(text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_dns_could_have() {
        for good in ["example.com", "_mesos.example.com.", "zk", "a-b.c"] {
            assert!(dns_name(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a..b",
            "-a.b",
            "a b",
            "a;b",
            "$(x)",
            "a/b",
            &"a".repeat(64),
        ] {
            assert!(dns_name(bad).is_err(), "{bad}");
        }
    }
}
