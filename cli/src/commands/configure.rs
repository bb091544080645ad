//! `configure`: another configuration for a cluster that works.

use std::num::{NonZeroU16, NonZeroU32};

use clap::Args;

use super::ground::Ground;
use crate::app::App;
use crate::changes::{Changes, changes};
use crate::clusters::ClusterArgs;
use crate::config::{DEFAULT_FILE, Surroundings, read_file};
use crate::error::CliError;
use crate::file::Parsed;
use crate::session;
use crate::wiring::{
    self, ConfigureSpec, ConfigureWorkflow, Journal, NewConfiguration, Restarting, Role, RunState, Verified,
    Workflow as _,
};

/// Give a cluster the configuration of a changed file: what it changes starts anew in turns, while the cluster goes on working
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigureArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is configured, be it only in a plan.
#[derive(Debug, Clone, Args)]
pub(super) struct WhatArgs {
    /// How many agents, or datanodes, are out at once; by default a tenth of them, one at least
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroU16>,
    /// How long tasks may take to end by themselves on agents that have to begin anew; what is left then is ended
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    drain_timeout: NonZeroU32,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A new configuration that could be given.
pub(super) struct Ready {
    pub(super) ground: Ground,
    /// The cluster as it is to be.
    pub(super) target: Verified,
    pub(super) frozen: ConfigureSpec,
    /// What the file asks for.
    pub(super) changes: Changes,
    /// What that would change on the nodes.
    pub(super) new: NewConfiguration,
    /// What it costs.
    pub(super) losses: Vec<String>,
    /// What is to be known, and costs nothing.
    pub(super) notes: Vec<String>,
}

impl Ready {
    /// Whether all of it is so already.
    pub(super) fn is_so(&self) -> bool {
        self.changes.keys.is_empty() && self.new.files.is_empty() && self.half().is_none()
    }

    /// The run that has configured some nodes and was closed on its way.
    fn half(&self) -> Option<&RunState> {
        self.ground.found.record.closed_since(ConfigureWorkflow.name())
    }
}

/// Why there is nothing to do.
pub(super) const ALREADY: &str = "is configured so already: nothing was done";

/// Everything that can be refused is refused before anything is brought to a node.
pub(crate) async fn configure(app: &App, args: &ConfigureArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = ready(app, &journal, &args.what).await?;
    let (found, cluster) = (&ready.ground.found, ready.ground.found.cluster());
    if ready.is_so() {
        for kept in &ready.changes.kept {
            app.ui.note(kept);
        }
        return session::told_already(app, found, ALREADY);
    }
    if let Some(half) = ready.half() {
        let (run, way) = (half.run, app.places.command(&["rollback", &half.run.to_string()]));
        app.ui.warn(&format!(
            "run `{run}` was closed on the way: whatever it has left on nodes is set right, beside what the file says; to undo it alone: {way}"
        ));
    }
    for note in &ready.notes {
        app.ui.note(note);
    }
    if !ready.losses.is_empty() {
        app.ui
            .confirm(&ready.losses, &command(app, &args.what), args.yes)?;
    }
    let Ready { target, frozen, .. } = &ready;
    wiring::refuse_strangers(&app.places, target, &cluster, &app.cluster_dir(&cluster)).await?;
    let heard = session::heard(app)?;
    session::begin(
        app,
        journal,
        found,
        (&ConfigureWorkflow, frozen),
        target.clone(),
        heard,
    )
    .await
}

/// Looks at the file, at what is in force, and at what of it lies on the nodes.
pub(super) async fn ready(app: &App, journal: &Journal, what: &WhatArgs) -> Result<Ready, CliError> {
    let around = Surroundings::of_process()?;
    let parsed = read_file(app.config.as_deref(), &around.cwd)?.ok_or_else(|| {
        CliError::usage(format!(
            "no configuration is named, and there is no `{DEFAULT_FILE}` here"
        ))
        .hint("name the changed file: `--config FILE`")
    })?;
    let ground = Ground::of_any(app, journal, &meant(what, &parsed)?).await?;
    ground.refuse_absent(app, |_| false)?;
    let before = ground.spec.clone().into_spec();
    let changes = changes(&before, &parsed)?;
    let target = ground.target(changes.spec.clone())?;
    let cluster = ground.found.cluster();
    let world = wiring::open_outside(ground.spec.clone(), &cluster, &app.cluster_dir(&cluster)).await?;
    let (image, groups) = wiring::launched_from(&cluster);
    let (specs, made) = ((&before, &*target), (image.as_ref(), groups.as_ref()));
    let new = wiring::new_configuration(&world, specs, &ground.nodes, made).await?;
    let slaves = ground
        .nodes
        .iter()
        .filter(|node| node.role == Role::Slave)
        .count();
    let count = u16::try_from(slaves).unwrap_or(u16::MAX);
    let frozen = ConfigureSpec {
        cluster: target.clone().into_spec(),
        nodes: ground.nodes.clone(),
        without: Vec::new(),
        file_systems: ground.file_systems.clone(),
        batch: what
            .batch
            .map_or_else(|| count.div_ceil(10).max(1), NonZeroU16::get),
        anew: new.anew.clone(),
        drain_timeout_s: what.drain_timeout.get().into(),
        moves_doors: before.admins() != target.admins(),
        before,
        image,
        groups,
    };
    Ok(Ready {
        losses: losses(&frozen, &new),
        notes: notes(&frozen, &changes, &new),
        ground,
        target,
        frozen,
        changes,
        new,
    })
}

/// The cluster that the command line names, or the file.
fn meant(what: &WhatArgs, parsed: &Parsed) -> Result<ClusterArgs, CliError> {
    let of_file = parsed
        .named
        .contains(&"cluster")
        .then(|| parsed.spec.cluster.clone());
    match (&what.cluster.cluster, of_file) {
        (Some(said), Some(of_file)) if *said != of_file => Err(CliError::usage(format!(
            "`--cluster {said}` contradicts the file, which is of cluster `{of_file}`"
        ))
        .hint("leave out one of both, or name another file: `--config FILE`")),
        (Some(said), _) => Ok(ClusterArgs {
            cluster: Some(said.clone()),
        }),
        (None, cluster) => Ok(ClusterArgs { cluster }),
    }
}

/// What a new configuration costs.
fn losses(frozen: &ConfigureSpec, new: &NewConfiguration) -> Vec<String> {
    let (name, batch) = (&frozen.cluster.cluster, frozen.batch);
    let mut losses: Vec<_> = new
        .restarts
        .iter()
        .map(|restart| format!("cluster `{name}`: {}", cost(restart, batch)))
        .collect();
    if !frozen.anew.is_empty() {
        losses.push(format!(
            "agents begin anew, since their names, attributes or resources are others then, and tasks that run there after {} s are ended: {}",
            frozen.drain_timeout_s,
            frozen.anew.join(", ")
        ));
    }
    let swap = frozen.before.swap_of_node();
    if swap != frozen.cluster.swap_of_node() && swap > 0 {
        losses.push(
            "swap is off while its file is made anew: what does not fit into memory meanwhile ends"
                .to_owned(),
        );
    }
    let shut = frozen.before.admins().iter();
    let shut = shut.filter(|cidr| !frozen.cluster.admins().contains(cidr));
    losses.extend(shut.map(|cidr| format!("who comes from {cidr} is shut out")));
    losses
}

fn cost(restart: &Restarting, batch: u16) -> String {
    let unit = restart.unit.trim_end_matches(".service");
    match (unit, restart.on.len()) {
        ("mesosflow-zookeeper", _) => "its ZooKeepers start anew one by one, who leads last".to_owned(),
        ("mesosflow-nfs-ganesha", _) => "/mnt/nfs hangs while its server starts anew".to_owned(),
        ("mesos-master", 1) => "while its only master starts anew, none leads".to_owned(),
        ("mesos-master", _) => {
            "its masters start anew one by one, the leader last: another one is elected then".to_owned()
        }
        ("mesos-slave", _) => format!(
            "its agents start anew, {batch} at once; their tasks live on, but for those of frameworks that keep no checkpoints"
        ),
        (unit, _) => {
            let which = unit.split('-').next().unwrap_or(unit);
            match unit.ends_with("-namenode") {
                true => format!("the {which} HDFS is away while its namenode starts anew"),
                false => format!("datanodes of the {which} HDFS start anew, {batch} at once"),
            }
        }
    }
}

/// What is to be known of it.
fn notes(frozen: &ConfigureSpec, changes: &Changes, new: &NewConfiguration) -> Vec<String> {
    let mut notes = changes.kept.clone();
    let of_before = frozen.before.validate().unwrap_or_default();
    let now = frozen.cluster.validate().unwrap_or_default();
    notes.extend(now.into_iter().filter(|warning| !of_before.contains(warning)));
    notes.extend(new.theirs.iter().map(|flag| {
        format!(
            "{} on {} is somebody's own: it stays, and counts there",
            flag.path, flag.node
        )
    }));
    notes.extend(history(frozen));
    if let Some(overlay) = &frozen.cluster.deploy_dir
        && frozen.before.deploy_dir.as_ref() == Some(overlay)
        && new.files.iter().any(|file| file.path.starts_with("/root/"))
    {
        notes.push(format!(
            "a rollback renders {} as it is by then: keep what it held before in a folder of its own",
            overlay.display()
        ));
    }
    notes
}

/// What becomes of Spark's history server, where that is to be another.
fn history(frozen: &ConfigureSpec) -> Option<String> {
    let hub = &frozen.nodes.iter().find(|node| node.is_first_master())?.name;
    match (frozen.before.spark.history, frozen.cluster.spark.history) {
        (false, true) => Some(format!(
            "Spark's history server begins on {hub}, and shows jobs that begin from then on"
        )),
        (true, false) => Some(format!(
            "Spark's history server ends on {hub}: what jobs have logged stays in the persistent HDFS"
        )),
        _ => None,
    }
}

/// The command line again, to be completed with `--yes`.
fn command(app: &App, what: &WhatArgs) -> String {
    let file = app.config.as_ref().map(|path| path.display().to_string());
    let batch = what.batch.map(|batch| batch.to_string());
    let time = what.drain_timeout.to_string();
    let given = [
        ("--config", file.as_ref()),
        ("--batch", batch.as_ref()),
        ("--drain-timeout", Some(&time)),
        ("--cluster", what.cluster.cluster.as_ref()),
    ];
    let mut words = vec!["configure"];
    for (flag, value) in &given {
        if let Some(value) = value {
            words.extend([*flag, value.as_str()]);
        }
    }
    app.places.command(&words)
}
