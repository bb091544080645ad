//! `logs`: what was done on which node, from the log that every process that drives a run appends to.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};

use clap::Args;
use mesosflow_workflow::StepId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::logging::RunLog;
use crate::render::event::clock;
use crate::runs::{self, Found};
use crate::text::clean;
use crate::wiring::Journal;

/// Show what was done on which node
#[derive(Debug, Clone, Args)]
pub(crate) struct LogsArgs {
    /// The run's id, or the beginning of it; by default the newest run
    run: Option<String>,
    /// Only what was done for this step (may stand alone)
    step: Option<String>,
    /// Only what was done on this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
}

/// What is printed before the message, so not again after it.
const SHOWN: [&str; 8] = [
    "timestamp",
    "level",
    "target",
    "message",
    "spans",
    "step",
    "item",
    "node",
];

/// Prints the lines of one run's log that were asked for, with `--json` as they are.
pub(crate) async fn logs(app: &App, args: &LogsArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let (found, step) = meant(app, &journal, args).await?;
    let filter = Filter {
        step,
        node: args.node.as_deref(),
        cluster: &found.row.cluster,
    };
    let path = RunLog::path(&app.places.run_dir(found.row.run));
    let unreadable = |error: std::io::Error| {
        CliError::new(Exit::Failed, format!("cannot read `{}`", path.display())).because_of(&error)
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            app.ui.note(&format!(
                "run {} has no log at `{}`",
                found.row.run,
                path.display()
            ));
            return Ok(());
        }
        Err(error) => return Err(unreadable(error)),
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(unreadable)?;
        // The last line of a killed process may be cut off.
        let Ok(entry) = serde_json::from_slice::<Map<String, Value>>(&line) else {
            continue;
        };
        if filter.wants(&entry) {
            app.ui.line(&if app.ui.json {
                Value::Object(entry).to_string()
            } else {
                text(&entry)
            })?;
        }
    }
    Ok(())
}

/// The run and the step; a single word is a step if the newest run has one of that name.
async fn meant(app: &App, journal: &Journal, args: &LogsArgs) -> Result<(Found, Option<StepId>), CliError> {
    if let (Some(word), None) = (&args.run, &args.step) {
        let newest = Found::look(journal, runs::choose(app, journal, None).await?).await?;
        // Ids have no hyphens, nor some letters: such a word is a step, be it misspelt.
        let is_id = word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() && !b"ilouILOU".contains(&byte));
        if newest.state.step(&word.as_str().into()).is_some() || !is_id {
            let step = runs::step(&newest.state, word)?;
            return Ok((newest, Some(step)));
        }
    }
    let found = Found::look(journal, runs::choose(app, journal, args.run.as_deref()).await?).await?;
    let step = args
        .step
        .as_deref()
        .map(|step| runs::step(&found.state, step))
        .transpose()?;
    Ok((found, step))
}

/// Which lines are asked for.
struct Filter<'a> {
    step: Option<StepId>,
    node: Option<&'a str>,
    cluster: &'a str,
}

impl Filter<'_> {
    fn wants(&self, entry: &Map<String, Value>) -> bool {
        let step = self
            .step
            .as_ref()
            .is_none_or(|step| field(entry, "step") == Some(step.as_str()));
        let node = self.node.is_none_or(|node| {
            let is_meant =
                |name: &str| name == node || name.strip_prefix(self.cluster) == Some(&format!("-{node}"));
            // A step over nodes has the node's name as its item.
            field(entry, "node").is_some_and(is_meant) || field(entry, "item").is_some_and(is_meant)
        });
        step && node
    }
}

/// A field of the event, or of the innermost span that has it.
fn field<'a>(entry: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let spans = entry
        .get("spans")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .rev();
    entry
        .get(name)
        .or_else(|| spans.into_iter().find_map(|span| span.get(name)))
        .and_then(Value::as_str)
}

/// `19:37:38 hdfs-format demo-master-1: title status=0 ms=312`, and what has several lines indented below.
fn text(entry: &Map<String, Value>) -> String {
    let time = field(entry, "timestamp")
        .and_then(|at| at.parse().ok())
        .map(clock)
        .unwrap_or_default();
    let mut head = vec![time];
    if let Some(level @ ("WARN" | "ERROR")) = field(entry, "level") {
        head.push(level.to_owned());
    }
    head.extend(field(entry, "step").map(str::to_owned));
    let node = field(entry, "node").or_else(|| field(entry, "item"));
    head.extend(node.map(|node| format!("{node}:")));
    head.extend(field(entry, "message").map(str::to_owned));
    let mut below = String::new();
    for (name, value) in entry {
        if SHOWN.contains(&name.as_str()) {
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match value.trim_end() {
            "" => {}
            long if long.contains('\n') || name == "stdout" || name == "stderr" => {
                below.push_str(&format!("\n    {name}: {}", long.replace('\n', "\n      ")));
            }
            short => head.push(format!("{name}={short}")),
        }
    }
    clean(&(head.join(" ") + &below)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Map<String, Value> {
        serde_json::from_value(serde_json::json!({
            "timestamp": "2026-03-01T09:30:00.123456Z", "level": "DEBUG", "target": "mesosflow_steps::remote",
            "message": "command ended", "node": "demo-master-1", "title": "format HDFS", "status": 1, "ms": 312,
            "stderr": "line one\nline two\n", "stdout": "",
            "spans": [{"name": "step", "step": "hdfs-format"}, {"name": "item", "item": "demo-master-1"}],
        }))
        .unwrap()
    }

    #[test]
    fn a_line_says_when_for_what_where_and_what_came_back() {
        let text = text(&entry());
        assert_eq!(
            text.split_once(' ').unwrap().1,
            "hdfs-format demo-master-1: command ended ms=312 status=1 title=format HDFS\n    stderr: line one\n      line two"
        );
    }

    #[test]
    fn lines_are_chosen_by_step_and_by_node_with_or_without_the_clusters_name() {
        let wants = |step: Option<&str>, node| {
            Filter {
                step: step.map(Into::into),
                node,
                cluster: "demo",
            }
            .wants(&entry())
        };
        assert!(wants(None, None));
        assert!(wants(Some("hdfs-format"), Some("demo-master-1")));
        assert!(wants(Some("hdfs-format"), Some("master-1")));
        assert!(!wants(Some("hdfs-start"), None));
        assert!(!wants(None, Some("demo-master-2")));
        assert!(!wants(None, Some("1")));
    }
}
