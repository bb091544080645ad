//! `image prepare`: a node of a cluster made fit to be the image of other clusters' nodes.

use std::sync::Arc;

use clap::{Args, Subcommand};
use mesosflow_workflow::{Epoch, RunRow, RunState, SystemClock, Taken};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::nearest::nearest;
use crate::runs::{self, Found};
use crate::session;
use crate::wiring::{self, Disk, Journal, KEEPS, Node, Outlook, ProviderKind, Role};

/// Make nodes of a cluster the image of others
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ImageCommand {
    Prepare(PrepareArgs),
}

/// Take everything of its cluster off a node, so that an image can be made of it; the cluster loses the node
#[derive(Debug, Clone, Args)]
pub(crate) struct PrepareArgs {
    /// The node's name, as `status` shows it
    node: String,
    /// The run's id, or the beginning of it; by default the only run that has a cluster
    #[arg(long, value_name = "RUN", conflicts_with = "cluster")]
    run: Option<String>,
    /// The run that owns this cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What goes of a path.
#[derive(Serialize)]
struct Goes<'a> {
    path: &'a str,
    what: &'a str,
}

#[derive(Serialize)]
struct Prepared<'a> {
    run: String,
    cluster: &'a str,
    node: &'a str,
    role: Role,
    /// Whether it is done, or only shown.
    done: bool,
    /// What the cluster loses with the node.
    loses: &'a [String],
    goes: Vec<Goes<'a>>,
    keeps: &'a [&'a str],
    /// What is let go of, with all that is on it.
    disks: &'a [Disk],
    /// What names the cluster all the same: nothing of mesosflow's.
    left: &'a [String],
    /// How the image is made.
    next: &'a [String],
}

/// Does what was asked for.
pub(crate) async fn image(app: &App, command: &ImageCommand) -> Result<(), CliError> {
    match command {
        ImageCommand::Prepare(args) => prepare(app, args).await,
    }
}

/// The run is held meanwhile, and nothing is added to its history: it can be repeated until the node's door is closed.
async fn prepare(app: &App, args: &PrepareArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let found = Found::look(&journal, meant(app, &journal, args).await?).await?;
    session::refuse_ended(app, &found)?;
    let cluster = found.cluster();
    let nodes = wiring::reachable(&cluster);
    let node = named(&nodes, args)?;
    runs::refuse_busy(&journal, &found).await?;
    let run = found.row.run;
    let taken = Taken::take(
        journal,
        Arc::new(SystemClock),
        run,
        Some(found.state.seq),
        Epoch(0),
    )
    .await?;
    let folder = app.cluster_dir(&cluster);
    let spec = wiring::verify(found.spec()?).await?;
    let strangers = wiring::strangers(&spec, &cluster, &folder).await?;
    if let Some(stranger) = strangers.first() {
        return Err(CliError::refused(format!(
            "cluster `{}` is driven by somebody whom this journal does not know: nothing was touched",
            found.row.cluster
        ))
        .because(format!("epoch {} is not in this journal", stranger.epoch))
        .hint("use the journal of that driver"));
    }
    let world = wiring::open_outside(spec, &cluster, &folder).await?;
    let outlook = wiring::look_at_image(&world, node).await?;
    refuse_at_work(app, &found, node, &outlook)?;

    let loses = losses(&found.state, &nodes, node);
    let next = next(world.spec().provider, node, &outlook);
    let show = |done: bool, left: &[String]| {
        let view = Prepared {
            run: run.to_string(),
            cluster: &found.row.cluster,
            node: &node.name,
            role: node.role,
            done,
            loses: &loses,
            goes: outlook
                .goes
                .iter()
                .map(|(path, what)| Goes { path, what })
                .collect(),
            keeps: &KEEPS,
            disks: &outlook.disks,
            left,
            next: &next,
        };
        match app.ui.json {
            true => app.ui.object(&view),
            false if done => app.ui.line(&after(&view)),
            false => app.ui.line(&before(&view)),
        }
    };
    if !(args.yes && app.ui.json) {
        show(false, &[])?;
    }
    app.ui.confirm(&loses, &command(app, args), args.yes)?;
    if args.yes {
        loses.iter().for_each(|loss| app.ui.warn(loss));
    }
    let left = wiring::prepare_image(&world, node, &nodes).await;
    let left = left.map_err(|error| error.hint(format!("to go on: {} --yes", command(app, args))))?;
    drop(taken);
    for path in &left {
        app.ui.warn(&format!(
            "{path} on {} names the cluster: mesosflow did not put it there, and leaves it",
            node.name
        ));
    }
    show(true, &left)
}

/// The run: by its id, by its cluster, or the only one that has a cluster.
async fn meant(app: &App, journal: &Journal, args: &PrepareArgs) -> Result<RunRow, CliError> {
    if args.run.is_some() {
        return runs::choose(app, journal, args.run.as_deref()).await;
    }
    let mut rows = journal.runs().await?;
    rows.retain(runs::has_cluster);
    if let Some(cluster) = &args.cluster {
        let names: Vec<_> = rows.iter().map(|row| row.cluster.clone()).collect();
        rows.retain(|row| row.cluster == *cluster);
        if rows.is_empty() {
            let error = CliError::usage(format!("no run has a cluster `{cluster}`"));
            return Err(match nearest(cluster, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`mesosflow list` shows the runs"),
            });
        }
    }
    match rows.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CliError::usage("no run has a cluster").hint("`mesosflow list` shows the runs")),
        several => Err(runs::ambiguous(
            &format!(
                "{} runs have a cluster: name one with --cluster or --run",
                several.len()
            ),
            several,
        )),
    }
}

fn named<'n>(nodes: &'n [Node], args: &PrepareArgs) -> Result<&'n Node, CliError> {
    let names = || nodes.iter().map(|node| node.name.as_str());
    if let Some(node) = nodes.iter().find(|node| node.name == args.node) {
        return Ok(node);
    }
    let error = CliError::usage(format!(
        "the cluster has no node `{}` that was ever reached",
        args.node
    ));
    Err(match nearest(&args.node, names()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
    })
}

/// A node on which the set-up still works is neither the cluster's nor anybody else's yet.
fn refuse_at_work(app: &App, found: &Found, node: &Node, outlook: &Outlook) -> Result<(), CliError> {
    if outlook.jobs.is_empty() {
        return Ok(());
    }
    let resume = app.places.command(&["resume", &found.row.run.to_string()]);
    Err(CliError::refused(format!(
        "the set-up still works on {}: {}",
        node.name,
        outlook.jobs.join(", ")
    ))
    .hint(format!(
        "wait for its end, or let the run come to its own: {resume}"
    )))
}

fn command(app: &App, args: &PrepareArgs) -> String {
    let mut words = vec!["image", "prepare", &args.node];
    let (run, cluster) = (args.run.as_deref(), args.cluster.as_deref());
    words.extend(run.into_iter().flat_map(|run| ["--run", run]));
    words.extend(cluster.into_iter().flat_map(|cluster| ["--cluster", cluster]));
    app.places.command(&words)
}

/// What the cluster loses with a node, plainly.
fn losses(state: &RunState, nodes: &[Node], node: &Node) -> Vec<String> {
    let all = nodes.iter().filter(|other| other.role == node.role).count();
    let others = all - 1;
    let name = &node.name;
    let mut losses = vec![format!(
        "{name} is no part of cluster `{}` any more, and does not come back: what runs there ends, and nobody logs in with the \
         cluster's key",
        state.cluster
    )];
    losses.push(match node.role {
        Role::Master if node.index == 1 => "it is the first master: with it go the metadata of both HDFS on its root disk, the \
                                            shared folder /mnt/nfs and the way to nodes without public addresses; the cluster \
                                            does not work without it"
            .to_owned(),
        Role::Master => format!(
            "{others} master{} left; Mesos' registry needs {} of {}",
            are(others),
            all / 2 + 1,
            all
        ),
        Role::Slave => format!(
            "{others} slave{} left; its tasks end, and blocks of HDFS that lie there alone are lost",
            are(others)
        ),
        Role::Zookeeper => format!(
            "{others} ZooKeeper{} left; the quorum is {} of {}",
            are(others),
            all / 2 + 1,
            all
        ),
    });
    losses
}

const fn are(count: usize) -> &'static str {
    match count {
        1 => " is",
        _ => "s are",
    }
}

/// What mesosflow's own image says of itself beside its files (`steps/image/build.sh`).
const LIKE_OURS: &str = "--change 'CMD [\"/sbin/init\"]' --change 'STOPSIGNAL SIGRTMIN+3' --change 'ENV container=oci' \
                         --change 'VOLUME /mnt' --change 'VOLUME /vol'";

/// How the image is made of the node that is ready.
fn next(provider: ProviderKind, node: &Node, outlook: &Outlook) -> Vec<String> {
    let mut next = match provider {
        ProviderKind::Ec2 => {
            // An image of an instance has its other volumes too, unless they are left out.
            let without = match node.volume {
                Some(_) => " --block-device-mappings '[{\"DeviceName\":\"/dev/sdv\",\"NoDevice\":\"\"}]'",
                None => "",
            };
            let id = &node.id;
            vec![
                format!("aws ec2 stop-instances --instance-ids {id}"),
                format!("aws ec2 create-image --instance-id {id} --name NAME{without}"),
            ]
        }
        // Not by `commit`, which hands the container's labels on: each machine of such an image would be taken for one of the old
        // cluster, and be destroyed with it.
        ProviderKind::Local => vec![format!(
            "podman export {} | podman import {LIKE_OURS} - NAME",
            node.id
        )],
        ProviderKind::Hosts => vec![format!("shut {} down and copy its root disk", node.name)],
    };
    if !outlook.has_mesos {
        next.push(
            "it has no Mesos: clusters of this image need `mesos.source` (`tarball` or `git`)".to_owned(),
        );
    }
    next
}

/// What will be done.
fn before(view: &Prepared<'_>) -> String {
    let mut lines = vec![format!(
        "{} of cluster `{}` becomes fit to be an image:",
        view.node, view.cluster
    )];
    let wide = view.goes.iter().map(|goes| goes.path.len()).max().unwrap_or(0);
    for goes in &view.goes {
        lines.push(format!("  goes   {:<wide$}  {}", goes.path, goes.what));
    }
    for disk in view.disks {
        lines.push(format!(
            "  leaves {} ({}), with all that is on it",
            disk.mount, disk.source
        ));
    }
    for path in view.keeps {
        lines.push(format!("  keeps  {path}"));
    }
    lines.join("\n")
}

/// What is left to do.
fn after(view: &Prepared<'_>) -> String {
    let mut lines = vec![format!(
        "{} is fit to be an image, and out of cluster `{}`; make the image before it boots again:",
        view.node, view.cluster
    )];
    lines.extend(view.next.iter().map(|next| format!("  {next}")));
    lines.push(format!(
        "the machine itself stays until run `{}` is destroyed",
        view.run
    ));
    lines.join("\n")
}
