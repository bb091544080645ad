//! Which run is meant, and where it stands.

use mesosflow_workflow::{Epoch, PhaseKind, RunId, RunRow, RunState, StepId, StoreError};

use crate::app::App;
use crate::error::CliError;
use crate::nearest::nearest;
use crate::wiring::{self, ClusterSpec, Journal, Record};

/// A run, as far as one look at the journal tells.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// As the journal lists it.
    pub(crate) row: RunRow,
    /// Whether a living process holds it.
    pub(crate) held: bool,
    pub(crate) state: RunState,
    /// What the histories of all runs of its cluster say together.
    pub(crate) record: Record,
}

impl Found {
    /// Whether the run is that which made the cluster.
    pub(crate) fn is_founder(&self) -> bool {
        self.state.run == self.record.founder().run
    }

    /// The cluster's spec as the run is driven with: its own, or of the run that made the cluster that which is in force by now; with
    /// what the run that was driven last was told anew.
    pub(crate) fn spec(&self) -> Result<ClusterSpec, CliError> {
        match self.is_founder() {
            true => self.told(&self.record.cluster()),
            false => self.told(&self.state),
        }
    }

    /// The cluster's spec as it was in force before that run, with what was told anew since.
    pub(crate) fn spec_before(&self, run: RunId) -> Result<ClusterSpec, CliError> {
        self.told(&RunState {
            spec: self.record.spec_before(run),
            ..self.record.cluster()
        })
    }

    /// The spec of a run, with what the run that was driven last was told anew.
    fn told(&self, of: &RunState) -> Result<ClusterSpec, CliError> {
        let own = wiring::frozen_spec(of)?;
        let newest = self.record.newest();
        if newest.run == self.state.run {
            return Ok(own);
        }
        // What only another version can read tells this one nothing.
        Ok(match wiring::frozen_spec(newest) {
            Ok(newest) => own.told_like(&newest),
            Err(_) => own,
        })
    }

    /// Looks at a run. Whether it is held is asked first: a run that ends between the two is then never called crashed.
    pub(crate) async fn look(journal: &Journal, row: RunRow) -> Result<Self, CliError> {
        let rows = journal.runs().await?;
        Self::among(journal, row, &rows).await
    }

    /// The same where all runs are known already.
    pub(crate) async fn among(journal: &Journal, row: RunRow, rows: &[RunRow]) -> Result<Self, CliError> {
        let held = journal.is_held(row.run).await?;
        let state = mesosflow_workflow::run::load(&**journal, row.run).await?;
        let mut others = Vec::new();
        for other in rows {
            if other.cluster_id != row.cluster_id || other.run == row.run {
                continue;
            }
            match mesosflow_workflow::run::load(&**journal, other.run).await {
                Ok(state) => others.push(state),
                // A damaged run stops itself alone: what it has made is found by its tags.
                Err(error) => {
                    tracing::warn!(run = %other.run, %error, "cannot be read: its cluster is known without it")
                }
            }
        }
        let record = Record::of(state.clone(), others);
        Ok(Self {
            row,
            held,
            state,
            record,
        })
    }

    /// Machines that exist by the histories and are none of the cluster's nodes, and what ends them: a run that was to add or remove them was
    /// closed on the way.
    pub(crate) fn strays(&self) -> Option<String> {
        if self.record.unfinished().is_some() || !self.row.owns_cluster {
            return None;
        }
        let cluster = self.cluster();
        let nodes = wiring::nodes(&cluster);
        let is_stray = |resource: &&wiring::Resource| {
            resource.kind == "instance" && !nodes.iter().any(|node| node.id == resource.id)
        };
        let strays: Vec<_> = cluster.resources.iter().filter(is_stray).collect();
        if strays.is_empty() {
            return None;
        }
        let names: Vec<_> = strays.iter().map(|stray| stray.name.as_str()).collect();
        let newest = self.record.newest();
        let way = match newest.phase.kind() {
            PhaseKind::Closed => format!("`mesosflow rollback {}` ends them", newest.run),
            _ => "`mesosflow destroy` ends them with the cluster".to_owned(),
        };
        Some(format!(
            "cluster `{}` has machines that are none of its nodes, since a run was closed on the way: {}; {way}",
            self.row.cluster,
            names.join(", ")
        ))
    }

    /// What whoever changes the cluster next does beside, since a roll of another Mesos was closed on the way.
    pub(crate) fn half_rolled(&self) -> Option<String> {
        let newest = self.record.newest();
        // A roll that had come to its end, and whose replay was closed, is in force.
        let is_half =
            newest.phase.kind() == PhaseKind::Closed && !newest.was_up && wiring::has_rolled(newest);
        is_half.then(|| {
            format!(
                "run `{run}`, which rolled another Mesos out, was closed on the way: nodes that have that one are set back, and their \
                 daemons start anew at once; `mesosflow rollback {run}` does that node by node",
                run = newest.run
            )
        })
    }

    /// The cluster as its record has it.
    pub(crate) fn cluster(&self) -> RunState {
        self.record.cluster()
    }

    /// The same, and that it is gone where it is.
    pub(crate) fn standing(&self) -> RunState {
        let mut cluster = self.cluster();
        cluster.destroyed |= !self.row.owns_cluster;
        cluster
    }

    /// The other runs of its cluster.
    pub(crate) fn others(&self) -> Vec<RunState> {
        self.record.others(self.row.run)
    }
}

/// The run of a cluster that came last to what it came to; one that goes on is the last.
pub(crate) fn latest<'r>(of_cluster: impl IntoIterator<Item = &'r RunRow>) -> Option<&'r RunRow> {
    let moved = |row: &&RunRow| {
        let finished = row.summary.finished_at;
        (
            row.summary.is_unfinished(),
            finished.is_none(),
            finished,
            row.created_at,
        )
    };
    of_cluster.into_iter().max_by_key(moved)
}

/// The newest run of which something is left to be done, be it that a replay of a part has put it off.
pub(crate) fn newest_left(rows: &[RunRow]) -> Option<&RunRow> {
    let is_left = |row: &&RunRow| {
        row.summary.is_unfinished() || (row.summary.phase == PhaseKind::Partial && row.owns_cluster)
    };
    rows.iter().rev().find(is_left)
}

/// How a run has ended, as a clause.
pub(crate) const fn ended(phase: PhaseKind) -> &'static str {
    match phase {
        PhaseKind::Succeeded => "has succeeded",
        PhaseKind::Closed => "was closed",
        PhaseKind::Partial => "has done what was asked of it",
        PhaseKind::Running | PhaseKind::Failed | PhaseKind::Interrupted => "was destroyed",
    }
}

/// The word for the state of a run.
pub(crate) const fn word(phase: PhaseKind, held: bool) -> &'static str {
    match (phase, held) {
        (PhaseKind::Running, false) => "crashed",
        _ => phase.as_str(),
    }
}

/// The run whose id begins with `prefix`, or the newest one.
pub(crate) async fn choose(app: &App, journal: &Journal, prefix: Option<&str>) -> Result<RunRow, CliError> {
    let rows = journal.runs().await?;
    match prefix {
        None => rows.into_iter().next_back().ok_or_else(|| app.no_run()),
        Some(prefix) => matching(rows, prefix),
    }
}

fn matching(rows: Vec<RunRow>, prefix: &str) -> Result<RunRow, CliError> {
    let wanted = prefix.to_ascii_lowercase();
    let is_meant = |row: &RunRow| !wanted.is_empty() && row.run.to_string().starts_with(&wanted);
    let mut meant: Vec<_> = rows.into_iter().filter(is_meant).collect();
    match (meant.len(), meant.pop()) {
        (1, Some(row)) => Ok(row),
        (_, None) => Err(CliError::usage(format!("no run's id begins with `{prefix}`"))
            .hint("`mesosflow list` shows the runs")),
        (_, Some(last)) => {
            meant.push(last);
            Err(ambiguous(
                &format!("`{prefix}` is the beginning of {} runs' ids", meant.len()),
                &meant,
            ))
        }
    }
}

/// Several runs could be meant.
pub(crate) fn ambiguous(message: &str, candidates: &[RunRow]) -> CliError {
    let mut hint = "give more of the id of one of them:".to_owned();
    for row in candidates {
        let started = row.created_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        hint.push_str(&format!(
            "\n{}  {} on {}, started {started}",
            row.run, row.cluster, row.provider
        ));
    }
    CliError::usage(message).hint(hint)
}

/// Whether the run has made a cluster that exists.
pub(crate) fn has_cluster(row: &RunRow) -> bool {
    row.owns_cluster && row.workflow == wiring::FOUNDS
}

/// The run that made a cluster, of those that `is_meant` lets through: the only one whose cluster exists, or the newest one.
pub(crate) fn founder(
    app: &App,
    rows: Vec<RunRow>,
    is_meant: impl Fn(&RunRow) -> bool,
) -> Result<RunRow, CliError> {
    let mut founders: Vec<_> = rows
        .into_iter()
        .filter(|row| row.workflow == wiring::FOUNDS && is_meant(row))
        .collect();
    let living: Vec<_> = founders.iter().filter(|row| has_cluster(row)).cloned().collect();
    match living.as_slice() {
        [only] => Ok(only.clone()),
        [] => founders.pop().ok_or_else(|| app.no_run()),
        several => Err(ambiguous(
            &format!("{} runs have a cluster", several.len()),
            several,
        )),
    }
}

/// A step of the run's catalogue.
pub(crate) fn step(state: &RunState, name: &str) -> Result<StepId, CliError> {
    let ids = || state.steps.iter().map(|step| step.entry.id.as_str());
    match ids().find(|id| *id == name) {
        Some(id) => Ok(StepId::from(id)),
        None => Err(CliError::usage(format!("no step is called `{name}`")).hint(
            match nearest(name, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`mesosflow steps` shows them all".to_owned(),
            },
        )),
    }
}

/// Refuses a run that may not be driven now: another process drives it, or its cluster has another unfinished run.
pub(crate) async fn refuse_busy(journal: &Journal, found: &Found) -> Result<(), CliError> {
    refuse_held(journal, found).await?;
    match found.record.unfinished() {
        Some(other) if other.run != found.row.run => Err(CliError::from(&StoreError::Unfinished {
            cluster: other.cluster.clone(),
            run: other.run,
            workflow: other.workflow.clone(),
        })),
        _ => Ok(()),
    }
}

/// Refuses a run that another process drives, with what is known of that process.
pub(crate) async fn refuse_held(journal: &Journal, found: &Found) -> Result<(), CliError> {
    if !found.held {
        return Ok(());
    }
    // The lock itself knows its holder. If that has just gone, the lease is dropped again at once.
    let taken = journal.adopt(found.row.run, Epoch(0)).await.map(drop);
    taken.map_err(|error| held(error, &found.row, found.record.unfinished()))
}

/// The refusal of a run of a cluster that somebody drives, be it by another run: that one is `driven`.
pub(crate) fn held(error: StoreError, asked: &RunRow, driven: Option<&RunState>) -> CliError {
    let cli = CliError::from(&error);
    match (&error, driven) {
        (StoreError::Held { run, .. }, Some(driven)) if *run != asked.run && *run == driven.run => cli
            .because(format!(
                "it is a {} of cluster `{}`, which run `{}` is about, too",
                driven.workflow, asked.cluster, asked.run
            )),
        _ => cli,
    }
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{ClusterId, Generation, RunSummary, Seq};

    use super::*;

    fn row(id: &str) -> RunRow {
        let run = id.parse().unwrap();
        RunRow {
            run,
            workflow: "deploy".into(),
            cluster: "demo".into(),
            cluster_id: ClusterId::of_run(run),
            provider: "local".into(),
            format: 2,
            created_at: "2026-03-01T09:30:00Z".parse().unwrap(),
            owns_cluster: true,
            summary: RunSummary {
                phase: PhaseKind::Running,
                generation: Generation::FIRST,
                seq: Seq::FIRST,
                finished_at: None,
                destroyed: false,
            },
        }
    }

    #[test]
    fn a_unique_prefix_finds_its_run_in_either_case() {
        let rows = vec![
            row("01jd3k00000000000000000000"),
            row("01jd4k00000000000000000000"),
        ];
        assert_eq!(matching(rows.clone(), "01JD3").unwrap(), rows[0]);
        assert_eq!(
            matching(rows.clone(), "01jd4k00000000000000000000").unwrap(),
            rows[1]
        );
        for unknown in ["", "02", "01jd4k000000000000000000001", "%", "_"] {
            assert_eq!(
                matching(rows.clone(), unknown).unwrap_err().exit.code(),
                2,
                "{unknown}"
            );
        }
        insta::assert_snapshot!(matching(rows, "01jd").unwrap_err().render(str::to_owned));
    }
}
