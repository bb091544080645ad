//! `copy-file`: files of this machine onto the nodes of a cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mesosflow_workflow::{ErrorReport, StepError, Stop};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living, NodesArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::duration;
use crate::signals::stop_on_signals;
use crate::text::clean;
use crate::wiring::{self, Copy, LocalFile, Node, Outside};

/// From how many bytes on the way through the first master is worth its two connections more.
const BULK: u64 = 8 * 1024 * 1024;
/// How often progress is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Copy files of this machine onto nodes of a cluster
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct CopyFileArgs {
    #[command(flatten)]
    of: ClusterArgs,
    #[command(flatten)]
    on: NodesArgs,
    /// Even while a run of the cluster is driven
    #[arg(long)]
    anyway: bool,
    /// Straight from here to each node; by default so from little files, and to nodes that are on this machine
    #[arg(long, conflicts_with = "through_master")]
    direct: bool,
    /// Once from here to the first master, and from there to the others; by default so from 8 MiB on
    #[arg(long)]
    through_master: bool,
    /// The files of this machine
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The absolute path on the nodes; a folder where it ends with `/`, is one there already, or several files are named
    #[arg(value_name = "DEST")]
    dest: String,
}

const HELP: &str = "\
On each node a file takes its place whole or not at all, once it is on the disk with the digest that it has here. It keeps its \
permissions, and is root's. Missing folders are made. No folders are copied: pack them (`tar`), and unpack them with run-command.

  mesosflow copy-file hosts.txt /etc/mesosflow-hosts
  mesosflow copy-file --role slave a.jar b.jar /opt/jars/";

/// What came of it on a node.
#[derive(Debug, Serialize)]
struct Done {
    node: String,
    copied: bool,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    hint: Option<String>,
}

/// Why a node has not got everything.
enum Trouble {
    Interrupted,
    Failed { error: String, hint: Option<String> },
}

/// All that the copying needs.
struct Work {
    outside: Outside,
    copies: Vec<Copy>,
    /// Counts the bytes that have left this machine.
    sent: Arc<AtomicU64>,
    stop: Stop,
    /// The first master, where files go through it.
    hub: Option<Node>,
}

/// Copies, and tells.
pub(crate) async fn copy_file(app: &App, args: &CopyFileArgs) -> Result<(), CliError> {
    let copies = opened(args).await?;
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    living.refuse_driven(&journal, args.anyway).await?;
    drop(journal);
    let nodes = living.chosen(&args.on)?;
    let bytes: u64 = copies.iter().map(Copy::len).sum();
    let hub = goes_through(args, &living, &nodes, bytes).then(|| living.first().clone());
    let total = bytes * if hub.is_some() { 1 } else { nodes.len() as u64 };
    let stop = Stop::default();
    let ui = app.ui;
    stop_on_signals(stop.clone(), move |text| ui.note(text))?;
    let work = Arc::new(Work {
        outside: living.outside()?,
        copies,
        sent: Arc::default(),
        stop,
        hub,
    });
    let bar = (app.ui.live && total > 0).then(|| Bar::start(total, &work.sent));
    let all = Arc::clone(&work).on_all(&nodes).await;
    if let Some(bar) = bar {
        bar.end();
    }
    for done in &all {
        match app.ui.json {
            true => app.ui.object(done)?,
            false => app.ui.note(&line(done, &all)),
        }
    }
    judge(&living, &work, &all)
}

/// Everything wrong with the files is told before any node is asked.
async fn opened(args: &CopyFileArgs) -> Result<Vec<Copy>, CliError> {
    let dest = &args.dest;
    if !dest.starts_with('/') || dest.contains('\0') {
        return Err(CliError::usage(format!(
            "`{dest}` is no absolute path on the nodes"
        )));
    }
    let into = dest.ends_with('/') || args.files.len() > 1;
    let mut copies: Vec<Copy> = Vec::new();
    let mut names = BTreeSet::new();
    for path in &args.files {
        let (file, name) = open(path).await?;
        distinct(&mut names, &name)?;
        copies.push(Copy::new(file, name, dest.clone(), into));
    }
    Ok(copies)
}

/// Takes the name of one more file of several that come to one folder.
pub(super) fn distinct(names: &mut BTreeSet<String>, name: &str) -> Result<(), CliError> {
    match names.insert(name.to_owned()) {
        true => Ok(()),
        false => Err(CliError::usage(format!("two of the files are called `{name}`"))),
    }
}

/// A file of this machine, and its name.
pub(super) async fn open(path: &Path) -> Result<(LocalFile, String), CliError> {
    let shown = path.display();
    if path.is_dir() {
        return Err(CliError::usage(format!("{shown} is a folder")).hint(format!(
            "pack it: tar -czf FILE.tar.gz {shown}; where it is to be unpacked, `mesosflow copy-file` brings it, and `mesosflow run-command` unpacks it"
        )));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| CliError::usage(format!("{shown} has no name that is text")))?;
    let file = LocalFile::open(path).await;
    let file = file.map_err(|error| CliError::usage(format!("cannot copy {shown}")).because_of(&error))?;
    Ok((file, name.to_owned()))
}

/// Whether the files go to the first master once and from there on: bulk data to several nodes that are far from here.
fn goes_through(args: &CopyFileArgs, living: &Living, nodes: &[Node], bytes: u64) -> bool {
    if args.direct || args.through_master {
        return args.through_master;
    }
    let is_ready = wiring::report(&living.state).is_some();
    is_ready && nodes.len() > 1 && bytes >= BULK && !living.spec.provider.is_here()
}

impl Work {
    async fn on_all(self: Arc<Self>, nodes: &[Node]) -> Vec<Done> {
        let started = Instant::now();
        if let Some(hub) = &self.hub
            && let Err(trouble) = self.stage(hub).await
        {
            let report = |node: &Node| done(node, started, Err(&trouble));
            self.tidy_up().await;
            return nodes.iter().map(report).collect();
        }
        let mut works = JoinSet::new();
        for (place, node) in nodes.iter().cloned().enumerate() {
            let work = Arc::clone(&self);
            works.spawn(async move {
                let started = Instant::now();
                let result = work.on_node(&node).await;
                (place, done(&node, started, result.as_ref().map(drop)))
            });
        }
        let mut all = Vec::new();
        while let Some(joined) = works.join_next().await {
            all.extend(joined);
        }
        self.tidy_up().await;
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, done)| done).collect()
    }

    async fn stage(&self, hub: &Node) -> Result<(), Trouble> {
        for copy in &self.copies {
            self.unless_stopped(copy.stage(&self.outside, hub, &self.sent))
                .await?;
        }
        Ok(())
    }

    /// What lies on the first master goes, whatever came of it.
    async fn tidy_up(&self) {
        let Some(hub) = &self.hub else { return };
        for copy in &self.copies {
            if let Err(error) = copy.unstage(&self.outside, hub).await {
                tracing::warn!(node = %hub.name, %error, "a staged file stays");
            }
        }
    }

    async fn on_node(&self, node: &Node) -> Result<(), Trouble> {
        for copy in &self.copies {
            let copied = match &self.hub {
                Some(hub) => self.unless_stopped(copy.onward(&self.outside, hub, node)).await,
                None => {
                    self.unless_stopped(copy.straight(&self.outside, node, &self.sent))
                        .await
                }
            };
            if let Err(Trouble::Interrupted) = copied
                && let Err(error) = copy.clean(&self.outside, node).await
            {
                tracing::warn!(node = %node.name, %error, "half a file may be left");
            }
            copied?;
        }
        Ok(())
    }

    async fn unless_stopped<E: StepError>(
        &self,
        act: impl Future<Output = Result<(), E>>,
    ) -> Result<(), Trouble> {
        tokio::select! {
            biased;
            () = self.stop.requested() => Err(Trouble::Interrupted),
            acted = act => acted.map_err(|error| {
                let ErrorReport { message, causes, hint, .. } = ErrorReport::of(&error);
                let all: Vec<_> = std::iter::once(message).chain(causes).collect();
                Trouble::Failed { error: all.join(": "), hint }
            }),
        }
    }
}

fn done(node: &Node, started: Instant, result: Result<(), &Trouble>) -> Done {
    let (error, hint) = match result {
        Ok(()) => (None, None),
        Err(Trouble::Interrupted) => (Some("interrupted".to_owned()), None),
        Err(Trouble::Failed { error, hint }) => (Some(error.clone()), hint.clone()),
    };
    Done {
        node: node.name.clone(),
        copied: error.is_none(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        error,
        hint,
    }
}

fn line(done: &Done, all: &[Done]) -> String {
    let wide = all.iter().map(|done| done.node.len()).max().unwrap_or(0);
    let took = || duration::text(Duration::from_millis(done.duration_ms));
    let what = match &done.error {
        Some(error) => clean(error).into_owned(),
        None => format!("copied  {}", took()),
    };
    format!("{:<wide$}  {what}", done.node)
}

fn judge(living: &Living, work: &Work, all: &[Done]) -> Result<(), CliError> {
    let failed: Vec<_> = all.iter().filter(|done| !done.copied).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|done| done.node.as_str()).collect();
    let names = names.join(", ");
    if work.stop.is_requested() {
        return Err(CliError::new(
            Exit::Interrupted,
            format!("interrupted: not everything is on {names}"),
        ));
    }
    let message = format!(
        "not everything is on {} of {} nodes: {names}",
        failed.len(),
        all.len()
    );
    let mut error = CliError::new(Exit::Failed, message);
    for hint in failed.iter().filter_map(|done| done.hint.clone()) {
        if !error.hints.contains(&hint) {
            error.hints.push(hint);
        }
    }
    if let Some(locked_out) = work.outside.locked_out(&living.spec) {
        error.hints.insert(0, locked_out.to_string());
    }
    Err(error)
}

/// How much has left this machine, on a terminal.
struct Bar {
    bar: ProgressBar,
    drawing: tokio::task::JoinHandle<()>,
}

impl Bar {
    fn start(total: u64, sent: &Arc<AtomicU64>) -> Self {
        let template = "{spinner} {bytes:>10} of {total_bytes}  {wide_bar}  {bytes_per_sec}  {eta}";
        let look = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(look);
        let (drawn, sent) = (bar.clone(), Arc::clone(sent));
        let drawing = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                drawn.set_position(sent.load(Ordering::Relaxed).min(total));
            }
        });
        Self { bar, drawing }
    }

    fn end(self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}
