//! The page of a run: what it did when, what went wrong, and what goes on with it.

use std::sync::Arc;

use jiff::Timestamp;
use mesosflow_workflow::{Recorded, RunId, RunRow, RunState, StoreError};
use serde::Serialize;

use super::frame::{Frame, date, date_if};
use super::reading::{Line, Reading, Readings};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::hints::naming;
use crate::runs::{self, Found};
use crate::session;
use crate::views::status::{Fate, NodeView, RunView, StatusView};
use crate::views::timeline::{Timeline, Told};
use crate::wiring::{self, Journal};

/// How many events the page has, and a file of its own.
const SERVED: usize = 200;
const WHOLE: usize = 2000;

/// A run in the words of a page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunRowView {
    id: String,
    workflow: String,
    cluster: String,
    provider: String,
    state: &'static str,
    /// What became of the cluster that it had made.
    fate: Option<&'static str>,
    generation: String,
    started_at: String,
    finished_at: String,
}

/// The page.
#[derive(Debug, Serialize)]
struct Page<'a> {
    run: &'a RunRowView,
    damage: Option<&'a str>,
    error: Option<Told>,
    next: Option<&'a str>,
    remarks: Vec<String>,
    /// Newest first.
    timelines: Vec<Timeline>,
    nodes: &'a [NodeView],
    /// Newest first.
    events: Vec<&'a Line>,
    /// How many earlier ones there are.
    earlier: usize,
}

/// A run as far as its history can be read.
pub(super) struct Looked {
    pub(super) view: RunRowView,
    pub(super) reading: Arc<Reading>,
    pub(super) damage: Option<String>,
    /// How it stands, and the run by which its steps are replayed.
    state: Option<(RunState, RunId)>,
    status: Option<StatusView>,
}

impl RunRowView {
    pub(super) fn of(run: &RunView) -> Self {
        Self {
            id: run.run.to_string(),
            workflow: run.workflow.clone(),
            cluster: run.cluster.clone(),
            provider: run.provider.clone(),
            state: run.state,
            fate: match (run.destroyed, run.destroying) {
                (true, _) => Some("destroyed"),
                (false, true) => Some("half destroyed"),
                (false, false) => None,
            },
            generation: run.generation.to_string(),
            started_at: date(run.started_at),
            finished_at: date_if(run.finished_at),
        }
    }

    /// The cluster's name.
    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }
}

impl Looked {
    /// Looks at a run; a damaged one is shown as far as it can be read.
    pub(super) async fn at(
        app: &App,
        journal: &Journal,
        readings: &Readings,
        row: RunRow,
    ) -> Result<Self, CliError> {
        let run = row.run;
        let found = match Found::look(journal, row.clone()).await {
            Ok(found) => found,
            Err(error) if error.exit == Exit::Journal => {
                return Self::damaged(journal, &row, error.message).await;
            }
            Err(error) => return Err(error),
        };
        let reading = match readings.of(journal, run, found.state.seq).await {
            Ok(reading) => reading,
            Err(error @ StoreError::DamagedRun { .. }) => {
                return Self::damaged(journal, &row, CliError::from(error).message).await;
            }
            Err(error) => return Err(error.into()),
        };
        let fate = Fate::of(&found.row, found.record.is_destroying());
        let next = session::next(app, &found, found.held);
        let replayed = wiring::replayed(&found.state, found.record.founder().run);
        let status = StatusView::of(&found.state, &found.standing(), found.held, fate, next);
        Ok(Self {
            view: RunRowView::of(&status.run),
            reading,
            damage: None,
            state: Some((found.state, replayed)),
            status: Some(status),
        })
    }

    async fn damaged(journal: &Journal, row: &RunRow, damage: String) -> Result<Self, CliError> {
        let salvaged = journal.salvage(row.run).await?;
        let held = journal.is_held(row.run).await?;
        let state = so_far(&salvaged.events);
        Ok(Self {
            view: RunRowView::of(&RunView::listed(row, held, Fate::of(row, false))),
            reading: Arc::new(Reading::of(&salvaged.events, &salvaged.later)),
            damage: Some(match salvaged.damage {
                Some(what) if !damage.contains(&what) => format!("{damage}: {what}"),
                _ => damage,
            }),
            state: state.map(|state| (state, row.run)),
            status: None,
        })
    }

    /// Until when it is known what is under way: of a run that nobody drives, until it was last heard of.
    fn known_until(&self) -> Option<Timestamp> {
        match self.status.as_ref().is_some_and(StatusView::is_driven) {
            true => Some(Timestamp::now()),
            false => self.state.as_ref().map(|(state, _)| state.moved_at),
        }
    }

    fn page(&self, app: &App, events: usize) -> Page<'_> {
        let status = self.status.as_ref();
        let mut chronicle = self.reading.chronicle.clone();
        if let Some(known) = self.known_until() {
            chronicle.until(known);
        }
        let draw = |(state, replayed): &(RunState, RunId)| {
            let named = |hint: &str| app.places.named_in(&naming(state.run, *replayed, hint));
            let newest_first = chronicle.passages.iter().rev();
            newest_first
                .map(|passage| Timeline::of(state, passage, &named))
                .collect()
        };
        let report = status.and_then(|status| status.report.as_ref());
        let warnings = report.into_iter().flat_map(|report| &report.warnings);
        let substitutions = status.map_or(&[][..], |status| &status.substitutions);
        let told = |error| Told::of(error, &|hint| app.places.named_in(hint));
        Page {
            run: &self.view,
            damage: self.damage.as_deref(),
            error: status.and_then(|status| status.error.as_ref()).map(told),
            next: status.and_then(|status| status.hint.as_deref()),
            remarks: substitutions
                .iter()
                .map(|what| format!("stands in: {what}"))
                .chain(warnings.map(|warning| format!("warning: {warning}")))
                .collect(),
            timelines: self.state.as_ref().map(draw).unwrap_or_default(),
            nodes: status.map_or(&[], |status| &status.nodes),
            events: self.reading.lines.iter().rev().take(events).collect(),
            earlier: self.reading.lines.len().saturating_sub(events),
        }
    }
}

/// How a run stood before the first event that cannot follow.
fn so_far(events: &[Recorded]) -> Option<RunState> {
    let (first, rest) = events.split_first()?;
    let mut state = RunState::begin(first).ok()?;
    let _cannot_follow = rest.iter().try_for_each(|recorded| state.apply(recorded));
    Some(state)
}

/// The page of a run, as a server shows it.
pub(super) async fn served(
    app: &App,
    journal: &Journal,
    readings: &Readings,
    run: RunId,
    frame: Frame,
) -> Result<Option<String>, CliError> {
    let Some(row) = row(journal, run).await? else {
        return Ok(None);
    };
    let looked = Looked::at(app, journal, readings, row.clone()).await?;
    let frame = frame
        .below(&row.cluster, format!("/clusters/{}", row.cluster_id))
        .below(&row.workflow, format!("/runs/{run}"));
    frame.around("run.html", &looked.page(app, SERVED)).map(Some)
}

/// The same as a file of its own.
pub(crate) async fn whole(app: &App, journal: &Journal, run: Option<&str>) -> Result<String, CliError> {
    let row = runs::choose(app, journal, run).await?;
    let looked = Looked::at(app, journal, &Readings::default(), row).await?;
    Frame::whole().around("run.html", &looked.page(app, WHOLE))
}

/// A run as the journal lists it.
pub(super) async fn row(journal: &Journal, run: RunId) -> Result<Option<RunRow>, CliError> {
    let rows = journal.runs().await?;
    Ok(rows.into_iter().find(|row| row.run == run))
}
