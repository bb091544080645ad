//! What the program says of its own work: to standard error with `-v`, to each run's log while it is driven, and what
//! long work tells of itself (events of the target [`PROGRESS`]) to the user at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The crates whose doings belong into a run's log.
const CRATES: [&str; 4] = [
    "mesosflow",
    "mesosflow_workflow",
    "mesosflow_journal",
    "mesosflow_steps",
];

/// The target of events that the user wants to see as they happen (an image that is being built).
const PROGRESS: &str = "mesosflow::progress";

/// Says a line to the user.
type Say = Box<dyn Fn(&str) + Send>;

/// The way of [`PROGRESS`] events to the user: through what shows a run's progress, while there is one.
#[derive(Clone)]
pub(crate) struct Voice(Arc<Mutex<Say>>);

impl Voice {
    /// A voice that speaks by `say` until it is told otherwise.
    pub(crate) fn new(say: impl Fn(&str) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(say))))
    }

    /// From now on, speaks by `say`.
    pub(crate) fn through(&self, say: impl Fn(&str) + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(say);
    }

    /// Says a line.
    pub(crate) fn say(&self, line: &str) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(line);
    }
}

impl<S: Subscriber> Layer<S> for Voice {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.say(&message.0);
    }
}

/// The message of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// What a run's log is called in its folder.
pub(crate) const LOG: &str = "log.jsonl";

/// The log of a run, which is not known yet when tracing begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunLog(Arc<OnceLock<File>>);

impl RunLog {
    /// The log in a run's folder.
    pub(crate) fn path(run_dir: &Path) -> PathBuf {
        run_dir.join(LOG)
    }

    /// Begins to write to the log in `run_dir`, after what is there.
    pub(crate) fn attach(&self, run_dir: &Path) -> io::Result<()> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(Self::path(run_dir))?;
        let _first = self.0.set(file);
        Ok(())
    }

    /// Switches tracing on.
    pub(crate) fn install(&self, voice: Voice, verbose: u8) {
        let to_log = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(true)
            .with_writer(self.clone())
            .with_filter(Targets::new().with_targets(CRATES.map(|name| (name, LevelFilter::DEBUG))));
        let (ours, others) = match verbose {
            0 => (LevelFilter::OFF, LevelFilter::OFF),
            1 => (LevelFilter::DEBUG, LevelFilter::WARN),
            _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
        };
        let to_user = fmt::layer().with_ansi(false).with_writer(io::stderr).with_filter(
            Targets::new()
                .with_default(others)
                .with_targets(CRATES.map(|name| (name, ours)))
                .with_target(PROGRESS, LevelFilter::OFF),
        );
        let to_all = voice.with_filter(Targets::new().with_target(PROGRESS, LevelFilter::INFO));
        // Fails only where tracing is on already, in tests.
        let _on = tracing_subscriber::registry()
            .with(to_log)
            .with(to_user)
            .with(to_all)
            .try_init();
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = LogWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogWriter(self.0.get())
    }
}

/// Writes to the log, if there is one yet.
pub(crate) struct LogWriter<'a>(Option<&'a File>);

impl Write for LogWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0 {
            Some(mut file) => file.write(line),
            None => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
