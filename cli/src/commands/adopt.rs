//! `adopt`: a machine that joined a cluster by itself becomes one of its nodes.

use clap::Args;

use super::ground::Ground;
use crate::app::App;
use crate::clusters::ClusterArgs;
use crate::error::CliError;
use crate::session;
use crate::wiring::{
    self, AddSlavesSpec, AdoptWorkflow, Instance, Journal, Member, Role, Stranger, Verified,
};

/// Take a machine that joined the cluster by itself into its record: it is a node like the others, and stays its owner's to end
#[derive(Debug, Clone, Args)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    what: WhatArgs,
}

/// What is adopted, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// The machine: its instance id, an address or its name, as `mesosflow check` tells of it
    #[arg(value_name = "NODE")]
    node: String,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// An adoption that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: AddSlavesSpec,
    /// The machine as its provider calls it, and the name that it gets.
    pub(super) note: String,
}

/// Everything that can be refused is refused before the machine is touched.
pub(crate) async fn adopt(app: &App, args: &AdoptArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = ready(app, &journal, &args.what).await?;
    wiring::precheck(&ready.target).await?;
    let found = &ready.ground.found;
    wiring::refuse_makers(&app.places, &ready.target, &found.cluster(), &[]).await?;
    app.ui.note(&ready.note);
    let heard = session::heard(app)?;
    session::begin(
        app,
        journal,
        found,
        (&AdoptWorkflow, &ready.frozen),
        ready.target,
        heard,
    )
    .await
}

/// Looks at the cluster, and for the machine in its place.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let ground = Ground::of(app, journal, &what.cluster).await?;
    ground.refuse_absent(app, |_| false)?;
    let name = &ground.found.row.cluster;
    let cluster = ground.found.cluster();
    if ground.spec.of_ec2().is_none() {
        return Err(CliError::usage(format!(
            "cluster `{name}` is not on EC2: no machine joins it by itself"
        )));
    }
    let joining = wiring::joining(&ground.spec, &cluster).await?;
    let stranger = meant(&joining, &what.node, name)?;
    let index = ground.found.record.next_slave();
    let machine = Instance {
        id: stranger.id.clone(),
        name: Role::Slave.node_name(name, index),
        role: Role::Slave,
        index,
        private_ip: stranger.private_ip.ok_or_else(|| {
            CliError::refused(format!("{stranger} has no address yet")).hint("wait until it has booted")
        })?,
        public_ip: stranger.public_ip,
        volume: None,
    };
    let note = format!("{stranger} becomes {} of cluster `{name}`", machine.name);
    let member = Member {
        machine_type: None,
        index,
        joined: Some(machine),
    };
    let (target, frozen) = ground.adding(vec![member])?.ok_or_else(|| ground.no_machines())?;
    Ok(Ready {
        ground,
        target,
        frozen,
        note,
    })
}

/// The machine of that name among those that joined.
fn meant<'s>(joining: &'s [Stranger], node: &str, cluster: &str) -> Result<&'s Stranger, CliError> {
    let mut meant: Vec<_> = joining
        .iter()
        .filter(|stranger| is_called(stranger, node))
        .collect();
    match (meant.len(), meant.pop()) {
        (1, Some(stranger)) => Ok(stranger),
        (0, _) => {
            let error = CliError::usage(format!(
                "no machine `{node}` has joined cluster `{cluster}` by itself"
            ));
            let all: Vec<_> = joining.iter().map(|stranger| stranger.to_string()).collect();
            Err(match all.is_empty() {
                true => error.hint(
                    "none runs among its slaves that it did not launch; `mesosflow check` tells of those",
                ),
                false => error.hint(format!("these did: {}", all.join(", "))),
            })
        }
        _ => Err(
            CliError::usage(format!("`{node}` is the name of several machines")).hint("give its instance id"),
        ),
    }
}

/// Whether a machine goes by that word: its id, an address, its name, or its name in DNS with or without its domain.
fn is_called(stranger: &Stranger, word: &str) -> bool {
    let addresses = [stranger.private_ip, stranger.public_ip].into_iter().flatten();
    let mut words: Vec<_> = addresses.map(|address| address.to_string()).collect();
    words.extend([stranger.id.clone(), stranger.name.clone()]);
    if let Some(name) = &stranger.private_name {
        words.extend(name.split('.').next().map(str::to_owned));
        words.push(name.clone());
    }
    words.iter().any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(id: &str, ip: &str) -> Stranger {
        Stranger {
            name: "asg".into(),
            id: id.into(),
            private_ip: Some(ip.parse().unwrap()),
            private_name: Some(format!("ip-{}.ec2.internal", ip.replace('.', "-"))),
            may_join: true,
            ..Stranger::default()
        }
    }

    #[test]
    fn a_machine_is_known_by_whatever_names_it_alone() {
        let joining = [stranger("i-1", "10.0.0.1"), stranger("i-2", "10.0.0.2")];
        for word in ["i-2", "10.0.0.2", "ip-10-0-0-2", "ip-10-0-0-2.ec2.internal"] {
            assert_eq!(meant(&joining, word, "demo").unwrap().id, "i-2", "{word}");
        }
        let several = meant(&joining, "asg", "demo").unwrap_err();
        assert_eq!(several.exit.code(), 2);
        let none = meant(&joining, "10.0.0.20", "demo").unwrap_err();
        assert_eq!(none.exit.code(), 2);
        assert_eq!(none.hints, ["these did: asg (i-1), asg (i-2)"]);
    }
}
