//! The page of a run's events: newest first, filtered, a page at a time.

use std::collections::BTreeSet;

use mesosflow_workflow::RunId;
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::reading::{Line, Readings};
use super::run::{Looked, RunRowView, row};
use crate::app::App;
use crate::error::CliError;
use crate::wiring::Journal;

/// How many events a page has.
const SHOWN: usize = 200;

/// Which events are meant, as the page's address says.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Filter {
    #[serde(default)]
    step: String,
    /// A part of the item's name.
    #[serde(default)]
    item: String,
    #[serde(default)]
    kind: String,
    /// Only those before this one.
    #[serde(default)]
    before: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    run: &'a RunRowView,
    damage: Option<&'a str>,
    filter: &'a Filter,
    steps: BTreeSet<&'a str>,
    kinds: BTreeSet<&'static str>,
    events: Vec<&'a Line>,
    matching: usize,
    all: usize,
    /// The address of the page with older ones, if there are any.
    older: Option<String>,
    /// The address of the newest ones, where this page has others.
    newest: Option<String>,
}

impl Filter {
    fn lets_through(&self, line: &Line) -> bool {
        let is = |wanted: &str, has: Option<&str>| wanted.is_empty() || has == Some(wanted);
        let has = |wanted: &str, has: Option<&str>| {
            wanted.is_empty() || has.is_some_and(|has| has.contains(wanted))
        };
        is(&self.step, line.step.as_deref())
            && has(self.item.trim(), line.item.as_deref())
            && is(&self.kind, Some(line.kind))
    }

    /// The address of the page from before that event, or of the newest.
    fn address(&self, run: &str, before: Option<u64>) -> Result<String, CliError> {
        let mut words = vec![("step", self.step.clone()), ("item", self.item.clone())];
        words.push(("kind", self.kind.clone()));
        words.extend(before.map(|before| ("before", before.to_string())));
        words.retain(|(_, value)| !value.is_empty());
        let query = serde_urlencoded::to_string(words)
            .map_err(|error| CliError::usage("the filter fits no address").because_of(&error))?;
        Ok(format!("/runs/{run}/history?{query}"))
    }
}

/// The page; none where there is no such run.
pub(super) async fn served(
    app: &App,
    journal: &Journal,
    readings: &Readings,
    (run, filter): (RunId, &Filter),
    frame: Frame,
) -> Result<Option<String>, CliError> {
    let Some(row) = row(journal, run).await? else {
        return Ok(None);
    };
    let id = run.to_string();
    let looked = Looked::at(app, journal, readings, row.clone()).await?;
    let lines = &looked.reading.lines;
    let matching: Vec<_> = lines.iter().filter(|line| filter.lets_through(line)).collect();
    let is_meant = |line: &&&Line| filter.before.is_none_or(|before| line.seq < before);
    let mut events: Vec<_> = matching
        .iter()
        .rev()
        .filter(is_meant)
        .copied()
        .take(SHOWN + 1)
        .collect();
    let is_more = events.len() > SHOWN;
    events.truncate(SHOWN);
    let last = events.last().filter(|_| is_more).map(|line| line.seq);
    let page = Page {
        run: &looked.view,
        damage: looked.damage.as_deref(),
        steps: lines.iter().filter_map(|line| line.step.as_deref()).collect(),
        kinds: lines.iter().map(|line| line.kind).collect(),
        matching: matching.len(),
        all: lines.len(),
        older: last.map(|last| filter.address(&id, Some(last))).transpose()?,
        newest: filter.before.map(|_| filter.address(&id, None)).transpose()?,
        events,
        filter,
    };
    frame
        .below(looked.view.cluster(), format!("/clusters/{}", row.cluster_id))
        .below(&row.workflow, format!("/runs/{id}"))
        .below("history", format!("/runs/{id}/history"))
        .around("history.html", &page)
        .map(Some)
}
