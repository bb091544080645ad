//! What durability costs: the journal against bare SQLite commits on the same disk, and a fan-out against a queue.
//!
//!     cargo run --release -p mesosflow-journal --example journal_cost -- [FOLDER] [ROUNDS]
//!
//! prints one JSON object. Commits are measured in FOLDER (default: a temporary folder in the current one), because
//! the disk decides: never on a file system in memory. All figures are medians over the rounds; the two sides of a
//! ratio take turns within each round, so that a disk which gets slower meanwhile slows both.

#![expect(clippy::print_stdout, reason = "a program whose result is its output")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::{
    Attempt, EVENT_FORMAT, EffectKey, Epoch, Event, Generation, How, ItemKey, Lease, Recorded, RunId, Seq,
    StepId, Store,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Mutex;

/// Steps, commits or items in each round's measurement.
const PER_ROUND: u32 = 256;
/// In how many turns a round measures commits and steps: what else uses the disk then meets both.
const TURNS: u32 = 16;
/// Items that a fan-out has under way at a time.
const WIDTH: usize = 64;

type Failure = Box<dyn Error + Send + Sync>;

/// The figures, each a median over the rounds.
#[derive(Debug, Serialize)]
struct Cost {
    /// How many rounds there were.
    rounds: u32,
    /// Bare commits a second: one row, one transaction, same settings, same folder.
    bare_commits_per_s: f64,
    /// Durable steps a second, one after the other: each is one awaited append of the outcome of the step before it
    /// and its own beginning.
    serial_steps_per_s: f64,
    /// The quotient of the two above, taken within each round.
    serial_steps_per_commit_ratio: f64,
    /// Items a second, one after the other: two awaited appends each.
    serial_items_per_s: f64,
    /// Items a second, 64 at a time.
    fanout_items_per_s: f64,
    /// The quotient of the two above, taken within each round.
    fanout_gain_64: f64,
    /// Microseconds of one bare commit.
    bare_commit_us: f64,
    /// Microseconds of one durable step.
    serial_step_us: f64,
}

/// A history under construction: numbers and appends under one lock, as the executor does it.
struct History<S> {
    store: S,
    lease: Lease,
    run: RunId,
    next: Mutex<Seq>,
}

impl<S: Store> History<S> {
    /// Creates a run for `cluster`.
    async fn begin(store: S, cluster: &str) -> Result<Self, Failure> {
        let run = RunId::generate();
        let event = Event::RunStarted {
            cluster: cluster.to_owned(),
            provider: "local".to_owned(),
            spec: json!({"masters": 3, "slaves": 64}),
            tool_version: "0.1.0".to_owned(),
            catalogue: Vec::new(),
        };
        let lease = store.create(Arc::new(recorded(run, Seq::FIRST, event))).await?;
        Ok(Self {
            store,
            lease,
            run,
            next: Mutex::new(Seq(2)),
        })
    }

    /// Appends `events` in one transaction and waits until they are durable.
    async fn append(&self, events: impl IntoIterator<Item = Event>) -> Result<(), Failure> {
        let append = {
            let mut next = self.next.lock().await;
            let events = events
                .into_iter()
                .map(|event| {
                    let seq = *next;
                    *next = seq.next();
                    Arc::new(recorded(self.run, seq, event))
                })
                .collect();
            self.store.append(&self.lease, events)
        };
        Ok(append.await?)
    }

    /// `count` steps one after the other, each one append: the outcome of the last step and the beginning of the next.
    async fn serial_steps(&self, count: u32) -> Result<Duration, Failure> {
        let started = Instant::now();
        for _ in 0..count {
            self.append([step_succeeded(None), step_started(self.run, None)])
                .await?;
        }
        Ok(started.elapsed())
    }

    /// One item of a fan-out: nothing is done before its beginning is durable, and its outcome is.
    async fn item(&self, index: u32) -> Result<(), Failure> {
        let item = ItemKey::from(format!("demo-slave-{index}"));
        self.append([step_started(self.run, Some(item.clone()))]).await?;
        self.append([step_succeeded(Some(item))]).await
    }

    /// `count` items one after the other.
    async fn serial_items(&self, count: u32) -> Result<Duration, Failure> {
        let started = Instant::now();
        for index in 0..count {
            self.item(index).await?;
        }
        Ok(started.elapsed())
    }

    /// `count` items, `width` at a time.
    async fn fan_out(self: &Arc<Self>, count: u32, width: usize) -> Result<Duration, Failure> {
        let started = Instant::now();
        let permits = Arc::new(tokio::sync::Semaphore::new(width));
        let mut items = tokio::task::JoinSet::new();
        for index in 0..count {
            let (history, permits) = (Arc::clone(self), Arc::clone(&permits));
            items.spawn(async move {
                let _permit = permits.acquire().await?;
                history.item(index).await
            });
        }
        while let Some(item) = items.join_next().await {
            item??;
        }
        Ok(started.elapsed())
    }
}

fn recorded(run: RunId, seq: Seq, event: Event) -> Recorded {
    Recorded {
        run,
        seq,
        at: jiff::Timestamp::now(),
        epoch: Epoch::FIRST,
        generation: Generation::FIRST,
        format: EVENT_FORMAT,
        event,
    }
}

fn step_started(run: RunId, item: Option<ItemKey>) -> Event {
    let step = StepId::from_static("setup-nodes");
    Event::StepStarted {
        effect_key: EffectKey::derive(run, Generation::FIRST, &step, item.as_ref()),
        step,
        item,
        attempt: Attempt::FIRST,
        input: json!({"disks": ["/dev/nvme1n1", "/dev/nvme2n1"], "swap_mib": 1024, "node": "demo-slave-1"}),
        input_digest: "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2".to_owned(),
    }
}

fn step_succeeded(item: Option<ItemKey>) -> Event {
    Event::StepSucceeded {
        step: StepId::from_static("setup-nodes"),
        item,
        attempt: Attempt::FIRST,
        output: json!({"mounted": ["/mnt", "/mnt2"], "swap_mib": 1024}),
        how: How::Applied,
    }
}

/// Bare commits: what SQLite can do on this disk with the journal's settings.
struct Bare {
    connection: rusqlite::Connection,
}

impl Bare {
    fn open(path: &Path) -> Result<Self, Failure> {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "CREATE TABLE rows (id INTEGER PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL) STRICT",
        )?;
        Ok(Self { connection })
    }

    /// `count` rows of `body`, each in a transaction of its own.
    fn commits(&self, count: u32, body: &str) -> Result<Duration, Failure> {
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO rows (at, body) VALUES (?1, ?2)")?;
        let started = Instant::now();
        for _ in 0..count {
            insert.execute(["2026-03-01T09:30:00.000000000Z", body])?;
        }
        Ok(started.elapsed())
    }
}

/// Measures `rounds` rounds in `folder`, which must be empty.
async fn measure(folder: PathBuf, rounds: u32) -> Result<Cost, Failure> {
    let bare = Bare::open(&folder.join("bare.sqlite"))?;
    let journal = SqliteJournal::open(folder.join("journal.sqlite"))?;
    let history = Arc::new(History::begin(journal, "demo").await?);
    let body = serde_json::to_string(&step_started(history.run, None))?;

    let (mut commits, mut steps, mut queued, mut fanned) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut gains) = (Vec::new(), Vec::new());
    // The first round warms caches up and lets the logs grow to their size.
    for round in 0..=rounds {
        let (mut committing, mut stepping) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..TURNS {
            committing += bare.commits(PER_ROUND / TURNS, &body)?;
            stepping += history.serial_steps(PER_ROUND / TURNS).await?;
        }
        let (commit, step) = (per_second(committing), per_second(stepping));
        let serial = per_second(history.serial_items(PER_ROUND).await?);
        let fan_out = per_second(history.fan_out(PER_ROUND, WIDTH).await?);
        if round > 0 {
            commits.push(commit);
            steps.push(step);
            ratios.push(step / commit);
            queued.push(serial);
            fanned.push(fan_out);
            gains.push(fan_out / serial);
        }
    }
    let (bare_commits_per_s, serial_steps_per_s) = (median(commits), median(steps));
    Ok(Cost {
        rounds,
        bare_commits_per_s,
        serial_steps_per_s,
        serial_steps_per_commit_ratio: median(ratios),
        serial_items_per_s: median(queued),
        fanout_items_per_s: median(fanned),
        fanout_gain_64: median(gains),
        bare_commit_us: 1e6 / bare_commits_per_s,
        serial_step_us: 1e6 / serial_steps_per_s,
    })
}

fn per_second(elapsed: Duration) -> f64 {
    f64::from(PER_ROUND) / elapsed.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().unwrap_or_else(|| ".".to_owned());
    let rounds = arguments.next().map_or(Ok(15), |rounds| rounds.parse())?;
    let folder = tempfile::Builder::new()
        .prefix("journal-cost-")
        .tempdir_in(parent)?;
    // In a task, because the main one is not on a worker: the executor's steps are.
    let cost = tokio::spawn(measure(folder.path().to_owned(), rounds)).await??;
    println!("{}", serde_json::to_string_pretty(&cost)?);
    Ok(())
}
