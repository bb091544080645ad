//! What durability costs a run: steps beside bare commits, and many beside one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::{
    CatalogueEntry, ClusterId, ErrorClass, Flow, Halt, ItemKey, NewRun, Outcome, Probe, Run, RunId, Settings,
    Step, StepCx, StepError, StepId, Stop, Store, SystemClock,
};
use serde::Serialize;
use serde_json::Value;

use crate::Failure;

/// Turns that each side of a ratio takes.
const TURNS: usize = 9;
/// Commits, or steps, of one turn.
const PER_TURN: usize = 512;
/// Items at once in a wide fan-out.
pub(crate) const WIDTH: usize = 64;

/// Steps of one serial run; a turn has [`PER_TURN`] / [`SERIAL`] such runs.
const SERIAL: usize = 16;
/// Their ids: a step's id is known at compile time.
const IDS: [&str; SERIAL] = [
    "step-0", "step-1", "step-2", "step-3", "step-4", "step-5", "step-6", "step-7", "step-8", "step-9",
    "step-10", "step-11", "step-12", "step-13", "step-14", "step-15",
];

/// A step that does nothing: what is left is the cost of remembering it.
#[derive(Serialize)]
struct Nothing<const N: usize> {
    index: usize,
}

/// Never happens.
#[derive(Debug, thiserror::Error)]
#[error("nothing went wrong")]
struct Never;

impl StepError for Never {
    fn class(&self) -> ErrorClass {
        ErrorClass::Permanent
    }
}

impl<const N: usize> Nothing<N> {
    /// Its id in the catalogue.
    const ID: StepId = StepId::from_static(IDS[N]);
}

impl<const N: usize> Step for Nothing<N> {
    type World = ();
    type Output = usize;
    type Error = Never;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<()>) -> Result<Probe<usize>, Never> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, _cx: &StepCx<()>) -> Result<usize, Never> {
        Ok(self.index)
    }

    async fn verify(&self, _cx: &StepCx<()>, _index: &usize) -> Result<(), Never> {
        Ok(())
    }
}

/// What appending costs.
pub(crate) struct Appending {
    /// Serial steps over bare commits.
    pub(crate) steps_per_commit: f64,
    /// A fan-out of [`WIDTH`] over a serial one.
    pub(crate) gain: f64,
    /// A bare commit's own time, in milliseconds: what the two ratios are to be read beside. The less a commit takes, the
    /// more of a step is the executor's own work.
    pub(crate) commit_ms: f64,
}

/// Medians of [`TURNS`].
pub(crate) async fn measure(folder: &Path) -> Result<Appending, Failure> {
    let store: Arc<dyn Store> = Arc::new(SqliteJournal::open(folder.join("journal.sqlite"))?);
    let bare = rusqlite::Connection::open(folder.join("bare.sqlite"))?;
    bare.pragma_update(None, "journal_mode", "WAL")?;
    bare.pragma_update(None, "synchronous", "FULL")?;
    bare.execute(
        "CREATE TABLE row (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT",
        (),
    )?;
    let (mut ratios, mut gains, mut commit) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let commits = PER_TURN as f64 / bare_commits(&bare, turn)?.as_secs_f64();
        let steps = PER_TURN as f64 / serial(&store).await?.as_secs_f64();
        let (narrow, wide) = (items(&store, 1).await?, items(&store, WIDTH).await?);
        // The first turn warms caches and files.
        if turn > 0 {
            commit.push(1000.0 / commits);
            ratios.push(steps / commits);
            gains.push(narrow.as_secs_f64() / wide.as_secs_f64());
        }
    }
    Ok(Appending {
        steps_per_commit: median(ratios),
        gain: median(gains),
        commit_ms: median(commit),
    })
}

pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One row, one transaction, with a body as long as an event's.
fn bare_commits(connection: &rusqlite::Connection, turn: usize) -> Result<Duration, Failure> {
    let body = "x".repeat(300);
    let mut insert = connection.prepare("INSERT INTO row (seq, body) VALUES (?1, ?2)")?;
    let started = Instant::now();
    for index in 0..PER_TURN {
        insert.execute((i64::try_from(turn * PER_TURN + index)?, &body))?;
    }
    Ok(started.elapsed())
}

/// A run without a cluster.
async fn new_run(store: &Arc<dyn Store>) -> Result<Run, Failure> {
    let id = RunId::generate();
    let new = NewRun {
        workflow: "bench".into(),
        cluster: id.to_string(),
        cluster_id: ClusterId::of_run(id),
        provider: "none".into(),
        spec: Value::Null,
        tool_version: "bench".into(),
        catalogue: IDS
            .map(|id| CatalogueEntry::new(StepId::from_static(id), "-", "does nothing"))
            .into(),
        over: Vec::new(),
    };
    Ok(Run::create(store.clone(), Arc::new(SystemClock), id, new, Arc::new(|_| {})).await?)
}

/// Drives a run through `body`; how long that took.
async fn drive<F, Fut>(run: &Run, fan_out: usize, body: F) -> Result<Duration, Failure>
where
    F: Fn(Flow<()>) -> Fut,
    Fut: Future<Output = Result<(), Halt>>,
{
    let settings = Settings {
        fan_out,
        ..Settings::default()
    };
    let started = Instant::now();
    match run.drive(Arc::new(()), settings, Stop::default(), body).await {
        Outcome::Succeeded => Ok(started.elapsed()),
        other => Err(format!("the run did not succeed: {other:?}").into()),
    }
}

/// Awaits steps one after the other, as a flow does.
macro_rules! serially {
    ($flow:ident: $($n:literal)*) => {{
        $($flow.step(Nothing::<$n> { index: $n }).await?;)*
    }};
}

/// Steps one after the other. Each is started and committed, done, and its success recorded with the next start.
async fn serial(store: &Arc<dyn Store>) -> Result<Duration, Failure> {
    let mut took = Duration::ZERO;
    for _ in 0..PER_TURN / SERIAL {
        let run = new_run(store).await?;
        let body = |flow: Flow<()>| async move {
            serially!(flow: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            Ok(())
        };
        took += drive(&run, 1, body).await?;
    }
    Ok(took)
}

/// The items of one step, `width` of them at once; each is a durable step of its own.
async fn items(store: &Arc<dyn Store>, width: usize) -> Result<Duration, Failure> {
    let run = new_run(store).await?;
    let body = |flow: Flow<()>| async move {
        let items =
            (0..PER_TURN).map(|index| (ItemKey::from(format!("item-{index}")), Nothing::<0> { index }));
        flow.fan_out(Nothing::<0>::ID, items).await?;
        serially!(flow: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        Ok(())
    };
    drive(&run, width, body).await
}
