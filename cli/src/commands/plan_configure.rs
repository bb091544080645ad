//! `plan configure`: what a changed file would change.

use clap::Args;
use mesosflow_workflow::ClusterId;
use serde::Serialize;
use similar::TextDiff;

use super::configure::{self, WhatArgs};
use crate::app::App;
use crate::changes::{ChangedKey, shown};
use crate::error::CliError;
use crate::render::plan::steps;
use crate::render::table::table;
use crate::runs::Found;
use crate::session;
use crate::text::clean;
use crate::wiring::{
    self, ChangedFile, ClusterSpec, ConfigureSpec, ConfigureWorkflow, NewConfiguration, PlannedStep, Role,
    Workflow,
};

/// Show what `configure` would change on a cluster: a diff of each file, what starts anew, and what that would cost
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanConfigureArgs {
    #[command(flatten)]
    what: WhatArgs,
}

#[derive(Serialize)]
struct PlanView<'a> {
    workflow: &'static str,
    cluster: &'a str,
    cluster_id: ClusterId,
    provider: &'a str,
    warnings: &'a [String],
    steps: &'a [PlannedStep],
    /// What it would be done to.
    machines: &'a [PlannedMachine<'a>],
    /// The keys that get another value.
    changes: &'a [ChangedKey],
    files: &'a [FileView<'a>],
    /// In the order in which they start anew.
    restarts: &'a [RestartView<'a>],
}

#[derive(Serialize)]
struct PlannedMachine<'a> {
    name: &'a str,
    id: &'a str,
    /// `restart`, or `restart anew` where tasks end.
    action: &'static str,
}

#[derive(Serialize)]
struct FileView<'a> {
    path: &'a str,
    nodes: &'a [String],
    /// Unified.
    diff: String,
}

#[derive(Serialize)]
struct RestartView<'a> {
    unit: &'static str,
    nodes: &'a [String],
    at_once: u16,
    leader_last: bool,
}

/// Asks provider and nodes, and refuses what `configure` would refuse.
pub(crate) async fn plan_configure(app: &App, args: &PlanConfigureArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let ready = configure::ready(app, &journal, &args.what).await?;
    let found = &ready.ground.found;
    let is_so = ready.is_so();
    if is_so && !app.ui.json {
        return session::told_already(app, found, configure::ALREADY);
    }
    let planned = match is_so {
        true => Vec::new(),
        false => planned(&ConfigureWorkflow, &ready.frozen.cluster, &ready.frozen)?,
    };
    let shown = Shown {
        workflow: ConfigureWorkflow.name(),
        steps: &planned,
        warnings: &[&ready.losses[..], &ready.notes[..]].concat(),
        frozen: &ready.frozen,
        changes: &ready.changes.keys,
        new: &ready.new,
    };
    shown.show(app, found)
}

/// The steps of a workflow with that spec frozen into it.
pub(super) fn planned(
    workflow: &dyn Workflow,
    cluster: &ClusterSpec,
    frozen: &impl Serialize,
) -> Result<Vec<PlannedStep>, CliError> {
    let unwritable = |error| CliError::usage("the spec cannot be written as JSON").because_of(&error);
    let frozen = serde_json::to_value(frozen).map_err(unwritable)?;
    wiring::planned(workflow, cluster, &frozen).map_err(unwritable)
}

/// A configuration that would be another, and what that would change.
pub(super) struct Shown<'a> {
    pub(super) workflow: &'static str,
    pub(super) steps: &'a [PlannedStep],
    pub(super) warnings: &'a [String],
    pub(super) frozen: &'a ConfigureSpec,
    pub(super) changes: &'a [ChangedKey],
    pub(super) new: &'a NewConfiguration,
}

impl Shown<'_> {
    /// Tells it, as a document where that is asked for.
    pub(super) fn show(&self, app: &App, found: &Found) -> Result<(), CliError> {
        let (files, restarts) = (self.files(), self.restarts());
        if app.ui.json {
            return app.ui.document(&PlanView {
                workflow: self.workflow,
                cluster: &found.row.cluster,
                cluster_id: found.row.cluster_id,
                provider: &found.row.provider,
                warnings: self.warnings,
                steps: self.steps,
                machines: &self.machines(),
                changes: self.changes,
                files: &files,
                restarts: &restarts,
            });
        }
        for warning in self.warnings {
            app.ui.warn(warning);
        }
        app.ui.line(&steps(self.steps))?;
        tell(app, self.changes, &files, &restarts)
    }

    fn files(&self) -> Vec<FileView<'_>> {
        let files = self.new.files.iter();
        files
            .map(|file| FileView {
                path: &file.path,
                nodes: &file.on,
                diff: diff(file),
            })
            .collect()
    }

    fn restarts(&self) -> Vec<RestartView<'_>> {
        let leads = |unit| ["mesos-master.service", "mesosflow-zookeeper.service"].contains(&unit);
        let restarts = self.new.restarts.iter();
        restarts
            .map(|restart| RestartView {
                unit: restart.unit,
                nodes: &restart.on,
                at_once: match restart.role {
                    Role::Slave => self.frozen.batch,
                    Role::Master | Role::Zookeeper => 1,
                },
                leader_last: leads(restart.unit) && restart.on.len() > 1,
            })
            .collect()
    }

    fn machines(&self) -> Vec<PlannedMachine<'_>> {
        let is_met = |name: &String| self.new.restarts.iter().any(|restart| restart.on.contains(name));
        let nodes = self.frozen.nodes.iter().filter(|node| is_met(&node.name));
        nodes
            .map(|node| PlannedMachine {
                name: &node.name,
                id: &node.id,
                action: match self.frozen.anew.contains(&node.name) {
                    true => "restart anew",
                    false => "restart",
                },
            })
            .collect()
    }
}

/// The difference, as `diff --unified` shows it.
fn diff(file: &ChangedFile) -> String {
    let side = |text: &Option<String>| match text {
        Some(_) => file.path.clone(),
        None => "/dev/null".to_owned(),
    };
    let (before, after) = (file.before.as_deref(), file.after.as_deref());
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&side(&file.before), &side(&file.after))
        .to_string()
}

fn tell(
    app: &App,
    keys: &[ChangedKey],
    files: &[FileView<'_>],
    restarts: &[RestartView<'_>],
) -> Result<(), CliError> {
    if !keys.is_empty() {
        let row = |key: &ChangedKey| {
            let counts = if key.later { "from then on" } else { "now" };
            let (before, after) = (shown(key.before.as_ref()), shown(key.after.as_ref()));
            vec![key.key.to_owned(), before, after, counts.to_owned()]
        };
        app.ui.line("")?;
        app.ui
            .line(&table(&["key", "is", "would be", "counts"], keys.iter().map(row)))?;
    }
    for file in files {
        app.ui.line("")?;
        app.ui.line(&format!("on {}:", file.nodes.join(", ")))?;
        for line in file.diff.lines() {
            app.ui.line(&clean(line))?;
        }
    }
    if !restarts.is_empty() {
        let row = |restart: &RestartView<'_>| {
            let last = if restart.leader_last {
                ", who leads last"
            } else {
                ""
            };
            vec![
                restart.unit.to_owned(),
                restart.nodes.join(", "),
                format!("{} at once{last}", restart.at_once),
            ]
        };
        app.ui.line("")?;
        app.ui
            .line(&table(&["starts anew", "on", "how"], restarts.iter().map(row)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_shown_as_it_differs_and_one_that_is_new_against_nothing() {
        let file = |before: Option<&str>, after: Option<&str>| ChangedFile {
            path: "/etc/x".into(),
            on: vec!["demo-master-1".into()],
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        insta::assert_snapshot!(diff(&file(Some("a\nheap=1\nb\n"), Some("a\nheap=2\nb\n"))), @r"
        --- /etc/x
        +++ /etc/x
        @@ -1,3 +1,3 @@
         a
        -heap=1
        +heap=2
         b
        ");
        assert!(diff(&file(None, Some("new\n"))).starts_with("--- /dev/null\n+++ /etc/x\n"));
        assert!(diff(&file(Some("old\n"), None)).contains("+++ /dev/null\n"));
    }
}
