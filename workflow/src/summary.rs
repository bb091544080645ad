//! What a list of runs tells of each, kept beside its history so that no list has to fold one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Purpose, Recorded};
use crate::ids::{Generation, Seq};

/// How a run stands, in one word. Whether a running one is alive is for the store's lock to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// Begun or taken over, and not ended.
    Running,
    /// Every step of its catalogue has a valid outcome.
    Succeeded,
    /// A replay came to its end, and steps are left to be done.
    Partial,
    /// It cannot go on by itself.
    Failed,
    /// It stopped in good order.
    Interrupted,
    /// It was ended where it stood, on purpose.
    Closed,
}

impl PhaseKind {
    /// The word, as the journal and the user see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
        }
    }

    /// Whether somebody has to go on with it, or to close it, before the cluster is free for another run.
    pub const fn is_unfinished(self) -> bool {
        match self {
            Self::Running | Self::Failed | Self::Interrupted => true,
            Self::Succeeded | Self::Partial | Self::Closed => false,
        }
    }

    /// The kind that a word names.
    pub fn of_word(word: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Succeeded,
            Self::Partial,
            Self::Failed,
            Self::Interrupted,
            Self::Closed,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// The row of a run in a list: what its last events say. Follows from the history alone, so that a store can keep it in the
/// transaction of each append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// How it stands.
    pub phase: PhaseKind,
    /// Which pass over the catalogue.
    pub generation: Generation,
    /// The last event's number.
    pub seq: Seq,
    /// When it last ended; none while it runs.
    pub finished_at: Option<Timestamp>,
    /// Whether it was ever taken over to be destroyed.
    pub destroyed: bool,
}

impl RunSummary {
    /// Whether it keeps other runs off its cluster.
    pub const fn is_unfinished(&self) -> bool {
        self.phase.is_unfinished() && !self.destroyed
    }

    /// The summary of a history that has only its first event.
    pub const fn begin(first: &Recorded) -> Self {
        Self {
            phase: PhaseKind::Running,
            generation: first.generation,
            seq: first.seq,
            finished_at: None,
            destroyed: false,
        }
    }

    /// Takes one more event into account.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.seq = recorded.seq;
        self.generation = recorded.generation;
        let end = match &recorded.event {
            Event::RunAdopted {
                purpose: Purpose::Destroy,
                ..
            } => {
                self.destroyed = true;
                return;
            }
            // Until it is closed, it stands as it stood.
            Event::RunAdopted {
                purpose: Purpose::Close,
                ..
            } => return,
            Event::RunAdopted { .. } => PhaseKind::Running,
            Event::RunSucceeded => PhaseKind::Succeeded,
            Event::RunPartial { .. } => PhaseKind::Partial,
            Event::RunFailed { .. } => PhaseKind::Failed,
            Event::RunInterrupted { .. } => PhaseKind::Interrupted,
            Event::RunClosed { .. } => PhaseKind::Closed,
            _ => return,
        };
        self.phase = end;
        self.finished_at = (end != PhaseKind::Running).then_some(recorded.at);
    }
}
