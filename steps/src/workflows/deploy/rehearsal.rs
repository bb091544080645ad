//! The deploy without machines, gone through in a moment: no step comes to an end here, each is given the outcome that it
//! might have had, and the flow is driven over these again until it comes to its own end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mesosflow_workflow::{
    Adopter, Attempt, BoxFuture, Clock, ClusterId, Event, How, ItemKey, MemoryStore, NewRun, Outcome,
    Purpose, Recorded, Replay, Resource, Run, RunId, Seq, Settings, StepId, Stop, Store as _,
};
use serde_json::{Value, json};

use super::deploy;
use crate::catalogue;
use crate::cluster::{ClusterSpec, Instance, ProviderKind, Role};
use crate::key::KeyExpected;
use crate::provider::{
    Condition, Deletion, Groups, HostKeys, Image, Launch, Launcher, Machine, Outdated, Owner, Provider,
    ProviderError, Slot, Stranger, Tagged,
};
use crate::world::World;

/// Any host key.
pub(super) const HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK";

/// A deploy of one spec, as far as it comes.
pub(super) struct Rehearsal {
    world: Arc<World>,
    first: Recorded,
    /// Of the steps: starts, outcomes and skips, in the order in which the flow came to them.
    events: Vec<Event>,
    _folder: tempfile::TempDir,
}

impl Rehearsal {
    /// Goes through the deploy of a spec; how that ended.
    pub(super) async fn of(spec: ClusterSpec) -> (Self, Outcome) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::generate();
        let nothing = Box::new(Nothing(spec.provider));
        let key = KeyExpected::MayBeMade;
        let world = World::with_provider(spec.clone(), run, folder.path(), nothing, &key).unwrap();
        let mut rehearsal = Self {
            first: first(run, &spec).await,
            world: Arc::new(world),
            events: Vec::new(),
            _folder: folder,
        };
        loop {
            let (outcome, events) = rehearsal.drive(None).await;
            let known = rehearsal.events.len();
            rehearsal.learn(&events);
            if rehearsal.events.len() == known {
                return (rehearsal, outcome);
            }
        }
    }

    /// What of the steps is in its history.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Drives the flow over what is known, as a process that adopts the run; how that ended, and what happened.
    pub(super) async fn drive(&self, replay: Option<Replay>) -> (Outcome, Vec<Event>) {
        let (store, id) = (MemoryStore::new(), self.first.run);
        let lease = store.create(Arc::new(self.first.clone())).await.unwrap();
        let recorded = self.events.iter().zip(2..).map(|(event, seq)| Recorded {
            seq: Seq(seq),
            epoch: lease.epoch(),
            event: event.clone(),
            ..self.first.clone()
        });
        store
            .append(&lease, recorded.map(Arc::new).collect())
            .await
            .unwrap();
        drop(lease);
        let adopter = Adopter {
            purpose: Purpose::Drive,
            pid: 1,
            host: "here".to_owned(),
            seen: None,
            over: Vec::new(),
        };
        let shared = Arc::new(store.clone());
        let run = Run::adopt(shared, Arc::new(Hasty), id, adopter, Arc::new(|_| {}))
            .await
            .unwrap();
        if let Some(replay) = replay {
            run.replay(replay).await.unwrap();
        }
        let before = store.recorded();
        let outcome = run
            .drive(self.world.clone(), Settings::default(), Stop::default(), deploy)
            .await;
        let news = store.history(id).split_off(before);
        (outcome, news.into_iter().map(|recorded| recorded.event).collect())
    }

    /// Gives every step that has begun an outcome.
    fn learn(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::StepSkipped { .. } => self.events.push(event.clone()),
                Event::StepStarted { step, item: None, .. } if is_first(event) => {
                    self.events.push(event.clone());
                    for (started, item) in items(events, step) {
                        self.events.push(started.clone());
                        self.events
                            .push(succeeded(events, step, Some(item), input(started)));
                    }
                    self.events.push(succeeded(events, step, None, input(event)));
                }
                _ => {}
            }
        }
    }
}

/// How a run begins.
async fn first(run: RunId, spec: &ClusterSpec) -> Recorded {
    let store = MemoryStore::new();
    let new = NewRun {
        workflow: "deploy".to_owned(),
        cluster: spec.cluster.clone(),
        cluster_id: ClusterId::generate(),
        provider: spec.provider.to_string(),
        spec: serde_json::to_value(spec).unwrap(),
        tool_version: "0".to_owned(),
        catalogue: catalogue(),
        over: Vec::new(),
    };
    Run::create(
        Arc::new(store.clone()),
        Arc::new(Hasty),
        run,
        new,
        Arc::new(|_| {}),
    )
    .await
    .unwrap();
    store.history(run).remove(0)
}

fn is_first(started: &Event) -> bool {
    matches!(started, Event::StepStarted { attempt, .. } if *attempt == Attempt::FIRST)
}

fn input(started: &Event) -> &Value {
    match started {
        Event::StepStarted { input, .. } => input,
        other => panic!("no start: {other:?}"),
    }
}

/// The items of a step that have begun.
fn items<'e>(events: &'e [Event], of: &StepId) -> Vec<(&'e Event, &'e ItemKey)> {
    let item = |event: &'e Event| match event {
        Event::StepStarted {
            step,
            item: Some(item),
            ..
        } if step == of && is_first(event) => Some((event, item)),
        _ => None,
    };
    events.iter().filter_map(item).collect()
}

/// The success of a step or item: its own, if it had one without any machine, or one that it might have had.
fn succeeded(events: &[Event], of: &StepId, which: Option<&ItemKey>, input: &Value) -> Event {
    let own = events.iter().find_map(|event| match event {
        Event::StepSucceeded {
            step, item, output, ..
        } if step == of && item.as_ref() == which => Some(output.clone()),
        _ => None,
    });
    let is_whole = which.is_none() && input.get("items").is_some();
    Event::StepSucceeded {
        step: of.clone(),
        item: which.cloned(),
        attempt: Attempt::FIRST,
        output: own.unwrap_or_else(|| match is_whole {
            true => Value::Null,
            false => output(of, input),
        }),
        how: if is_whole { How::Items } else { How::Applied },
    }
}

/// What a step might give.
fn output(step: &StepId, input: &Value) -> Value {
    match step.as_str() {
        "security-groups" => {
            json!({"by_role": {"master": "m", "slave": "s", "zookeeper": "z"}, "rules": "none"})
        }
        "image-metadata" => {
            let kind = json!({"name": "m5d.large", "ephemeral_disks": 1, "nvme": true});
            json!({"id": "i", "name": "i", "architecture": "x86_64", "login_user": "admin",
                   "machine_types": {"master": kind, "slave": kind}})
        }
        "launch-slaves" | "launch-masters" | "launch-zookeepers" => {
            let role: Role = serde_json::from_value(input["role"].clone()).unwrap();
            let index = input["index"].as_u64().unwrap();
            let name = format!("demo-{role}-{index}");
            json!({"id": name, "name": name, "role": role, "index": index,
                   "private_ip": format!("127.1.{}.{index}", role as u8)})
        }
        "await-nodes" => {
            let mut node = input["instance"].clone();
            for (key, value) in [
                ("user", json!("root")),
                ("port", json!(1)),
                ("host_key", json!(HOST_KEY)),
            ] {
                node[key] = value;
            }
            node
        }
        "copy-ssh-key" => json!({"public_key": "k", "nodes_key": "n", "volume_key": "v"}),
        "render-config" => json!({"digest": "d", "files": 1}),
        "cluster-inputs" => json!({"masters": [], "slaves": [], "zookeepers": [], "cluster_url": "u"}),
        "build-mesos" => json!({"version": "1.11.0", "digest": "d"}),
        "build-frameworks" => json!({"spark": null, "hadoop": null}),
        "nfs-export" => json!({"kind": "kernel", "token": "t"}),
        "nfs-mount" => json!({"kind": "nfs4"}),
        "hdfs-format" | "persistent-hdfs-format" => json!({"cluster_id": "c"}),
        "mesos-start" => json!({"leader": "l", "slaves": 2}),
        "cluster-health" => {
            json!({"leading_master": "l", "zookeeper_leader": null, "active_slaves": 2, "hdfs": []})
        }
        _ => Value::Null,
    }
}

/// A clock that waits for nobody, and lets everybody begin before the first one is late.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

/// A provider that never answers, but for machines that are there by the history: these run.
pub(super) struct Nothing(pub(super) ProviderKind);

#[async_trait]
impl Provider for Nothing {
    fn kind(&self) -> ProviderKind {
        self.0
    }

    fn launcher(&self) -> Option<&dyn Launcher> {
        self.0.makes_machines().then_some(self as &dyn Launcher)
    }

    async fn strangers(&self, _: &Owner) -> Result<Vec<Stranger>, ProviderError> {
        std::future::pending().await
    }

    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError> {
        Ok(Condition::running_alone(instance))
    }

    async fn stop(&self, _: &Instance) -> Result<(), ProviderError> {
        std::future::pending().await
    }

    async fn start(&self, _: &Instance) -> Result<(), ProviderError> {
        std::future::pending().await
    }

    fn starting(&self, instance: &Instance, _: &Condition) -> String {
        format!("start {}", instance.id)
    }

    async fn host_keys(&self, _: &Instance) -> Result<HostKeys, ProviderError> {
        std::future::pending().await
    }

    fn asked(&self) -> String {
        "nobody".into()
    }

    async fn owned(&self, _: &Owner) -> Result<Vec<Resource>, ProviderError> {
        std::future::pending().await
    }

    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError> {
        std::future::pending().await
    }

    async fn delete(&self, _: &Resource) -> Result<Deletion, ProviderError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Launcher for Nothing {
    async fn find_groups(&self, _: &Owner) -> Result<Option<Groups>, ProviderError> {
        std::future::pending().await
    }

    async fn ensure_groups(&self, _: &Owner, _: &mut Vec<Resource>) -> Result<Groups, ProviderError> {
        std::future::pending().await
    }

    async fn lost_groups(&self, _: &Groups) -> Result<Vec<Role>, ProviderError> {
        Ok(Vec::new())
    }

    async fn ensure_image(&self) -> Result<Image, ProviderError> {
        std::future::pending().await
    }

    async fn find_image(&self) -> Result<Option<Image>, ProviderError> {
        std::future::pending().await
    }

    async fn find(&self, _: &Slot) -> Result<Option<Machine>, ProviderError> {
        std::future::pending().await
    }

    async fn launch(&self, _: &Launch) -> Result<Machine, ProviderError> {
        std::future::pending().await
    }

    async fn outdated(&self, _: &Slot) -> Result<Vec<Outdated>, ProviderError> {
        std::future::pending().await
    }
}
