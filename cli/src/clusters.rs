//! Which cluster is meant, and which of its nodes: for the commands of every day, which are no runs.
//!
//! The only place that knows what tells of a cluster: the record of its runs.

use std::path::PathBuf;

use clap::Args;
use mesosflow_workflow::{Epoch, RunRow, RunState};

use crate::app::App;
use crate::args::word;
use crate::error::CliError;
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::runs::{self, Found};
use crate::wiring::{self, ClusterSpec, Journal, Node, Outside, Record, Role, WebInterface};

/// Which cluster is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterArgs {
    /// The cluster's name; may be left out where the journal has one cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Which of its nodes are meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NodesArgs {
    /// All nodes of this role (may be repeated; beside those of --node)
    #[arg(long, value_name = "ROLE", value_parser = word::<Role>())]
    pub(crate) role: Vec<Role>,
    /// This node, with or without the cluster's name in front: `slave-1` (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Vec<String>,
}

/// A cluster that exists.
pub(crate) struct Living {
    /// The run that made it.
    pub(crate) row: RunRow,
    /// The cluster as its record has it.
    pub(crate) state: RunState,
    /// What the histories of its runs say together.
    pub(crate) record: Record,
    /// What was asked for.
    pub(crate) spec: ClusterSpec,
    /// The nodes that exist and have answered once: masters, slaves, ZooKeepers, each in the order of their numbers.
    pub(crate) nodes: Vec<Node>,
    /// Where its key is, and what else is its own.
    pub(crate) folder: PathBuf,
    /// The run of it that is not finished, if there is one.
    unfinished: Option<RunState>,
}

impl Living {
    /// The epoch of whoever drove it last: what is said of the cluster now is as new as that.
    pub(crate) fn epoch(&self) -> Epoch {
        self.record.newest().epoch
    }

    /// Its web interfaces.
    pub(crate) fn web_interfaces(&self) -> Vec<WebInterface<'_>> {
        wiring::web_interfaces(&self.nodes, self.spec.spark.history)
    }

    /// The cluster of that name, or the only one.
    pub(crate) async fn meant(app: &App, journal: &Journal, args: &ClusterArgs) -> Result<Self, CliError> {
        let found = founded(app, journal, args).await?;
        refuse_stopped(app, &found)?;
        if let Some(strays) = found.strays() {
            app.ui.warn(&strays);
        }
        let row = found.row.clone();
        let state = found.cluster();
        let mut nodes = wiring::reachable(&state);
        nodes.sort_by_key(|node| (node.role, node.index));
        let going = going(app, &found);
        if let Some((what, _)) = going.as_ref().filter(|_| nodes.is_empty()) {
            let error = CliError::new(Exit::Failed, format!("{what}: no node of it is left"));
            return Err(match going.and_then(|(_, next)| next) {
                Some(next) => error.hint(next),
                None => error,
            });
        }
        if let Some((what, next)) = going {
            let next = next.map_or_else(String::new, |next| format!("; {next}"));
            app.ui.warn(&format!("{what}, and nodes of it may be gone{next}"));
        }
        if nodes.is_empty() {
            return Err(CliError::new(
                Exit::Failed,
                format!("no node of cluster `{}` has ever answered", row.cluster),
            )
            .hint(format!(
                "`{}` says how far it is",
                app.places.command(&["status", &row.run.to_string()])
            )));
        }
        Ok(Self {
            spec: found.spec()?,
            folder: app.cluster_dir(&state),
            unfinished: found.record.unfinished().cloned(),
            row,
            state,
            record: found.record,
            nodes,
        })
    }

    /// Refuses what changes nodes while a run of the cluster is driven, unless the user wants it all the same.
    pub(crate) async fn refuse_driven(&self, journal: &Journal, anyway: bool) -> Result<(), CliError> {
        if anyway || !journal.is_held(self.row.run).await? {
            return Ok(());
        }
        // The lock itself knows its holder. If that has just gone, the lease is dropped again at once.
        let held = journal.adopt(self.row.run, Epoch(0)).await.map(drop);
        held.map_err(|error| {
            runs::held(error, &self.row, self.unfinished.as_ref()).hint("or do it beside that run: --anyway")
        })
    }

    /// The way to its nodes, outside the fence.
    pub(crate) fn outside(&self) -> Result<Outside, CliError> {
        wiring::outside(&self.spec, &self.state, &self.folder)
    }

    /// The nodes that were chosen, all of them where none was.
    pub(crate) fn chosen(&self, args: &NodesArgs) -> Result<Vec<Node>, CliError> {
        if args.role.is_empty() && args.node.is_empty() {
            return Ok(self.nodes.clone());
        }
        let mut wanted = Vec::new();
        for name in &args.node {
            wanted.push(&self.node(name)?.name);
        }
        for role in &args.role {
            let of_role = self.nodes.iter().filter(|node| node.role == *role);
            let before = wanted.len();
            wanted.extend(of_role.map(|node| &node.name));
            if wanted.len() == before {
                return Err(CliError::usage(format!(
                    "cluster `{}` has no {role}",
                    self.row.cluster
                )));
            }
        }
        let chosen = self.nodes.iter().filter(|node| wanted.contains(&&node.name));
        Ok(chosen.cloned().collect())
    }

    /// A node by its name, with or without the cluster's in front.
    pub(crate) fn node(&self, name: &str) -> Result<&Node, CliError> {
        let long = format!("{}-{name}", self.row.cluster);
        let find = |name: &str| self.nodes.iter().find(|node| node.name == name);
        if let Some(node) = find(name).or_else(|| find(&long)) {
            return Ok(node);
        }
        let names = || self.nodes.iter().map(|node| node.name.as_str());
        let error = CliError::usage(format!(
            "cluster `{}` has no node `{name}` that was ever reached",
            self.row.cluster
        ));
        Err(match nearest(name, names()).or_else(|| nearest(&long, names())) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
        })
    }

    /// The first master, or what stands in for it where that never answered.
    pub(crate) fn first(&self) -> &Node {
        &self.nodes[0]
    }

    /// The nodes of a role.
    pub(crate) fn of(&self, role: Role) -> Vec<Node> {
        let of_role = self.nodes.iter().filter(|node| node.role == role);
        of_role.cloned().collect()
    }
}

/// That a destroy of the cluster has begun, and what goes on with it where nobody does.
fn going(app: &App, found: &Found) -> Option<(String, Option<String>)> {
    let is_destroying = found.record.is_destroying();
    if !is_destroying && !found.row.summary.destroyed {
        return None;
    }
    let cluster = &found.row.cluster;
    let destroy = found.record.unfinished().filter(|_| is_destroying);
    if found.held {
        return Some((format!("cluster `{cluster}` is being destroyed"), None));
    }
    let command = match destroy {
        Some(destroy) => app.places.command(&["resume", &destroy.run.to_string()]),
        None => app.places.command(&["destroy", &found.row.run.to_string()]),
    };
    Some((
        format!("a destroy of cluster `{cluster}` is unfinished"),
        Some(format!("to go on with it: {command}")),
    ))
}

/// The run that made the cluster of that name, or the only one.
pub(crate) async fn founded(app: &App, journal: &Journal, args: &ClusterArgs) -> Result<Found, CliError> {
    let all = journal.runs().await?;
    let is_empty = all.is_empty();
    let mut rows = all.clone();
    rows.retain(runs::has_cluster);
    let row = match &args.cluster {
        Some(name) => named(rows, name).map_err(|error| gone(&all, name).unwrap_or(error))?,
        None if is_empty => return Err(app.no_run()),
        None => only(rows)?,
    };
    Found::look(journal, row).await
}

/// Refuses what needs a cluster that is up.
pub(crate) fn refuse_stopped(app: &App, found: &Found) -> Result<(), CliError> {
    if !found.record.is_stopped() {
        return Ok(());
    }
    let name = &found.row.cluster;
    let stopped = CliError::refused(format!("cluster `{name}` is stopped"));
    // Nobody else starts it meanwhile.
    Err(match found.record.unfinished() {
        Some(run) => stopped
            .because(format!(
                "run `{}` of `{}` is not at its end",
                run.run, run.workflow
            ))
            .hint(format!(
                "to go on with that: {}",
                app.places.command(&["resume", &run.run.to_string()])
            )),
        None => stopped.hint(format!(
            "to start it: {}",
            app.places.command(&["start", "--cluster", name])
        )),
    })
}

fn named(mut rows: Vec<RunRow>, name: &str) -> Result<RunRow, CliError> {
    let names: Vec<_> = rows.iter().map(|row| row.cluster.clone()).collect();
    rows.retain(|row| row.cluster == name);
    match rows.pop() {
        Some(row) if rows.is_empty() => Ok(row),
        Some(row) => {
            rows.push(row);
            Err(several(&rows))
        }
        None => {
            let error = CliError::usage(format!("there is no cluster `{name}`"));
            Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`mesosflow clusters` shows them"),
            })
        }
    }
}

/// There was one of that name, and it is gone.
fn gone(all: &[RunRow], name: &str) -> Option<CliError> {
    let was_it = |row: &&RunRow| row.cluster == name && row.workflow == wiring::FOUNDS;
    let last = all.iter().rev().find(was_it)?;
    let is_gone = all.iter().filter(was_it).all(|row| !runs::has_cluster(row));
    is_gone.then(|| {
        CliError::usage(format!("there is no cluster `{name}` any more: it was destroyed"))
            .hint(format!("`mesosflow status {}` says what it was", last.run))
    })
}

fn only(mut rows: Vec<RunRow>) -> Result<RunRow, CliError> {
    match (rows.len(), rows.pop()) {
        (1, Some(row)) => Ok(row),
        (_, None) => {
            Err(CliError::usage("there is no cluster: each was destroyed").hint("`mesosflow run` begins one"))
        }
        (_, Some(last)) => {
            rows.push(last);
            Err(several(&rows))
        }
    }
}

/// Several clusters could be meant.
fn several(rows: &[RunRow]) -> CliError {
    let mut hint = "name one of them with --cluster:".to_owned();
    for row in rows {
        let since = row.created_at.strftime("%Y-%m-%d %H:%M:%S UTC");
        hint.push_str(&format!("\n{} on {}, since {since}", row.cluster, row.provider));
    }
    CliError::usage(format!("there are {} clusters", rows.len())).hint(hint)
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{ClusterId, Generation, PhaseKind, RunSummary, Seq};

    use super::*;

    fn of(cluster: &str) -> RunRow {
        let run = "01jd3k00000000000000000000".parse().unwrap();
        RunRow {
            run,
            workflow: "deploy".into(),
            cluster: cluster.into(),
            cluster_id: ClusterId::of_run(run),
            provider: "local".into(),
            format: 2,
            created_at: "2026-03-01T09:30:00Z".parse().unwrap(),
            owns_cluster: true,
            summary: RunSummary {
                phase: PhaseKind::Succeeded,
                generation: Generation::FIRST,
                seq: Seq::FIRST,
                finished_at: None,
                destroyed: false,
            },
        }
    }

    #[test]
    fn the_only_cluster_need_not_be_named_and_several_are_listed() {
        assert_eq!(only(vec![of("demo")]).unwrap().cluster, "demo");
        let error = only(vec![of("demo"), of("test")]).unwrap_err();
        assert_eq!(error.exit.code(), 2);
        insta::assert_snapshot!(error.render(str::to_owned));
        assert_eq!(only(vec![]).unwrap_err().exit.code(), 2);
    }

    #[test]
    fn a_name_is_found_and_a_slip_of_the_hand_told() {
        let rows = || vec![of("demo"), of("test")];
        assert_eq!(named(rows(), "test").unwrap().cluster, "test");
        let error = named(rows(), "dmeo").unwrap_err();
        assert_eq!(error.exit.code(), 2);
        assert_eq!(error.hints, ["did you mean `demo`?"]);
    }

    #[test]
    fn one_that_was_destroyed_is_said_to_be_gone() {
        let mut was = of("demo");
        assert!(gone(&[was.clone()], "demo").is_none());
        was.owns_cluster = false;
        let error = gone(&[was.clone()], "demo").unwrap();
        assert_eq!(error.exit.code(), 2);
        assert!(error.message.contains("it was destroyed"), "{error:?}");
        assert!(gone(&[was.clone()], "test").is_none());
        // Another one has its name by now.
        assert!(gone(&[was, of("demo")], "demo").is_none());
    }
}
