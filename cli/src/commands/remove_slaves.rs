//! `remove-slaves`: a cluster goes on with fewer slaves.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::ground::Ground;
use crate::app::App;
use crate::clusters::ClusterArgs;
use crate::error::CliError;
use crate::render::duration;
use crate::session;
use crate::wiring::{
    self, Journal, Member, Node, RemoveSlavesSpec, RemoveSlavesWorkflow, Resource, Role, Verified,
};

/// Remove slaves from a cluster, which goes on working meanwhile: their tasks and blocks go elsewhere first
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveSlavesArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is removed, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// The slaves, with or without the cluster's name in front: `slave-3`
    #[arg(value_name = "NAME", required_unless_present = "count")]
    names: Vec<String>,
    /// How many, the newest first
    #[arg(long, value_name = "N", conflicts_with = "names", value_parser = clap::value_parser!(u16).range(1..))]
    count: Option<u16>,
    /// How long tasks on them may take to end by themselves; what is left then is ended
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    drain_timeout: NonZeroU32,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// A removal that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: RemoveSlavesSpec,
    /// What it costs.
    pub(super) losses: Vec<String>,
}

/// Everything that can be refused is refused before anything is drained.
pub(crate) async fn remove_slaves(app: &App, args: &RemoveSlavesArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let Ready {
        ground,
        target,
        frozen,
        losses,
    } = ready(app, &journal, &args.what).await?;
    app.ui.confirm(&losses, &command(app, &args.what), args.yes)?;
    let (found, cluster) = (&ground.found, ground.found.cluster());
    wiring::refuse_strangers(&app.places, &target, &cluster, &app.cluster_dir(&cluster)).await?;
    let heard = session::heard(app)?;
    session::begin(
        app,
        journal,
        found,
        (&RemoveSlavesWorkflow, &frozen),
        target,
        heard,
    )
    .await
}

/// Looks at the cluster, and at what leaves it: which of its nodes answer, and what their files would meet with.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let ground = Ground::of(app, journal, &what.cluster).await?;
    let names = meant(&ground, what)?;
    ground.refuse_absent(app, |name| names.contains(name))?;
    let (leaving, nodes): (Vec<_>, Vec<_>) = ground
        .nodes
        .iter()
        .cloned()
        .partition(|node| names.contains(&node.name));
    let is_going = |index: u16| names.contains(&Role::Slave.node_name(&ground.spec.cluster, index));
    let members = ground.spec.members().into_iter();
    let members: Vec<Member> = members.filter(|member| !is_going(member.index)).collect();
    if members.is_empty() {
        return Err(CliError::usage(format!(
            "cluster `{}` would have no slave left",
            ground.found.row.cluster
        ))
        .hint("let at least one stay, or `mesosflow destroy` the cluster"));
    }
    let target = ground.target(ground.spec.clone().into_spec().with_members(members))?;
    let cluster = ground.found.cluster();
    let world = wiring::open_outside(ground.spec.clone(), &cluster, &app.cluster_dir(&cluster)).await?;
    let running = leaving.iter().filter(|node| ground.runs(node));
    let running: Vec<_> = running.cloned().collect();
    let answering = wiring::answering(&world, &running).await;
    let outlook = wiring::leaving(&world, &leaving, &nodes).await?;
    let (image, groups) = wiring::launched_from(&cluster);
    let silent = leaving.iter().filter(|node| !answering.contains(&node.name));
    let frozen = RemoveSlavesSpec {
        cluster: target.clone().into_spec(),
        silent: silent.map(|node| node.name.clone()).collect(),
        without: Vec::new(),
        resources: resources(&ground, &leaving),
        nodes,
        leaving,
        image,
        groups,
        file_systems: ground.file_systems.clone(),
        drain_timeout_s: what.drain_timeout.get().into(),
        lower_replication: true,
    };
    let mut losses = losses(&ground, &frozen, what);
    losses.extend(outlook);
    losses.extend(wiring::replication_change(&ground.spec, &target));
    Ok(Ready {
        ground,
        target,
        frozen,
        losses,
    })
}

/// The names of the nodes that are to leave.
fn meant(ground: &Ground, what: &WhatArgs) -> Result<BTreeSet<String>, CliError> {
    let cluster = &ground.found.row.cluster;
    let slaves: Vec<_> = ground
        .spec
        .members()
        .iter()
        .map(|member| Role::Slave.node_name(cluster, member.index))
        .collect();
    if let Some(count) = what.count {
        let count = usize::from(count);
        if count >= slaves.len() {
            return Err(CliError::usage(format!(
                "cluster `{cluster}` has {} slaves, of which at least one has to stay",
                slaves.len()
            )));
        }
        return Ok(slaves.into_iter().rev().take(count).collect());
    }
    let mut names = BTreeSet::new();
    for name in &what.names {
        let long = format!("{cluster}-{name}");
        let found = slaves.iter().find(|slave| *slave == name || **slave == long);
        names.insert(found.cloned().ok_or_else(|| {
            CliError::usage(format!("cluster `{cluster}` has no slave `{name}`"))
                .hint(format!("its slaves are {}", slaves.join(", ")))
        })?);
    }
    Ok(names)
}

/// What the provider has of these nodes: their machines, and all that carries their names.
pub(super) fn resources(ground: &Ground, leaving: &[Node]) -> Vec<Resource> {
    let is_theirs = |resource: &Resource| {
        leaving
            .iter()
            .any(|node| node.id == resource.id || node.name == resource.name)
    };
    let all = ground.found.record.resources().into_iter();
    all.filter(is_theirs).collect()
}

/// What a removal costs.
fn losses(ground: &Ground, frozen: &RemoveSlavesSpec, what: &WhatArgs) -> Vec<String> {
    let name = &ground.found.row.cluster;
    let is_kept = |node: &&Node| ground.spec.is_adopted(&node.id);
    let (kept, ending): (Vec<_>, Vec<_>) = frozen.leaving.iter().partition(is_kept);
    let names = |nodes: &[&Node]| {
        let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
        names.join(", ")
    };
    let mut losses = vec![format!(
        "cluster `{name}` loses {}: tasks that run there after {} are ended",
        names(&frozen.leaving.iter().collect::<Vec<_>>()),
        duration::text(Duration::from_secs(what.drain_timeout.get().into()))
    )];
    if !ending.is_empty() {
        losses.push(format!(
            "machines end, with what is on their disks: {}",
            names(&ending)
        ));
    }
    if !kept.is_empty() {
        losses.push(format!(
            "machines stay, which their owner has launched: {}",
            names(&kept)
        ));
    }
    if !frozen.silent.is_empty() {
        losses.push(format!(
            "what runs there ends with the machines, since these do not answer: {}",
            frozen.silent.join(", ")
        ));
    }
    losses
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, what: &WhatArgs) -> String {
    let count = what.count.map(|count| count.to_string());
    let time = what.drain_timeout.to_string();
    let mut words = vec!["remove-slaves"];
    words.extend(what.names.iter().map(String::as_str));
    if let Some(count) = &count {
        words.extend(["--count", count]);
    }
    words.extend(["--drain-timeout", &time]);
    if let Some(cluster) = &what.cluster.cluster {
        words.extend(["--cluster", cluster]);
    }
    app.places.command(&words)
}
