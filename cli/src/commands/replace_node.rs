//! `replace-node`: another machine takes the place of one.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::ground::Ground;
use super::remove_slaves;
use crate::app::App;
use crate::clusters::ClusterArgs;
use crate::error::CliError;
use crate::render::duration;
use crate::session;
use crate::wiring::{
    self, ClusterSpec, Journal, Member, Node, ReplaceNodeSpec, ReplaceNodeWorkflow, Replacing, Resource,
    Role, Verified,
};

/// Give a node, dead or living, another machine under the same name and address; the cluster goes on working meanwhile
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplaceNodeArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is replaced, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// The node, with or without the cluster's name in front: `slave-3`, `zookeeper-1`, `master-2`
    #[arg(value_name = "NAME")]
    name: String,
    /// How long tasks on it may take to end by themselves; what is left then is ended
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    drain_timeout: NonZeroU32,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// A replacement that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: ReplaceNodeSpec,
    /// What it costs.
    pub(super) losses: Vec<String>,
}

/// Everything that can be refused is refused before anything is stopped.
pub(crate) async fn replace_node(app: &App, args: &ReplaceNodeArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let Ready {
        ground,
        target,
        frozen,
        losses,
    } = ready(app, &journal, &args.what).await?;
    wiring::precheck(&target).await?;
    app.ui.confirm(&losses, &command(app, &args.what), args.yes)?;
    let (found, cluster) = (&ground.found, ground.found.cluster());
    wiring::refuse_strangers(&app.places, &target, &cluster, &app.cluster_dir(&cluster)).await?;
    let heard = session::heard(app)?;
    session::begin(
        app,
        journal,
        found,
        (&ReplaceNodeWorkflow, &frozen),
        target,
        heard,
    )
    .await
}

/// Looks at the cluster, at whether the node answers, and at what the others would do without it.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let ground = Ground::of(app, journal, &what.cluster).await?;
    let node = meant(&ground, what)?;
    ground.refuse_absent(app, |name| name == node.name)?;
    let target = ground.target(launched(&ground, &node))?;
    let cluster = ground.found.cluster();
    let (Some(image), Some(groups)) = wiring::launched_from(&cluster) else {
        return Err(ground.no_machines());
    };
    let world = wiring::open_outside(ground.spec.clone(), &cluster, &app.cluster_dir(&cluster)).await?;
    let runs = ground.runs(&node);
    let answers = runs
        && !wiring::answering(&world, std::slice::from_ref(&node))
            .await
            .is_empty();
    let nodes = ground.nodes.iter().filter(|other| other.name != node.name);
    let nodes: Vec<Node> = nodes.cloned().collect();
    let Replacing {
        gives,
        gives_up,
        keeper,
        lost,
        losses: of_role,
    } = wiring::replacing(&world, (&node, runs, answers), &nodes, &ground.file_systems).await?;
    let frozen = ReplaceNodeSpec {
        cluster: target.clone().into_spec(),
        answers,
        gives,
        gives_up,
        keeper,
        lost,
        without: Vec::new(),
        resources: resources(&ground, &node),
        nodes,
        node,
        image,
        groups,
        file_systems: ground.file_systems.clone(),
        drain_timeout_s: what.drain_timeout.get().into(),
    };
    let mut losses = vec![loss(&ground, &frozen)];
    losses.extend(of_role);
    Ok(Ready {
        ground,
        target,
        frozen,
        losses,
    })
}

/// The node that is replaced.
fn meant(ground: &Ground, what: &WhatArgs) -> Result<Node, CliError> {
    let (cluster, name) = (&ground.found.row.cluster, &what.name);
    let long = format!("{cluster}-{name}");
    let found = ground
        .nodes
        .iter()
        .find(|node| node.name == *name || node.name == long);
    let Some(node) = found else {
        let names: Vec<_> = ground.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(
            CliError::usage(format!("cluster `{cluster}` has no node `{name}`"))
                .hint(format!("its nodes are {}", names.join(", "))),
        );
    };
    Ok(node.clone())
}

/// The cluster with a machine of mesosflow's in that place, whoever has launched the one of before.
fn launched(ground: &Ground, node: &Node) -> ClusterSpec {
    let spec = ground.spec.clone().into_spec();
    if node.role != Role::Slave {
        return spec;
    }
    let members = spec.members().into_iter();
    let members = members.map(|member| match member.joined {
        Some(_) if member.index == node.index => Member::launched(node.index),
        _ => member,
    });
    let members = members.collect();
    spec.with_members(members)
}

/// What the provider has of its machine, but for the volume of the persistent HDFS, which the new one gets.
fn resources(ground: &Ground, node: &Node) -> Vec<Resource> {
    let all = remove_slaves::resources(ground, std::slice::from_ref(node)).into_iter();
    let stays = |resource: &Resource| Some(&resource.id) == node.volume.as_ref();
    all.filter(|resource| !stays(resource)).collect()
}

/// What a replacement costs, whatever the role.
fn loss(ground: &Ground, frozen: &ReplaceNodeSpec) -> String {
    let (cluster, name) = (&ground.found.row.cluster, &frozen.node.name);
    let ends = match ground.spec.is_adopted(&frozen.node.id) {
        true => "its machine stays, which its owner has launched",
        false => "its machine ends, with what is on its disks",
    };
    let volume = match &frozen.node.volume {
        Some(volume) => format!("; {volume} goes to the new one"),
        None => String::new(),
    };
    let tasks = match frozen.node.role {
        Role::Slave if frozen.answers => {
            let limit = duration::text(Duration::from_secs(frozen.drain_timeout_s));
            format!("; tasks that run there after {limit} are ended")
        }
        _ if !frozen.answers => "; it does not answer".to_owned(),
        _ => String::new(),
    };
    format!("cluster `{cluster}` gets another machine for {name}: {ends}{volume}{tasks}")
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, what: &WhatArgs) -> String {
    let time = what.drain_timeout.to_string();
    let mut words = vec!["replace-node", &what.name, "--drain-timeout", &time];
    if let Some(cluster) = &what.cluster.cluster {
        words.extend(["--cluster", cluster]);
    }
    app.places.command(&words)
}
