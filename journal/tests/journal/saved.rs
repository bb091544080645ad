//! Saved journals of every format that was ever released: they load and fold for ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesosflow_journal::SqliteJournal;
use mesosflow_workflow::{
    Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, ErrorClass, ErrorReport, Event,
    Generation, How, ItemKey, Nonce, PhaseKind, Purpose, Recorded, Resource, RunId, RunState, RunSummary,
    Seq, StepId, Store, StoreError,
};
use serde_json::json;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/journals")
}

#[tokio::test]
async fn the_journal_of_schema_1_loads_as_it_was_written_folds_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.sqlite");
    std::fs::copy(fixtures().join("v1.sqlite"), &path).unwrap();
    let journal = SqliteJournal::open_existing(&path).unwrap().unwrap();

    let text = std::fs::read_to_string(fixtures().join("v1.jsonl")).unwrap();
    let expected: Vec<Recorded> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let rows = journal.runs().await.unwrap();
    let mut loaded = Vec::new();
    for row in &rows {
        let history = journal.load(row.run).await.unwrap();
        RunState::fold(&history).unwrap();
        loaded.extend(history);
    }
    assert_eq!(loaded, expected);
    let owners: Vec<_> = rows
        .iter()
        .map(|row| (row.cluster.as_str(), row.owns_cluster))
        .collect();
    assert_eq!(owners, [("demo", false), ("lab", true)]);

    // Each run has become a cluster, and the list says of it what its events say.
    for row in &rows {
        assert_eq!(row.cluster_id, ClusterId::of_run(row.run));
        assert_eq!((row.workflow.as_str(), row.format), ("deploy", 1));
        let history = journal.load(row.run).await.unwrap();
        let mut summary = RunSummary::begin(&history[0]);
        history[1..].iter().for_each(|recorded| summary.apply(recorded));
        assert_eq!(row.summary, summary);
    }
    assert!(rows[0].summary.destroyed && !rows[1].summary.destroyed);
    assert_eq!(rows[0].summary.phase, PhaseKind::Succeeded);
    assert_eq!(journal.verify().await.unwrap().findings, []);

    let lease = journal.adopt(rows[1].run, Epoch(0)).await.unwrap();
    assert_eq!(lease.epoch(), Epoch(2));
    let adopted = Event::RunAdopted {
        purpose: Purpose::Drive,
        pid: 7,
        host: "h".to_owned(),
        nonce: None,
        over: Vec::new(),
    };
    let last = loaded.last().unwrap();
    let next = Recorded {
        seq: last.seq.next(),
        epoch: lease.epoch(),
        event: adopted,
        ..last.clone()
    };
    journal.append(&lease, vec![Arc::new(next)]).await.unwrap();
}

#[tokio::test]
async fn a_damaged_run_of_schema_1_keeps_the_others_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.sqlite");
    let mut bytes = std::fs::read(fixtures().join("v1.sqlite")).unwrap();
    let word = b"EC2 did not answer";
    // A page keeps what it held before it was split, too.
    let places: Vec<usize> = (0..bytes.len() - word.len())
        .filter(|place| bytes[*place..].starts_with(word))
        .collect();
    places.into_iter().for_each(|place| bytes[place] = b'e');
    std::fs::write(&path, bytes).unwrap();
    let journal = SqliteJournal::open(&path).unwrap();
    let rows = journal.runs().await.unwrap();
    let clusters: Vec<_> = rows
        .iter()
        .map(|row| (row.cluster.as_str(), row.owns_cluster))
        .collect();
    assert_eq!(clusters, [("demo", false), ("lab", true)]);
    assert!(matches!(
        journal.load(rows[0].run).await,
        Err(StoreError::DamagedRun { run, .. }) if run == rows[0].run
    ));
    assert_eq!(journal.salvage(rows[0].run).await.unwrap().events.len(), 4);
    assert_eq!(journal.load(rows[1].run).await.unwrap().len(), 2);
    journal.adopt(rows[1].run, Epoch(0)).await.unwrap();
    journal.adopt(rows[0].run, Epoch(0)).await.unwrap();
}

/// Writes the journal of the newest schema. Run it once for each schema, before its release, and never again.
#[tokio::test]
#[ignore = "makes a fixture: cargo test -p mesosflow-journal -- --ignored saved::write_the_newest"]
async fn write_the_newest() {
    let Some(path) = crate::child::journal() else {
        return;
    };
    let journal = SqliteJournal::open(&path).unwrap();
    let mut lines = String::new();
    for (history, retire) in [(story(), true), (beginning(), false)] {
        let (begin, rest) = history.split_first().unwrap();
        let mut lease = journal.create(Arc::new(begin.clone())).await.unwrap();
        for recorded in rest {
            if recorded.epoch > lease.epoch() {
                drop(lease);
                lease = journal.adopt(begin.run, Epoch(0)).await.unwrap();
            }
            journal
                .append(&lease, vec![Arc::new(recorded.clone())])
                .await
                .unwrap();
        }
        if retire {
            journal.retire(&lease).await.unwrap();
        }
        RunState::fold(&history).unwrap();
        for recorded in &history {
            lines += &(serde_json::to_string(recorded).unwrap() + "\n");
        }
    }
    std::fs::write(path.with_extension("jsonl"), lines).unwrap();
}

/// The history of a run with every kind of event in it.
fn story() -> Vec<Recorded> {
    let mut story = Story::begin("01jd3k00000000000000000000", "demo");
    let launch = StepId::from_static("launch-slaves");
    let format = StepId::from_static("hdfs-format");
    let slave = ItemKey::from("demo-slave-1");
    let resource = Resource {
        kind: "instance".into(),
        id: "i-0abc".into(),
        name: "demo-slave-1".into(),
    };
    let timeout = ErrorReport {
        class: ErrorClass::Ambiguous,
        message: "EC2 did not answer RunInstances".into(),
        causes: vec!["connection reset by peer".into()],
        hint: None,
    };
    let full = ErrorReport::new(ErrorClass::Operator, "no space left on demo-master-1")
        .with_hint("free some, then resume");
    story.add(Event::StepSkipped {
        step: "zookeeper-start".into(),
        reason: "one master needs no ZooKeeper".into(),
    });
    story.started(&launch, None, 1);
    story.started(&launch, Some(&slave), 1);
    story.failed(&launch, Some(&slave), 1, &timeout, Some(1500));
    story.started(&launch, Some(&slave), 2);
    story.add(Event::ResourceCreated {
        step: launch.clone(),
        item: Some(slave.clone()),
        resource: resource.clone(),
    });
    story.succeeded(&launch, Some(&slave), 2, How::Applied);
    story.succeeded(&launch, None, 1, How::Items);
    story.started(&format, None, 1);
    story.add(Event::RunInterrupted {
        reason: ErrorReport::new(ErrorClass::Operator, "interrupted by Ctrl-C"),
    });
    story.adopted(Purpose::Drive);
    story.started(&format, None, 2);
    story.failed(&format, None, 2, &full, None);
    story.add(Event::RunFailed {
        step: Some(format.clone()),
        error: full,
    });
    story.adopted(Purpose::Drive);
    story.started(&format, None, 3);
    story.succeeded(&format, None, 3, How::Found);
    story.add(Event::RunSucceeded);
    story.adopted(Purpose::Drive);
    story.generation = Generation(2);
    story.add(Event::ReplayRequested {
        from: format.clone(),
        to: Some(format.clone()),
        only: false,
        spec: None,
        inherited: Vec::new(),
    });
    story.started(&format, None, 1);
    story.succeeded(&format, None, 1, How::Applied);
    story.add(Event::RunSucceeded);
    story.adopted(Purpose::Destroy);
    story.add(Event::ResourceDeleted { resource });
    story.events
}

/// A run that has just begun.
fn beginning() -> Vec<Recorded> {
    let mut story = Story::begin("01jd3k00000000000000000001", "lab");
    story.started(&StepId::from_static("hdfs-format"), None, 1);
    story.events
}

struct Story {
    events: Vec<Recorded>,
    run: RunId,
    epoch: Epoch,
    generation: Generation,
}

impl Story {
    fn begin(run: &str, cluster: &str) -> Self {
        let run = run.parse().unwrap();
        let mut story = Self {
            events: Vec::new(),
            run,
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
        };
        story.add(Event::RunStarted {
            workflow: "deploy".to_owned(),
            cluster: cluster.to_owned(),
            cluster_id: Some(ClusterId::of_run(run)),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
            provider: "local".to_owned(),
            spec: json!({"masters": 1, "slaves": 1, "swap_mib": 1024}),
            tool_version: "0.1.0".to_owned(),
            catalogue: vec![
                CatalogueEntry::new("launch-slaves".into(), "1.4", "launch the slaves").over("nodes"),
                CatalogueEntry::new("hdfs-format".into(), "2.17", "format HDFS").destructive(),
                CatalogueEntry::new("zookeeper-start".into(), "2.19", "start ZooKeeper").over("nodes"),
            ],
        });
        story
    }

    fn add(&mut self, event: Event) {
        let seq = Seq(self.events.len() as u64 + 1);
        let start: jiff::Timestamp = "2026-03-01T09:30:00.25Z".parse().unwrap();
        let at = start
            .checked_add(jiff::SignedDuration::from_millis(1250 * seq.0 as i64))
            .unwrap();
        let (run, epoch, generation) = (self.run, self.epoch, self.generation);
        self.events.push(Recorded {
            run,
            seq,
            at,
            epoch,
            generation,
            format: EVENT_FORMAT,
            event,
        });
    }

    fn adopted(&mut self, purpose: Purpose) {
        self.epoch = self.epoch.next();
        self.add(Event::RunAdopted {
            purpose,
            pid: 4242,
            host: "controller".to_owned(),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        });
    }

    fn started(&mut self, step: &StepId, item: Option<&ItemKey>, attempt: u32) {
        self.add(Event::StepStarted {
            step: step.clone(),
            item: item.cloned(),
            attempt: Attempt(attempt),
            input: json!({"count": 1}),
            input_digest: "c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2".to_owned(),
            effect_key: EffectKey::derive(self.run, self.generation, step, item, 0),
        });
    }

    fn failed(
        &mut self,
        step: &StepId,
        item: Option<&ItemKey>,
        attempt: u32,
        error: &ErrorReport,
        retry: Option<u64>,
    ) {
        self.add(Event::StepFailed {
            step: step.clone(),
            item: item.cloned(),
            attempt: Attempt(attempt),
            error: error.clone(),
            retry_in_ms: retry,
        });
    }

    fn succeeded(&mut self, step: &StepId, item: Option<&ItemKey>, attempt: u32, how: How) {
        self.add(Event::StepSucceeded {
            step: step.clone(),
            item: item.cloned(),
            attempt: Attempt(attempt),
            output: json!({"instance": "i-0abc"}),
            how,
        });
    }
}
