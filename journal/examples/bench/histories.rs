//! What a long history costs: to open, to show, to go on with, to fold from its beginning; and a list of many runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::run::load;
use mesosflow_workflow::{
    Adopter, Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, Event, Generation, How,
    ItemKey, Lease, Nonce, Purpose, Recorded, Run, RunId, RunState, Seq, StepId, Store, SystemClock,
};
use serde_json::{Value, json};

use crate::Failure;
use crate::appending::median;

/// The first argument of a process that measures.
pub(crate) const CHILD: &str = "--history";
/// How many events the histories have.
const LENGTHS: [u64; 3] = [10_000, 100_000, 1_000_000];
/// How many runs a long list has.
const RUNS: usize = 1000;
/// Items of the step that each generation repeats.
const ITEMS: u64 = 500;
/// Events behind the snapshot, about as many as an engine leaves.
const BEHIND: u64 = 2000;
/// Events read or appended at a time.
const PAGE: usize = 512;
/// Processes of each kind; the median counts.
const TIMES: usize = 5;

const STEP: StepId = StepId::from_static("setup-nodes");

/// Measures histories of all lengths, and a list.
pub(crate) async fn measure(folder: &Path) -> Result<Value, Failure> {
    println!("  events      open    page  status  resume    fold   memory (status, fold)  file  per event");
    let mut figures = Vec::new();
    for length in LENGTHS {
        let path = folder.join(format!("history-{length}.sqlite"));
        let started = Instant::now();
        let run = write(&path, length).await?;
        let appended = started.elapsed().as_secs_f64() * 1e6 / length as f64;
        let size = std::fs::metadata(&path)?.len() as f64 / 1048576.0;
        let mut figure = json!({"events": length, "file_mib": size, "append_us": appended});
        for kind in ["status", "resume", "fold"] {
            for (name, value) in processes(kind, &path, run)? {
                figure[name] = json!(value);
            }
        }
        let of = |name: &str| figure[name].as_f64().unwrap_or_default();
        println!(
            "  {length:>7}  {:>5.0} ms {:>4.1} ms {:>4.0} ms {:>4.0} ms {:>5.0} ms    {:>4.0} MiB, {:>4.0} MiB  {size:>5.0} MiB  {appended:.1} µs",
            of("open_ms"),
            of("page_ms"),
            of("status_ms"),
            of("resume_ms"),
            of("fold_ms"),
            of("status_mib"),
            of("fold_mib"),
        );
        std::fs::remove_file(&path)?;
        figures.push(figure);
    }
    let ratio = |name: &str| {
        let of = |index: usize| figures[index][name].as_f64().unwrap_or_default();
        of(1) / of(0)
    };
    let (status, resume) = (ratio("status_ms"), ratio("resume_ms"));
    println!("  100,000 events to 10,000: status {status:.2}, resume {resume:.2}");
    let path = folder.join("list.sqlite");
    let run = write_many(&path).await?;
    let list: Vec<_> = processes("list", &path, run)?;
    let list_ms = list
        .iter()
        .find(|(name, _)| name == "list_ms")
        .map_or(0.0, |(_, ms)| *ms);
    println!("list of {RUNS} runs                      {list_ms:.1} ms");
    Ok(json!({"lengths": figures, "status_ratio": status, "resume_ratio": resume, "list_1000_ms": list_ms}))
}

/// Medians of what some processes of one kind say.
fn processes(kind: &str, path: &Path, run: RunId) -> Result<Vec<(String, f64)>, Failure> {
    // To fold everything takes long, and is the same every time.
    let times = if kind == "fold" { 1 } else { TIMES };
    let mut said: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..times {
        let output = Command::new(std::env::current_exe()?)
            .args([CHILD.as_ref(), kind.as_ref(), path.as_os_str()])
            .arg(run.to_string())
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let figures: Value = serde_json::from_slice(&output.stdout)?;
        for (name, value) in figures.as_object().into_iter().flatten() {
            let value = value.as_f64().unwrap_or_default();
            match said.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => values.push(value),
                None => said.push((name.clone(), vec![value])),
            }
        }
    }
    Ok(said
        .into_iter()
        .map(|(name, values)| (name, median(values)))
        .collect())
}

/// A process that measures: what it does with which journal, as the commands of that name do it.
pub(crate) async fn child(mut arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let mut next = || arguments.next().ok_or("an argument is missing");
    let (kind, path, run) = (next()?, PathBuf::from(next()?), next()?);
    let run: RunId = run.to_string_lossy().parse()?;
    let started = Instant::now();
    let journal = SqliteJournal::open(&path)?;
    let open_ms = milliseconds(started);
    let figures = match kind.to_string_lossy().as_ref() {
        "status" => {
            let page = Instant::now();
            journal.read(run, Seq(0), 100).await?;
            let page_ms = milliseconds(page);
            let state = Instant::now();
            load(&journal, run).await?;
            json!({
                "open_ms": open_ms,
                "page_ms": page_ms,
                "status_ms": open_ms + milliseconds(state),
                "status_mib": peak_mib(),
            })
        }
        "resume" => {
            let adopter = Adopter {
                purpose: Purpose::Drive,
                pid: std::process::id(),
                host: "here".into(),
                seen: None,
                over: Vec::new(),
            };
            let journal: Arc<dyn Store> = Arc::new(journal);
            Run::adopt(journal, Arc::new(SystemClock), run, adopter, Arc::new(|_| {})).await?;
            json!({"resume_ms": milliseconds(started)})
        }
        "fold" => {
            fold(&journal, run, Seq(u64::MAX)).await?;
            json!({"fold_ms": milliseconds(started), "fold_mib": peak_mib()})
        }
        "list" => {
            let list = Instant::now();
            if journal.runs().await?.len() != RUNS {
                return Err("the list is not whole".into());
            }
            json!({"list_ms": milliseconds(list)})
        }
        other => return Err(format!("`{other}` is nothing to measure").into()),
    };
    println!("{figures}");
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The most memory that this process had at once.
fn peak_mib() -> f64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        })
        .map_or(f64::NAN, |kib| kib / 1024.0)
}

/// The history up to an event, page by page.
async fn fold(journal: &SqliteJournal, run: RunId, last: Seq) -> Result<RunState, Failure> {
    let first = journal.read(run, Seq(0), 1).await?;
    let mut state = RunState::fold(&first)?;
    loop {
        let page = journal.read(run, state.seq, PAGE).await?;
        let wanted: Vec<_> = page.iter().filter(|event| event.seq <= last).collect();
        if wanted.is_empty() {
            return Ok(state);
        }
        for event in wanted {
            state.apply(event)?;
        }
    }
}

/// Writes a run that is replayed until its history has `length` events, with a snapshot near its end.
async fn write(path: &Path, length: u64) -> Result<RunId, Failure> {
    let journal = SqliteJournal::open(path)?;
    let mut story = Story::begin(&journal, "long").await?;
    while story.last.seq.0 < length {
        story.generation(&journal).await?;
    }
    // As the engine keeps it.
    let behind = Seq(story.last.seq.0.saturating_sub(BEHIND));
    let state = fold(&journal, story.last.run, behind).await?;
    let snapshot = state.to_snapshot().ok_or("the state cannot be kept")?;
    journal.keep(&story.lease, snapshot).await?;
    Ok(story.last.run)
}

/// Writes as many runs as a long list has.
async fn write_many(path: &Path) -> Result<RunId, Failure> {
    let journal = SqliteJournal::open(path)?;
    let mut run = None;
    for index in 0..RUNS {
        let mut story = Story::begin(&journal, &format!("cluster-{index}")).await?;
        for _ in 0..20 {
            story.add(resource(story.last.seq));
        }
        story.flush(&journal).await?;
        run = Some(story.last.run);
    }
    run.ok_or_else(|| "no run was written".into())
}

/// A history on its way into a journal.
struct Story {
    lease: Lease,
    last: Recorded,
    waiting: Vec<Arc<Recorded>>,
}

impl Story {
    async fn begin(journal: &SqliteJournal, cluster: &str) -> Result<Self, Failure> {
        let first = Recorded {
            run: RunId::generate(),
            seq: Seq::FIRST,
            at: Timestamp::now(),
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event: Event::RunStarted {
                workflow: "deploy".into(),
                cluster: cluster.into(),
                cluster_id: Some(ClusterId::generate()),
                provider: "none".into(),
                spec: json!({"masters": 1, "slaves": ITEMS}),
                tool_version: "bench".into(),
                catalogue: vec![CatalogueEntry::new(STEP, "-", "sets the nodes up").over("nodes")],
                nonce: Some(Nonce::generate()),
                over: Vec::new(),
            },
        };
        Ok(Self {
            lease: journal.create(Arc::new(first.clone())).await?,
            last: first,
            waiting: Vec::new(),
        })
    }

    fn add(&mut self, event: Event) {
        self.last = Recorded {
            seq: self.last.seq.next(),
            at: Timestamp::now(),
            epoch: self.lease.epoch(),
            event,
            ..self.last.clone()
        };
        self.waiting.push(Arc::new(self.last.clone()));
    }

    async fn flush(&mut self, journal: &SqliteJournal) -> Result<(), Failure> {
        while !self.waiting.is_empty() {
            let rest = self.waiting.split_off(self.waiting.len().min(PAGE));
            let page = std::mem::replace(&mut self.waiting, rest);
            journal.append(&self.lease, page).await?;
        }
        Ok(())
    }

    /// The step with all its items, and the replay that comes next.
    async fn generation(&mut self, journal: &SqliteJournal) -> Result<(), Failure> {
        self.add(self.started(None));
        for index in 0..ITEMS {
            let item = ItemKey::from(format!("bench-slave-{index}"));
            self.add(self.started(Some(&item)));
            self.add(succeeded(Some(item), How::Applied));
        }
        self.add(succeeded(None, How::Items));
        self.add(Event::RunSucceeded);
        self.flush(journal).await?;
        // The lease goes first: nobody takes a cluster over that is held.
        let run = self.last.run;
        let stale = Lease::new(run, self.lease.cluster(), self.lease.epoch(), Box::new(()));
        drop(std::mem::replace(&mut self.lease, stale));
        self.lease = journal.adopt(run, Epoch(0)).await?;
        self.add(adoption());
        self.last.generation = self.last.generation.next();
        self.add(Event::ReplayRequested {
            from: STEP,
            to: None,
            only: false,
            spec: None,
            inherited: Vec::new(),
        });
        Ok(())
    }

    fn started(&self, item: Option<&ItemKey>) -> Event {
        Event::StepStarted {
            step: STEP,
            item: item.cloned(),
            attempt: Attempt::FIRST,
            input: json!({"node": item, "disks": ["/dev/nvme1n1", "/dev/nvme2n1"], "swap_mib": 1024, "hdfs": "/mnt/hdfs"}),
            input_digest: "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2".into(),
            effect_key: EffectKey::derive(self.last.run, self.last.generation, &STEP, item, 0),
        }
    }
}

fn succeeded(item: Option<ItemKey>, how: How) -> Event {
    Event::StepSucceeded {
        step: STEP,
        item,
        attempt: Attempt::FIRST,
        output: json!({"disks": ["/mnt", "/mnt2"], "formatted": [], "swap": "/mnt/swap", "digest": "c3ab8ff13720e8ad"}),
        how,
    }
}

fn resource(seq: Seq) -> Event {
    Event::ResourceCreated {
        step: STEP,
        item: None,
        resource: mesosflow_workflow::Resource {
            kind: "instance".into(),
            id: format!("i-{seq}"),
            name: format!("bench-slave-{seq}"),
        },
    }
}

fn adoption() -> Event {
    Event::RunAdopted {
        purpose: Purpose::Drive,
        pid: std::process::id(),
        host: "bench".into(),
        nonce: Some(Nonce::generate()),
        over: Vec::new(),
    }
}
