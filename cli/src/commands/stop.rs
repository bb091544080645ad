//! `stop`: the daemons of a cluster, then its machines.

use clap::Args;

use crate::app::App;
use crate::clusters::{self, ClusterArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::{self, Found};
use crate::session;
use crate::wiring::{self, ClusterSpec, Journal, Machine, Node, Role, StopSpec, StopWorkflow, Verified};

/// Stop a cluster, its daemons and then its machines, until `start`: what is on disks that outlive a stop stays
#[derive(Debug, Clone, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is stopped, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// End slaves on spot instances, which cannot be stopped; `start` launches others in their places
    #[arg(long)]
    terminate_spot: bool,
}

/// A stop that could begin.
pub(super) struct Ready {
    spec: Verified,
    pub(super) frozen: StopSpec,
    /// What it costs.
    pub(super) losses: Vec<String>,
}

/// Everything that can be refused is refused before anything is stopped.
pub(crate) async fn stop(app: &App, args: &StopArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let found = clusters::founded(app, &journal, &args.what.cluster).await?;
    let Some(Ready { spec, frozen, losses }) = ready(app, &journal, &found, &args.what).await? else {
        return session::told_already(app, &found, ALREADY);
    };
    app.ui.confirm(&losses, &command(app, &args.what), args.yes)?;
    let cluster = found.cluster();
    wiring::refuse_strangers(&app.places, &spec, &cluster, &app.cluster_dir(&cluster)).await?;
    let heard = session::heard(app)?;
    session::begin(app, journal, &found, (&StopWorkflow, &frozen), spec, heard).await
}

/// Why there is nothing to do.
pub(super) const ALREADY: &str = "is stopped already: nothing was done";

/// Looks at what there is to be stopped; none where all was stopped, and nobody has started a machine since.
pub(super) async fn ready(
    app: &App,
    journal: &Journal,
    found: &Found,
    what: &WhatArgs,
) -> Result<Option<Ready>, CliError> {
    session::refuse_ended(app, found)?;
    runs::refuse_busy(journal, found).await?;
    let spec = wiring::verify(found.spec()?).await?;
    let cluster = found.cluster();
    let machines = wiring::machines(&spec, &cluster).await?;
    let has_power = spec.provider.has_power();
    if found.record.is_stopped() && (!has_power || !machines.iter().any(|machine| machine.runs)) {
        return Ok(None);
    }
    let ending = spot_slaves(app, found, &spec, &machines, what)?;
    let (nodes, names) = (wiring::reachable(&cluster), &found.row.cluster);
    if nodes.is_empty() {
        return Err(CliError::new(
            Exit::Failed,
            format!("no node of cluster `{names}` has ever answered"),
        )
        .hint(format!(
            "to delete what there is of it: {}",
            app.places.command(&["destroy", &found.row.run.to_string()])
        )));
    }
    refuse_moved(app, found, &machines)?;
    let frozen = frozen(&spec, nodes, &machines, &ending);
    let losses = losses(&spec, &cluster, &frozen);
    Ok(Some(Ready { spec, frozen, losses }))
}

/// What the run has to know of the cluster: the nodes that run, and the machines that stop; some may end instead.
pub(super) fn frozen(
    spec: &Verified,
    nodes: Vec<Node>,
    machines: &[Machine],
    ending: &[wiring::Resource],
) -> StopSpec {
    let has_power = spec.provider.has_power();
    let running = |name: &str| {
        machines
            .iter()
            .any(|machine| machine.instance.name == name && machine.runs)
    };
    let nodes = nodes.into_iter().filter(|node| running(&node.name));
    let is_ending = |machine: &&Machine| ending.iter().any(|ending| ending.id == machine.instance.id);
    let stopping = machines
        .iter()
        .filter(|machine| !machine.is_gone && !is_ending(machine));
    StopSpec {
        cluster: spec.clone().into_spec(),
        nodes: nodes.collect(),
        machines: match has_power {
            true => stopping.map(|machine| machine.instance.clone()).collect(),
            false => Vec::new(),
        },
        ending: ending.to_vec(),
    }
}

/// Daemons of a node that is somewhere else could not be stopped, and those of all others would be.
fn refuse_moved(app: &App, found: &Found, machines: &[Machine]) -> Result<(), CliError> {
    let moved = machines.iter().filter(|machine| machine.has_moved);
    let names: Vec<_> = moved.map(|machine| machine.instance.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let name = &found.row.cluster;
    Err(CliError::refused(format!(
        "machines of cluster `{name}` are not where they were: nothing was stopped"
    ))
    .because(format!("another address: {}", names.join(", ")))
    .hint(format!(
        "to have the cluster know them there: {}",
        app.places.command(&["start", "--cluster", name])
    )))
}

/// Slaves that cannot be stopped, and end if the user says so.
fn spot_slaves(
    app: &App,
    found: &Found,
    spec: &ClusterSpec,
    machines: &[Machine],
    what: &WhatArgs,
) -> Result<Vec<wiring::Resource>, CliError> {
    if spec.of_ec2().is_none_or(|ec2| ec2.spot_price.is_none()) {
        return Ok(Vec::new());
    }
    let slaves = machines
        .iter()
        .filter(|machine| machine.instance.role == Role::Slave && !machine.is_gone);
    let slaves: Vec<_> = slaves.map(|machine| machine.resource()).collect();
    if slaves.is_empty() || what.terminate_spot {
        return Ok(slaves);
    }
    let names: Vec<_> = slaves.iter().map(|slave| slave.name.as_str()).collect();
    Err(CliError::refused(format!(
        "the slaves of cluster `{}` are spot instances, which EC2 ends and does not stop",
        found.row.cluster
    ))
    .because(format!("that is {}", names.join(", ")))
    .hint(format!(
        "to end them, with what is on their own disks, and have others launched by `start`: {}",
        command(
            app,
            &WhatArgs {
                terminate_spot: true,
                ..what.clone()
            }
        )
    )))
}

/// What a stop costs.
fn losses(spec: &ClusterSpec, cluster: &wiring::RunState, frozen: &StopSpec) -> Vec<String> {
    let name = &spec.cluster;
    let machines = match (spec.provider.has_power(), frozen.machines.len()) {
        (false, _) => "the hosts stay on".to_owned(),
        (_, 1) => "1 machine is stopped".to_owned(),
        (_, count) => format!("{count} machines are stopped"),
    };
    let mut losses = vec![format!(
        "cluster `{name}` does no work until `start`: Mesos and what runs on it, both HDFS and the shared volume end, and {machines}"
    )];
    let wiped = wiring::wiped_by_stop(spec, cluster);
    if !wiped.is_empty() {
        losses.push(format!(
            "EC2 wipes the ephemeral disks of what is stopped: those of the {} hold the ephemeral HDFS, which is lost",
            wiped.join(" and the ")
        ));
    }
    if !frozen.ending.is_empty() {
        let names: Vec<_> = frozen.ending.iter().map(|slave| slave.name.as_str()).collect();
        losses.push(format!(
            "spot instances end, with what is on their own disks: {}",
            names.join(", ")
        ));
    }
    losses
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, what: &WhatArgs) -> String {
    let mut words = vec!["stop"];
    if let Some(cluster) = &what.cluster.cluster {
        words.extend(["--cluster", cluster]);
    }
    if what.terminate_spot {
        words.push("--terminate-spot");
    }
    app.places.command(&words)
}
