//! What every command works with.

use std::path::PathBuf;

use mesosflow_workflow::{RunId, RunState};

use crate::belongings;
use crate::config;
use crate::error::CliError;
use crate::exit::Exit;
use crate::logging::{RunLog, Voice};
use crate::notify::{Channels, Notices};
use crate::places::Places;
use crate::ui::Ui;
use crate::wiring::{self, Journal};

/// What every command works with.
#[derive(Clone)]
pub(crate) struct App {
    /// The command line as it is defined.
    pub(crate) definition: fn() -> clap::Command,
    pub(crate) ui: Ui,
    pub(crate) places: Places,
    /// The configuration file that was named.
    pub(crate) config: Option<PathBuf>,
    /// The log of the run that this process drives.
    pub(crate) log: RunLog,
    /// How long work tells of itself.
    pub(crate) voice: Voice,
    /// Who is told when the run ends that this process drives.
    pub(crate) channels: Channels,
    /// The notices on their way.
    pub(crate) notices: Notices,
}

impl App {
    /// The same for a command that drives a run: with those who are to be told of its end, by `--notify` and by the configuration.
    pub(crate) fn telling(&self, flag: Option<&str>) -> Result<Self, CliError> {
        let channels = config::channels(self.config.as_deref())?;
        Ok(Self {
            channels: channels.with_flag(flag),
            ..self.clone()
        })
    }

    /// The journal, created where there is none.
    pub(crate) fn journal(&self) -> Result<Journal, CliError> {
        wiring::open(&self.places)
    }

    /// The journal if there is one.
    pub(crate) fn existing_journal(&self) -> Result<Option<Journal>, CliError> {
        wiring::open_existing(&self.places)
    }

    /// The journal, or the error of a command that needs a run.
    pub(crate) fn journal_with_runs(&self) -> Result<Journal, CliError> {
        self.existing_journal()?.ok_or_else(|| self.no_run())
    }

    /// Where the things of a cluster lie, as its record has it; made or not.
    pub(crate) fn cluster_dir(&self, cluster: &RunState) -> PathBuf {
        belongings::find(&self.places, cluster.cluster_id, cluster.run)
    }

    /// The same for whoever holds the cluster's lease and drives it.
    pub(crate) fn take_cluster_dir(&self, cluster: &RunState) -> PathBuf {
        belongings::take(&self.places, cluster.cluster_id, cluster.run)
    }

    /// Gives the founding run its log back, where a move of the cluster's things was broken off.
    pub(crate) fn give_back_log(&self, cluster: &RunState) {
        belongings::give_back(&self.places, cluster.cluster_id, cluster.run);
    }

    /// A text that a run of the cluster has recorded, with the paths of the cluster's things as they are now.
    pub(crate) fn renamed(&self, cluster: &RunState, text: &str) -> String {
        belongings::renamed(&self.places, cluster.cluster_id, cluster.run, text)
    }

    /// Begins the log of a run, in its folder: for whoever drives the run or takes it down.
    pub(crate) fn begin_log(&self, run: RunId) -> Result<(), CliError> {
        let begun = self.places.make_run_dir(run);
        let begun = begun.and_then(|dir| self.log.attach(&dir));
        begun.map_err(|error| {
            CliError::new(Exit::Failed, format!("cannot begin the log of run `{run}`")).because_of(&error)
        })
    }

    /// There is no run at all.
    pub(crate) fn no_run(&self) -> CliError {
        CliError::usage(format!(
            "there is no run in the journal `{}`",
            self.places.journal().display()
        ))
        .hint(format!("`{}` begins one", self.places.command(&["run"])))
    }
}
