//! Histories made up for pages: told event by event, as a driver would record them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{
    Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, ErrorClass, ErrorReport, Event,
    Generation, How, ItemKey, Lease, Nonce, Purpose, Recorded, RunId, Seq, StepId, Store,
};
use serde_json::{Value, json};

/// A run that this process holds and tells of.
pub(crate) struct Story {
    journal: Arc<dyn Store>,
    /// None only while the run is taken over.
    lease: Option<Lease>,
    run: RunId,
    epoch: Epoch,
    seq: u64,
    /// Seconds since the run began.
    second: u64,
    generation: Generation,
    begun: Timestamp,
}

/// What is asked for, and what it is called.
pub(crate) struct Begin<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) slaves: u16,
    pub(crate) catalogue: Vec<CatalogueEntry>,
}

pub(crate) fn step(id: &'static str) -> StepId {
    StepId::from_static(id)
}

/// The catalogue of most stories.
pub(crate) fn catalogue() -> Vec<CatalogueEntry> {
    vec![
        CatalogueEntry::new(step("launch-slaves"), "1.4", "slaves launched").over("slaves"),
        CatalogueEntry::new(step("await-nodes"), "1.5", "every node answers").over("nodes"),
        CatalogueEntry::new(step("setup-nodes"), "2.10", "nodes set up").over("nodes"),
        CatalogueEntry::new(step("hdfs-format"), "2.17", "ephemeral HDFS formatted").destructive(),
        CatalogueEntry::new(step("hdfs-start"), "2.17", "ephemeral HDFS started"),
    ]
}

pub(crate) fn node(number: usize) -> ItemKey {
    ItemKey::from(format!("big-slave-{number}").as_str())
}

impl Story {
    pub(crate) async fn begin(journal: Arc<dyn Store>, begin: Begin<'_>) -> Self {
        let run = RunId::generate();
        let begun = Timestamp::now() - Duration::from_secs(3 * 24 * 3600);
        let event = Event::RunStarted {
            workflow: "deploy".into(),
            cluster: begin.cluster.into(),
            cluster_id: Some(ClusterId::of_run(run)),
            provider: "local".into(),
            spec: json!({"cluster": begin.cluster, "slaves": begin.slaves}),
            tool_version: "0.1.0".into(),
            catalogue: begin.catalogue,
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        };
        let first = Recorded {
            run,
            seq: Seq::FIRST,
            at: begun,
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event,
        };
        let lease = journal.create(Arc::new(first)).await.unwrap();
        Self {
            journal,
            lease: Some(lease),
            run,
            epoch: Epoch::FIRST,
            seq: 1,
            second: 0,
            generation: Generation::FIRST,
            begun,
        }
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    pub(crate) fn at(&self) -> Timestamp {
        self.begun + Duration::from_secs(self.second)
    }

    /// Nothing is recorded for so long.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.second += seconds;
    }

    pub(crate) async fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        let mut recorded = Vec::new();
        for event in events {
            if let Event::ReplayRequested { .. } = event {
                self.generation = Generation(self.generation.0 + 1);
            }
            self.seq += 1;
            recorded.push(Arc::new(Recorded {
                run: self.run(),
                seq: Seq(self.seq),
                at: self.at(),
                epoch: self.epoch,
                generation: self.generation,
                format: EVENT_FORMAT,
                event,
            }));
        }
        let lease = self.lease.as_ref().unwrap();
        self.journal.append(lease, recorded).await.unwrap();
    }

    pub(crate) fn started(&self, id: &'static str, item: Option<ItemKey>, attempt: u32) -> Event {
        let effect_key = EffectKey::derive(self.run(), self.generation, &step(id), item.as_ref(), 0);
        Event::StepStarted {
            step: step(id),
            item,
            attempt: Attempt(attempt),
            input: Value::Null,
            input_digest: "0".into(),
            effect_key,
        }
    }

    /// A step with an item for each node, each of which takes a second more than the one before; what `fails` ends for good.
    pub(crate) async fn fan_out(
        &mut self,
        id: &'static str,
        nodes: usize,
        fails: impl Fn(usize) -> Option<ErrorReport>,
    ) {
        let mut events = vec![self.started(id, None, 1)];
        events.extend((1..=nodes).map(|number| self.started(id, Some(node(number)), 1)));
        self.tell(events).await;
        let mut has_failed = None;
        for number in 1..=nodes {
            self.pass(1);
            let event = match fails(number) {
                Some(error) => {
                    has_failed = Some(error.clone());
                    failed(id, Some(node(number)), error)
                }
                None => succeeded(id, Some(node(number)), output(id, number), How::Applied),
            };
            self.tell([event]).await;
        }
        let end = match has_failed {
            Some(error) => failed(id, None, error),
            None => succeeded(id, None, Value::Null, How::Items),
        };
        self.tell([end]).await;
    }

    /// A step of one piece that takes so many seconds.
    pub(crate) async fn plain(&mut self, id: &'static str, seconds: u64) {
        self.tell([self.started(id, None, 1)]).await;
        self.pass(seconds);
        self.tell([succeeded(id, None, Value::Null, How::Applied)]).await;
    }

    /// Somebody takes the run over, a night later, to do it again from that step on.
    pub(crate) async fn replay_from(&mut self, id: &'static str) {
        self.pass(8 * 3600);
        self.lease = None;
        let lease = self.journal.adopt(self.run, self.epoch).await.unwrap();
        self.epoch = lease.epoch();
        self.lease = Some(lease);
        let adopted = Event::RunAdopted {
            purpose: Purpose::Drive,
            pid: 42,
            host: "here".into(),
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        };
        self.tell([adopted]).await;
        let replay = Event::ReplayRequested {
            from: step(id),
            to: None,
            only: false,
            spec: None,
            inherited: Vec::new(),
        };
        self.tell([replay]).await;
    }
}

/// What later steps get: of a launch, the machine.
fn output(id: &str, number: usize) -> Value {
    match id {
        "launch-slaves" => json!({
            "id": format!("container-{number}"),
            "name": node(number),
            "role": "slave",
            "index": number,
            "private_ip": format!("10.{}.{}.{}", number / 65536, number / 256 % 256, number % 256),
        }),
        _ => Value::Null,
    }
}

pub(crate) fn succeeded(id: &'static str, item: Option<ItemKey>, output: Value, how: How) -> Event {
    Event::StepSucceeded {
        step: step(id),
        item,
        attempt: Attempt(1),
        output,
        how,
    }
}

pub(crate) fn failed(id: &'static str, item: Option<ItemKey>, error: ErrorReport) -> Event {
    Event::StepFailed {
        step: step(id),
        item,
        attempt: Attempt(1),
        error,
        retry_in_ms: None,
    }
}

pub(crate) fn error(message: &str, cause: &str, hint: &str) -> ErrorReport {
    ErrorReport {
        class: ErrorClass::Permanent,
        message: message.into(),
        causes: vec![cause.into()],
        hint: Some(hint.into()),
    }
}
