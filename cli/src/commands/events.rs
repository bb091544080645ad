//! `events`: the history of a run.

use std::time::Duration;

use clap::Args;
use mesosflow_workflow::{Recorded, RunId, RunState, Seq, StoreError};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::render::event;
use crate::runs;
use crate::wiring::Journal;

/// How often `--follow` looks for more.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// How many events are read at a time.
const PAGE: usize = 1024;

/// Show the history of a run
#[derive(Debug, Clone, Args)]
pub(crate) struct EventsArgs {
    /// The run's id, or the beginning of it; by default the newest run
    run: Option<String>,
    /// Go on until the run's process ends
    #[arg(long, short)]
    follow: bool,
}

/// Prints each event on a line, with `--json` as the journal has it.
pub(crate) async fn events(app: &App, args: &EventsArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let run = runs::choose(app, &journal, args.run.as_deref()).await?.run;
    let mut printer = Printer { app, state: None };
    let mut last = Seq(0);
    loop {
        // Asked before the look: what a process wrote last is then still seen.
        let held = journal.is_held(run).await?;
        loop {
            let page = match journal.read(run, last, PAGE).await {
                Err(damaged @ StoreError::DamagedRun { .. }) => {
                    return printer.what_is_left(&journal, run, last, damaged).await;
                }
                page => page?,
            };
            for recorded in &page {
                printer.print(recorded)?;
                last = recorded.seq;
            }
            if page.len() < PAGE {
                break;
            }
        }
        if !args.follow || !held {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// An event behind a damaged one.
#[derive(Serialize)]
struct BehindDamage<'a> {
    #[serde(flatten)]
    recorded: &'a Recorded,
    behind_damage: bool,
}

struct Printer<'a> {
    app: &'a App,
    state: Option<RunState>,
}

impl Printer<'_> {
    /// What can be read of a damaged history, before the damage is told.
    async fn what_is_left(
        &mut self,
        journal: &Journal,
        run: RunId,
        last: Seq,
        damaged: StoreError,
    ) -> Result<(), CliError> {
        let salvaged = journal.salvage(run).await?;
        for recorded in &salvaged.events {
            if recorded.seq > last {
                self.print(recorded)?;
            }
        }
        let mut later = salvaged
            .later
            .iter()
            .filter(|recorded| recorded.seq > last)
            .peekable();
        if let (Some(what), Some(_), false) = (&salvaged.damage, later.peek(), self.app.ui.json) {
            self.app
                .ui
                .line(&format!("     -- damaged: {what}; what is whole behind it:"))?;
        }
        for recorded in later {
            match self.app.ui.json {
                true => self.app.ui.object(&BehindDamage {
                    recorded,
                    behind_damage: true,
                })?,
                false => self.print(recorded)?,
            }
        }
        Err(damaged.into())
    }

    fn print(&mut self, recorded: &Recorded) -> Result<(), CliError> {
        if self.app.ui.json {
            return self.app.ui.object(recorded);
        }
        match &mut self.state {
            // A history that does not fold can be shown all the same, without what the fold knows.
            Some(state) => drop(state.apply(recorded)),
            None => self.state = RunState::begin(recorded).ok(),
        }
        self.app.ui.line(&format!(
            "{:>4} {}",
            recorded.seq.0,
            event::line(recorded, self.state.as_ref())
        ))
    }
}
