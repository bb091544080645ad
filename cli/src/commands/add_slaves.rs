//! `add-slaves`: more slaves for a cluster that works.

use clap::Args;

use super::ground::Ground;
use crate::app::App;
use crate::clusters::ClusterArgs;
use crate::error::CliError;
use crate::session;
use crate::wiring::{self, AddSlavesSpec, AddSlavesWorkflow, Journal, Member, Role, Verified};

/// Add slaves to a cluster, which goes on working meanwhile
#[derive(Debug, Clone, Args)]
pub(crate) struct AddSlavesArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is added, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// How many
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// The instance type of these, on EC2; by default that of the other slaves. It has to have as many ephemeral disks
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// An addition that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: AddSlavesSpec,
    /// What should be known of it.
    pub(super) notes: Vec<String>,
}

/// Everything that can be refused is refused before anything is launched.
pub(crate) async fn add_slaves(app: &App, args: &AddSlavesArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let Ready {
        ground,
        target,
        frozen,
        notes,
    } = ready(app, &journal, &args.what).await?;
    wiring::precheck(&target).await?;
    let found = &ground.found;
    wiring::refuse_makers(&app.places, &target, &found.cluster(), &[]).await?;
    for note in &notes {
        app.ui.note(note);
    }
    if target.of_ec2().is_some() {
        app.ui.ask(args.yes)?;
    }
    let heard = session::heard(app)?;
    session::begin(app, journal, found, (&AddSlavesWorkflow, &frozen), target, heard).await
}

/// Looks at the cluster, and at what would be added to it.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let ground = Ground::of(app, journal, &what.cluster).await?;
    ground.refuse_absent(app, |_| false)?;
    let name = &ground.found.row.cluster;
    let next = ground.found.record.next_slave();
    let more = (0..what.count).filter_map(|more| next.checked_add(more));
    let machine_type = match &what.instance_type {
        Some(name) => wiring::another_type(&ground.spec, &ground.found.cluster(), name).await?,
        None => None,
    };
    let more = more.map(|index| Member {
        machine_type: machine_type.clone(),
        ..Member::launched(index)
    });
    let more = more.collect();
    let (target, frozen) = ground.adding(more)?.ok_or_else(|| ground.no_machines())?;
    let names = frozen.adding.iter();
    let names: Vec<_> = names.map(|index| Role::Slave.node_name(name, *index)).collect();
    let kind = machine_type.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let mut notes = vec![format!("cluster `{name}` gets {}{kind}", names.join(", "))];
    notes.extend(wiring::replication_change(&ground.spec, &target));
    Ok(Ready {
        ground,
        target,
        frozen,
        notes,
    })
}
