//! `check`: whether a cluster does its work now, once or again and again.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use mesosflow_workflow::Stop;
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::health::Health;
use crate::render::check::{Known, StateLine, line};
use crate::render::duration;
use crate::runs;
use crate::signals::stop_on_signals;
use crate::wiring::{self, Check, Extent, Finding, Inventory, Journal, Outside, What};

/// What has not answered by then is bad: programs of Java start in seconds, on a starved machine in half a minute each. Beside a job, which
/// starts its own, and the job itself.
const LIMIT: NonZeroU32 = NonZeroU32::new(120).unwrap();
const DEEP_LIMIT: NonZeroU32 = NonZeroU32::new(240).unwrap();
const JOB_LIMIT: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// How long a look may take, and a job of Spark's within it.
type Limits = (Duration, Duration);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// How many hints are told.
const HINTS: usize = 4;

/// See whether a cluster does its work now
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    of: ClusterArgs,
    /// What has not answered after so many seconds is bad [default: 120, with --deep 240, and 600 for the job]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<NonZeroU32>,
    /// Also run a job of Spark's, which takes some ten seconds
    #[arg(long, conflicts_with = "watch")]
    deep: bool,
    /// Look again and again until Ctrl-C, without the task; only what changes is shown
    #[arg(long)]
    watch: bool,
}

const HELP: &str = "\
Everything is looked at side by side: every node answers and its daemons run; the ZooKeepers are one leader and followers; the masters \
agree on one that leads, and every slave is registered there and active; both HDFS take writes, miss no block, hear of every datanode, and \
a file is written, read on a slave and removed; every slave reads what the first master writes to the shared volume; and Mesos runs a \
task of 0.1 cpus, by its own `mesos-execute` where it has one. A line for each as it comes, on standard output. That no resources are \
free for the task is said, and is nothing bad. With --deep a job of Spark's makes a shuffle, writes to both HDFS and reads from them: on Mesos where \
that has Java bindings, on the first master alone where not.

No history tells of it, and it may be used while a run is driven. Its files and its task have names of their own, and go with it, also \
when it is interrupted or killed: /mesosflow-check.* in the HDFS, /mnt/nfs/.mesosflow-check.*. What it came to is kept: `clusters` shows it.

Exit codes: 0 nothing is bad; 1 something is, or no node was ever reached; 2 there is no such cluster; 3 it is stopped; 130 interrupted. With --watch, \
Ctrl-C ends it with what the last look came to: 0 or 1.

  mesosflow check
  mesosflow check --cluster demo --json
  mesosflow check --watch";

impl CheckArgs {
    /// How far one look goes, and for how long.
    fn extent(&self) -> (Extent, Limits) {
        let extent = match self.deep {
            true => Extent::Deep,
            false => Extent::Task,
        };
        (extent, self.limits())
    }

    fn limits(&self) -> Limits {
        let usual = if self.deep { DEEP_LIMIT } else { LIMIT };
        (self.within(usual), self.within(JOB_LIMIT))
    }

    fn within(&self, usual: NonZeroU32) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(usual).get().into())
    }
}

/// The contract of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    healthy: bool,
    findings: &'a [Finding],
}

/// A line of `--watch --json`: the first with all findings, the others with those that have changed.
#[derive(Serialize)]
struct Change<'a> {
    at: Timestamp,
    healthy: bool,
    findings: Vec<&'a Finding>,
}

/// Looks, tells and keeps what came of it.
pub(crate) async fn check(app: &App, args: &CheckArgs) -> Result<(), CliError> {
    let stop = Stop::default();
    let subject = Subject::open(app, &args.of).await?;
    let outside = subject.living.outside()?;
    let ui = app.ui;
    stop_on_signals(stop.clone(), move |text| ui.note(text))?;
    match args.watch {
        true => watch(app, args, subject, &outside, &stop).await,
        false => once(app, args, &subject, &outside, &stop).await,
    }
}

async fn once(
    app: &App,
    args: &CheckArgs,
    subject: &Subject,
    outside: &Outside,
    stop: &Stop,
) -> Result<(), CliError> {
    let begun = Instant::now();
    let printed = Mutex::new(Ok(()));
    let wide = subject.node_wide();
    let tell = |finding: &Finding| {
        let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
        if !app.ui.json && printed.is_ok() {
            *printed = app.ui.line(&line(finding, wide));
        }
    };
    let look = subject.look(outside, args.extent(), stop, &tell).await;
    let Some(findings) = look else {
        return Err(CliError::new(
            Exit::Interrupted,
            "interrupted: what was not looked at is not known, and nothing of it is kept",
        ));
    };
    printed.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    let healthy = subject.keep(app, &findings).healthy;
    if app.ui.json {
        app.ui.document(&Document {
            healthy,
            findings: &findings,
        })?;
    }
    let judged = subject.judge(outside, &findings);
    if judged.is_ok() {
        app.ui.note(&format!(
            "cluster `{}` is healthy: {} findings in {}",
            subject.name(),
            findings.len(),
            duration::text(begun.elapsed())
        ));
    }
    judged
}

async fn watch(
    app: &App,
    args: &CheckArgs,
    mut subject: Subject,
    outside: &Outside,
    stop: &Stop,
) -> Result<(), CliError> {
    let state = StateLine::new(app.ui.live && !app.ui.json);
    let (mut known, mut last, mut looks) = (Known::default(), Ok(()), 0_u64);
    let mut was_healthy = None;
    state.say("looking for the first time");
    while let Some(findings) = subject
        .look(outside, (Extent::Idle, args.limits()), stop, &|_| {})
        .await
    {
        looks += 1;
        let health = state.aside(|| subject.keep(app, &findings));
        let news: Vec<_> = findings.iter().filter(|finding| known.is_news(finding)).collect();
        let turned = was_healthy.replace(health.healthy) != Some(health.healthy);
        state.aside(|| match app.ui.json {
            true if looks == 1 => show_json(app, &health, findings.iter().collect()),
            true if !news.is_empty() => show_json(app, &health, news),
            true => Ok(()),
            false => show(app, &subject, &health, &news, turned),
        })?;
        state.say(&format!(
            "cluster `{}` is {}, looked {looks} times",
            subject.name(),
            health.text()
        ));
        last = subject.judge(outside, &findings);
        tokio::select! {
            () = stop.requested() => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
        // It may have other nodes by now, or be gone.
        subject = Subject::open(app, &args.of).await?;
    }
    drop(state);
    last
}

fn show_json(app: &App, health: &Health, findings: Vec<&Finding>) -> Result<(), CliError> {
    app.ui.object(&Change {
        at: health.checked_at,
        healthy: health.healthy,
        findings,
    })
}

fn show(
    app: &App,
    subject: &Subject,
    health: &Health,
    news: &[&Finding],
    turned: bool,
) -> Result<(), CliError> {
    let at = health.checked_at.strftime("%H:%M:%SZ");
    for finding in news {
        app.ui
            .line(&format!("{at}  {}", line(finding, subject.node_wide())))?;
    }
    match turned {
        true => app.ui.line(&format!(
            "{at}  cluster `{}` is {}",
            subject.name(),
            health.text()
        )),
        false => Ok(()),
    }
}

/// The cluster that is looked at, and what its history says beforehand.
struct Subject {
    living: Living,
    /// An unfinished run, or what takes the cluster down.
    standing: Option<Result<String, String>>,
    /// Machines that exist and never answered.
    unreached: Vec<String>,
}

impl Subject {
    /// No journal is held while nodes are asked.
    async fn open(app: &App, of: &ClusterArgs) -> Result<Self, CliError> {
        let journal = app.journal_with_runs()?;
        let living = Living::meant(app, &journal, of).await?;
        let standing = standing(app, &journal, &living).await?;
        let is_unknown = |name: &String| living.nodes.iter().all(|node| node.name != *name);
        let names = wiring::nodes(&living.state).into_iter().map(|node| node.name);
        let unreached = names.filter(is_unknown).collect();
        Ok(Self {
            living,
            standing,
            unreached,
        })
    }

    fn name(&self) -> &str {
        &self.living.row.cluster
    }

    fn node_wide(&self) -> usize {
        let names = self.living.nodes.iter().map(|node| node.name.len());
        names
            .chain(self.unreached.iter().map(String::len))
            .max()
            .unwrap_or(0)
    }

    /// One look: everything that was found, in order; none where it was stopped.
    async fn look(
        &self,
        outside: &Outside,
        (extent, limits): (Extent, Limits),
        stop: &Stop,
        tell: &(dyn Fn(&Finding) + Sync),
    ) -> Option<Vec<Finding>> {
        let found = Mutex::new(Vec::new());
        let take = |finding: Finding| {
            tell(&finding);
            found.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
        };
        if let Some(standing) = &self.standing {
            take(wiring::known(What::Run, None, standing.clone()));
        }
        for name in &self.unreached {
            let never = "has never answered: its host key is not known".to_owned();
            take(wiring::known(What::Ssh, Some(name), Err(never)));
        }
        match Inventory::new(self.living.nodes.clone()) {
            None => {
                let none =
                    "no master has ever answered, and without one nothing else can be asked".to_owned();
                take(wiring::known(What::Leader, None, Err(none)));
            }
            Some(inventory) => {
                let check = Check::new(outside, &inventory, limits, &take);
                tokio::select! {
                    biased;
                    () = stop.requested() => {
                        check.end().await;
                        return None;
                    }
                    _ = check.all(extent) => {}
                }
            }
        }
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by(|a, b| (a.what, &a.node).cmp(&(b.what, &b.node)));
        Some(found)
    }

    /// Keeps what a look came to.
    fn keep(&self, app: &App, findings: &[Finding]) -> Health {
        let healthy = findings.iter().all(|finding| finding.outcome.is_ok());
        let joined = findings
            .iter()
            .filter(|finding| finding.what == What::Joined)
            .count();
        let (folder, row) = (&self.living.folder, &self.living.row);
        let kept = Health::kept(folder);
        let health = Health::after(kept.as_ref(), (healthy, joined), Timestamp::now());
        if let Err(error) = health.keep(folder, &row.cluster, row.cluster_id, findings) {
            app.ui
                .warn(&format!("what the check came to is not kept: {error}"));
        }
        health
    }

    fn judge(&self, outside: &Outside, findings: &[Finding]) -> Result<(), CliError> {
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.outcome.is_err())
            .collect();
        if bad.is_empty() {
            return Ok(());
        }
        let mut names: Vec<_> = bad.iter().filter_map(|finding| finding.node.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let names = match names.is_empty() {
            true => String::new(),
            false => format!(": {}", names.join(", ")),
        };
        let mut error = CliError::new(
            Exit::Failed,
            format!(
                "cluster `{}` is unhealthy: {} of {} findings are bad{names}",
                self.name(),
                bad.len(),
                findings.len()
            ),
        );
        error
            .hints
            .extend(outside.locked_out(&self.living.spec).map(|out| out.to_string()));
        for hint in bad.iter().filter_map(|finding| finding.hint()) {
            if error.hints.len() < HINTS && !error.hints.contains(&hint) {
                error.hints.push(hint);
            }
        }
        Err(error)
    }
}

/// What is to be said of a cluster before anybody is asked: that a run of it is unfinished, which need not be bad, or that it is being
/// taken down.
async fn standing(
    app: &App,
    journal: &Journal,
    living: &Living,
) -> Result<Option<Result<String, String>>, CliError> {
    let cluster = &living.row.cluster;
    let unfinished = living.record.unfinished();
    let is_held = match unfinished {
        Some(run) => journal.is_held(run.run).await?,
        None => false,
    };
    let is_destroying = living.record.is_destroying();
    let Some(run) = unfinished.filter(|_| is_held || !is_destroying) else {
        return Ok(is_destroying.then(|| {
            let on = app
                .places
                .named_in(&format!("`mesosflow destroy --cluster {cluster}`"));
            Err(format!(
                "a destroy of the cluster has begun and has not ended: {on} goes on"
            ))
        }));
    };
    let (workflow, id) = (&run.workflow, run.run);
    Ok(Some(match (is_held, is_destroying) {
        (true, true) => Err(format!("the cluster is being taken down by {workflow} {id}")),
        (true, false) => Ok(format!("{workflow} {id} is under way")),
        (false, _) => {
            let on = app.places.named_in(&format!("`mesosflow resume {id}`"));
            let word = runs::word(run.phase.kind(), false);
            Ok(format!("{workflow} {id} is unfinished ({word}): {on} goes on"))
        }
    }))
}
