//! `metrics`: the journal in figures, for Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, PhaseKind, RunRow, RunState};

use crate::app::App;
use crate::error::{CliError, Kind};
use crate::exit::Exit;
use crate::render::metrics::{self, Family, Figure};
use crate::runs;
use crate::wiring::{self, Journal, Record, Role};

/// Show the journal in figures, once, in Prometheus' text format: for the textfile collector of its node exporter
///
/// Figures of steps, of nodes and of when runs began and ended are those of the clusters that exist, of each the newest run of each
/// workflow: their number grows with the clusters, not with the runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct MetricsArgs {}

/// What a run can be.
const STATES: [&str; 7] = [
    PhaseKind::Running.as_str(),
    PhaseKind::Succeeded.as_str(),
    PhaseKind::Partial.as_str(),
    PhaseKind::Failed.as_str(),
    PhaseKind::Interrupted.as_str(),
    PhaseKind::Closed.as_str(),
    runs::word(PhaseKind::Running, false),
];

/// The figures.
struct Figures {
    build: Family,
    runs: Family,
    damaged: Family,
    nodes: Family,
    began: Family,
    ended: Family,
    durations: Family,
    attempts: Family,
}

/// A run whose history is damaged is told of on standard error; the figures are those of the others.
pub(crate) async fn metrics(app: &App, MetricsArgs {}: &MetricsArgs) -> Result<(), CliError> {
    let mut figures = Figures::new();
    if let Some(journal) = app.existing_journal()? {
        gather(app, &journal, &mut figures).await?;
    }
    let text = metrics::text(figures.families());
    let text = text.map_err(|error| {
        CliError::new(Exit::Failed, "the figures cannot be written as text").because_of(&error)
    })?;
    app.ui.line(text.trim_end())
}

async fn gather(app: &App, journal: &Journal, figures: &mut Figures) -> Result<(), CliError> {
    let rows = journal.runs().await?;
    let mut living: BTreeMap<ClusterId, Vec<RunState>> = BTreeMap::new();
    for row in &rows {
        // Whether somebody drives it matters only of a run without an end.
        let held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
        figures.count(row, held);
        // One at a time, and kept only where more than its state is told.
        match mesosflow_workflow::run::load(&**journal, row.run).await {
            Ok(state) if row.owns_cluster => living.entry(row.cluster_id).or_default().push(state),
            Ok(_) => {}
            Err(error) => {
                let error = CliError::from(error);
                if error.kind != Kind::DamagedRun {
                    return Err(error);
                }
                app.ui.warn(&error.message);
                figures.damaged.add([], 1);
            }
        }
    }
    for states in living.into_values() {
        figures.tell(states);
    }
    Ok(())
}

impl Figures {
    /// Those of no journal at all: what is counted is none.
    fn new() -> Self {
        let mut figures = Self {
            build: Family::new(
                "mesosflow_build_info",
                "The program that tells this: 1, and what it is",
            ),
            runs: Family::new("mesosflow_runs", "Runs in the journal"),
            damaged: Family::new(
                "mesosflow_runs_damaged",
                "Runs in the journal whose history cannot be read: nothing below is told of them",
            ),
            nodes: Family::new("mesosflow_nodes", "Nodes of a cluster that exists"),
            began: Family::new(
                "mesosflow_run_started_timestamp_seconds",
                "When the newest run of a workflow on a cluster began",
            ),
            ended: Family::new(
                "mesosflow_run_finished_timestamp_seconds",
                "When the newest run of a workflow on a cluster ended, where it has",
            ),
            durations: Family::new(
                "mesosflow_step_duration_seconds",
                "What a step of that run took, where it has ended, without the time in which nobody drove the run",
            ),
            attempts: Family::new(
                "mesosflow_step_attempts",
                "How often a step of that run was tried: where it has several items, the one that was tried most often",
            ),
        };
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", env!("MESOSFLOW_COMMIT")),
            ("ec2", if cfg!(feature = "ec2") { "true" } else { "false" }),
        ];
        figures.build.set(build, Figure::Count(1));
        figures.damaged.set([], Figure::Count(0));
        figures.none_yet(wiring::FOUNDS);
        figures
    }

    /// Every state of a workflow's runs has its figure, so that none vanishes when its last run leaves it.
    fn none_yet(&mut self, workflow: &str) {
        for state in STATES {
            self.runs.add([("workflow", workflow), ("state", state)], 0);
        }
    }

    /// Counts a run.
    fn count(&mut self, row: &RunRow, held: bool) {
        let workflow = known(&row.workflow);
        self.none_yet(workflow);
        let state = runs::word(row.summary.phase, held);
        self.runs.add([("workflow", workflow), ("state", state)], 1);
    }

    /// Tells of a cluster that exists, by those of its runs that can be read; oldest first.
    fn tell(&mut self, states: Vec<RunState>) {
        let newest: BTreeMap<_, _> = states
            .iter()
            .map(|state| (known(&state.workflow), state))
            .collect();
        for (workflow, state) in newest {
            self.tell_run(workflow, state);
        }
        let mut states = states.into_iter();
        let Some(first) = states.next() else {
            return;
        };
        let cluster = Record::of(first, states).cluster();
        let nodes = wiring::nodes(&cluster);
        for role in [Role::Master, Role::Slave, Role::Zookeeper] {
            let count = nodes.iter().filter(|node| node.role == role).count();
            let labels = [
                ("cluster", cluster.cluster.as_str()),
                ("provider", &cluster.provider),
                ("role", role.as_str()),
            ];
            self.nodes
                .set(labels, Figure::Count(count.try_into().unwrap_or(u64::MAX)));
        }
    }

    fn tell_run(&mut self, workflow: &str, state: &RunState) {
        let run = [
            ("cluster", state.cluster.as_str()),
            ("provider", &state.provider),
            ("workflow", workflow),
        ];
        self.began.set(run, since_1970(state.started_at));
        if let Some(ended) = state.finished_at {
            self.ended.set(run, since_1970(ended));
        }
        for step in &state.steps {
            let items = step.items.values().map(|item| item.attempts);
            let attempts = items.chain([step.progress.attempts]).max().unwrap_or_default();
            if attempts == 0 {
                continue;
            }
            let [cluster, provider, workflow] = run;
            let of_step = [cluster, provider, workflow, ("step", step.entry.id.as_str())];
            self.attempts.set(of_step, Figure::Count(attempts.into()));
            if let Some(took) = state.took(&step.progress) {
                self.durations.set(of_step, seconds(took));
            }
        }
    }

    fn families(self) -> Vec<Family> {
        vec![
            self.build,
            self.runs,
            self.damaged,
            self.nodes,
            self.began,
            self.ended,
            self.durations,
            self.attempts,
        ]
    }
}

/// A workflow's name, as a label: one word for all that this program does not know, of which there may be any number.
fn known(workflow: &str) -> &'static str {
    wiring::workflow(workflow).map_or("unknown", |workflow| workflow.name())
}

/// In milliseconds, as everywhere: what is finer is noise.
fn seconds(duration: Duration) -> Figure {
    Figure::Seconds(Duration::from_millis(duration.as_millis().try_into().unwrap_or(u64::MAX)).as_secs_f64())
}

fn since_1970(at: Timestamp) -> Figure {
    #[expect(
        clippy::cast_precision_loss,
        reason = "of milliseconds, not before the year 287396"
    )]
    let milliseconds = at.as_millisecond() as f64;
    Figure::Seconds(milliseconds / 1000.0)
}
