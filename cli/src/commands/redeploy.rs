//! `redeploy`: another Mesos for a cluster that works.

use std::num::{NonZeroU16, NonZeroU32};

use clap::Args;

use super::ground::Ground;
use crate::app::App;
use crate::args::MesosArgs;
use crate::clusters::ClusterArgs;
use crate::config::{Surroundings, another_mesos};
use crate::error::CliError;
use crate::session;
use crate::wiring::{
    self, ClusterSpec, Journal, MesosSource, Node, RedeploySpec, RedeployWorkflow, Role, Verified,
};

/// Give a cluster another Mesos, node by node, while it goes on working
#[derive(Debug, Clone, Args)]
pub(crate) struct RedeployArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is rolled out, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    #[command(flatten)]
    mesos: MesosArgs,
    /// How many agents are out at once; by default a tenth of them, one at least
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroU16>,
    /// How long tasks may take to end by themselves on agents that have to begin anew; what is left then is ended
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    drain_timeout: NonZeroU32,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// A roll that could begin.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: RedeploySpec,
    /// What it costs.
    pub(super) losses: Vec<String>,
    /// Whether all of it is there already.
    pub(super) is_there: bool,
}

/// Why there is nothing to do.
pub(super) const ALREADY: &str = "has that Mesos on every node: nothing was done";

/// Everything that can be refused is refused before anything is brought to a node.
pub(crate) async fn redeploy(app: &App, args: &RedeployArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let Ready {
        ground,
        target,
        frozen,
        losses,
        is_there,
    } = ready(app, &journal, &args.what).await?;
    let (found, cluster) = (&ground.found, ground.found.cluster());
    if is_there {
        return session::told_already(app, found, ALREADY);
    }
    app.ui.confirm(&losses, &command(app, &args.what), args.yes)?;
    wiring::refuse_strangers(&app.places, &target, &cluster, &app.cluster_dir(&cluster)).await?;
    let heard = session::heard(app)?;
    session::begin(app, journal, found, (&RedeployWorkflow, &frozen), target, heard).await
}

/// Looks at the cluster, at what Mesos its nodes have, and at whose tasks would not outlive the roll.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let ground = Ground::of(app, journal, &what.cluster).await?;
    ground.refuse_absent(app, |_| false)?;
    let name = &ground.found.row.cluster;
    let around = Surroundings::of_process()?;
    let mesos = another_mesos(&ground.spec.mesos, &what.mesos, &around.cwd);
    if mesos.source == MesosSource::None {
        return Err(CliError::usage(format!(
            "the image of cluster `{name}` has no other Mesos than it had"
        ))
        .hint("name a build: `--mesos-url TARBALL`, or `--mesos-repository` and `--mesos-branch`"));
    }
    let target = ground.target(ClusterSpec {
        mesos,
        ..ground.spec.clone().into_spec()
    })?;
    let before = wiring::built_mesos(&ground.found.record);
    let before = before.ok_or_else(|| {
        CliError::refused(format!("it is not known which Mesos cluster `{name}` has")).hint(format!(
            "to find out: {}",
            app.places
                .command(&["replay", "--from", "build-mesos", "--to", "build-mesos"])
        ))
    })?;
    let cluster = ground.found.cluster();
    let world = wiring::open_outside(ground.spec.clone(), &cluster, &app.cluster_dir(&cluster)).await?;
    let of = |role: Role| {
        let nodes = ground.nodes.iter().filter(move |node| node.role == role);
        nodes.cloned().collect::<Vec<Node>>()
    };
    let (masters, slaves) = (of(Role::Master), of(Role::Slave));
    let of_mesos = [&masters[..], &slaves[..]].concat();
    let is_there = wiring::has_mesos(&world, &target.mesos, &of_mesos).await?;
    let (image, groups) = wiring::launched_from(&cluster);
    let count = u16::try_from(slaves.len()).unwrap_or(u16::MAX);
    let frozen = RedeploySpec {
        cluster: target.clone().into_spec(),
        before,
        known: None,
        nodes: ground.nodes.clone(),
        without: Vec::new(),
        image,
        groups,
        file_systems: ground.file_systems.clone(),
        batch: what.batch.map_or_else(|| count.div_ceil(10), NonZeroU16::get),
        anew: wiring::begin_anew(&world, &slaves).await?,
        silenced: Vec::new(),
        drain_timeout_s: what.drain_timeout.get().into(),
    };
    Ok(Ready {
        losses: losses(name, masters.len(), &frozen),
        ground,
        target,
        frozen,
        is_there,
    })
}

/// What a roll costs.
pub(super) fn losses(name: &str, masters: usize, frozen: &RedeploySpec) -> Vec<String> {
    let leads = match masters {
        1 => "while its only master starts anew, none leads".to_owned(),
        _ => "its masters start anew one by one, the leader last: another one is elected then".to_owned(),
    };
    let mut losses = vec![format!(
        "cluster `{name}` gets another Mesos than {}: {leads}; then its agents do, {} at once, whose tasks live on",
        frozen.before.version, frozen.batch
    )];
    if !frozen.anew.is_empty() {
        losses.push(format!(
            "agents begin anew, since their names, attributes or resources were changed, and tasks that run there after {} s are ended: {}",
            frozen.drain_timeout_s,
            frozen.anew.join(", ")
        ));
    }
    losses
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, what: &WhatArgs) -> String {
    let (of, time) = (&what.mesos, what.drain_timeout.to_string());
    let path = of.netrc.as_ref().map(|path| path.display().to_string());
    let batch = what.batch.map(|batch| batch.to_string());
    let source = of.source.map(|source| source.as_str().to_owned());
    let given = [
        ("--mesos-source", source.as_ref()),
        ("--mesos-url", of.url.as_ref()),
        ("--mesos-sha256", of.sha256.as_ref()),
        ("--mesos-netrc", path.as_ref()),
        ("--mesos-netrc-env", of.netrc_env.as_ref()),
        ("--mesos-branch", of.branch.as_ref()),
        ("--mesos-repository", of.repository.as_ref()),
        ("--batch", batch.as_ref()),
        ("--drain-timeout", Some(&time)),
        ("--cluster", what.cluster.cluster.as_ref()),
    ];
    let mut words = vec!["redeploy"];
    for (flag, value) in &given {
        if let Some(value) = value {
            words.extend([*flag, value.as_str()]);
        }
    }
    app.places.command(&words)
}
