//! `make bench`: what durability costs, and where the time of a deploy goes.
//!
//!     bench MESOSFLOW [FOLDER]
//!
//! The journal is measured through the executor itself, against bare commits of one row in the same folder (by default
//! one on the disk that holds `/var/tmp`; a file system in memory would measure nothing). The two sides of each ratio
//! take turns within one run, and the median of the turns is printed. Then MESOSFLOW brings up a cluster and says what
//! its phases took. The last line is one JSON object with all figures.

#![expect(clippy::print_stdout, reason = "a program whose result is its output")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::{
    CatalogueEntry, ClusterId, ErrorClass, Flow, Halt, ItemKey, NewRun, Outcome, Probe, Run, RunId, Settings,
    Step, StepCx, StepError, StepId, Stop, Store, SystemClock,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Turns that each side of a ratio takes.
const TURNS: usize = 9;
/// Commits, or steps, of one turn.
const PER_TURN: usize = 512;
/// Items at once in a wide fan-out.
const WIDTH: usize = 64;

type Failure = Box<dyn Error + Send + Sync>;

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

impl<const N: usize> Step for Nothing<N> {
    type World = ();
    type Output = usize;
    type Error = Never;

    const ID: StepId = StepId::from_static(IDS[N]);

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

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: bench MESOSFLOW [FOLDER]")?;
    let parent = arguments
        .next()
        .map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let folder = tempfile::Builder::new()
        .prefix("mesosflow-bench-")
        .tempdir_in(parent)?;

    let (steps_per_commit, gain) = journal(folder.path()).await?;
    println!("serial durable steps per bare commit   {steps_per_commit:.2}");
    println!("gain of {WIDTH} concurrent items             {gain:.1}");
    let (seconds, phases) = deploy(Path::new(&program), folder.path())?;
    println!("deploy of eight nodes                  {seconds:.1} s");
    for phase in phases.as_array().into_iter().flatten() {
        let share = phase["duration_ms"].as_f64().unwrap_or_default() / 1000.0 / seconds;
        println!(
            "  {:<12} {share:>5.2} of it",
            phase["name"].as_str().unwrap_or_default()
        );
    }
    let figures = json!({
        "serial_steps_per_commit_ratio": steps_per_commit,
        "fanout_gain_64": gain,
        "deploy_seconds": seconds,
        "phases": phases,
    });
    println!("{figures}");
    Ok(())
}

/// Serial steps over bare commits, and a fan-out of [`WIDTH`] over a serial one; medians of [`TURNS`].
async fn journal(folder: &Path) -> Result<(f64, f64), Failure> {
    let store: Arc<dyn Store> = Arc::new(SqliteJournal::open(folder.join("journal.sqlite"))?);
    let bare = rusqlite::Connection::open(folder.join("bare.sqlite"))?;
    bare.pragma_update(None, "journal_mode", "WAL")?;
    bare.pragma_update(None, "synchronous", "FULL")?;
    bare.execute(
        "CREATE TABLE row (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT",
        (),
    )?;
    let (mut ratios, mut gains) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let commits = PER_TURN as f64 / bare_commits(&bare, turn)?.as_secs_f64();
        let steps = PER_TURN as f64 / serial(&store).await?.as_secs_f64();
        let (narrow, wide) = (items(&store, 1).await?, items(&store, WIDTH).await?);
        // The first turn warms caches and files.
        if turn > 0 {
            ratios.push(steps / commits);
            gains.push(narrow.as_secs_f64() / wide.as_secs_f64());
        }
    }
    Ok((median(ratios), median(gains)))
}

fn median(mut figures: Vec<f64>) -> f64 {
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
    };
    Ok(Run::create(store.clone(), Arc::new(SystemClock), id, new, Arc::new(|_| {})).await?)
}

/// Drives a run through `body`; how long that took.
async fn drive<F, Fut>(run: &Run, fan_out: usize, body: F) -> Result<Duration, Failure>
where
    F: FnOnce(Flow<()>) -> Fut,
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
        flow.fan_out(items).await?;
        serially!(flow: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        Ok(())
    };
    drive(&run, width, body).await
}

/// Brings a cluster up and takes it down again; seconds of the deploy, and its phases as `status --json` tells them.
fn deploy(program: &Path, folder: &Path) -> Result<(f64, Value), Failure> {
    let cluster = format!("bench-{}", std::process::id());
    let journal = folder.join("deploy.sqlite");
    let mesosflow = |arguments: &[&str]| -> Result<std::process::Output, Failure> {
        Ok(Command::new(program)
            .arg("--journal")
            .arg(&journal)
            .args(arguments)
            .output()?)
    };
    let started = Instant::now();
    let run = mesosflow(&["run", "--cluster", &cluster])?;
    let seconds = started.elapsed().as_secs_f64();
    let status = mesosflow(&["status", "--json"])?;
    let destroyed = mesosflow(&["destroy", "--cluster", &cluster, "--yes"])?;
    for output in [&run, &destroyed] {
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    let status: Value = serde_json::from_slice(&status.stdout)?;
    Ok((seconds, status["phases"].clone()))
}
