//! Events to try a store with.

#![expect(clippy::unwrap_used, reason = "a test suite: a panic is its verdict")]

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use crate::catalogue::CatalogueEntry;
use crate::catalogue::Renamed;
use crate::error::{ErrorClass, ErrorReport};
use crate::event::{EVENT_FORMAT, Event, How, Purpose, Recorded, Resource, Settled};
use crate::ids::{Attempt, ClusterId, Driver, EffectKey, Epoch, Generation, Nonce, RunId, Seq, StepId};

/// A `RunStarted` of a new run for a new cluster called `cluster` at the provider `local`.
pub fn first(cluster: &str) -> Arc<Recorded> {
    first_of(cluster, ClusterId::generate())
}

/// The same for a cluster that may exist.
pub fn first_of(cluster: &str, id: ClusterId) -> Arc<Recorded> {
    Arc::new(Recorded {
        run: RunId::generate(),
        seq: Seq::FIRST,
        at: "2026-03-01T09:30:00.123456789Z".parse().unwrap(),
        epoch: Epoch::FIRST,
        generation: Generation::FIRST,
        format: EVENT_FORMAT,
        event: Event::RunStarted {
            workflow: "deploy".to_owned(),
            cluster: cluster.to_owned(),
            cluster_id: Some(id),
            provider: "local".to_owned(),
            spec: json!({"masters": 1, "slaves": 2, "name": "naïve \"quoted\" \u{1F980}"}),
            tool_version: "0.1.0".to_owned(),
            catalogue: vec![
                CatalogueEntry::new("launch-slaves".into(), "1.4", "launch the slaves").over("nodes"),
                CatalogueEntry::new("hdfs-format".into(), "2.17", "format HDFS").destructive(),
            ],
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        },
    })
}

/// Event number `seq` of the run that begins with `first`, in its epoch: a step that succeeded.
pub fn next(first: &Arc<Recorded>, seq: u64) -> Arc<Recorded> {
    event(first, seq, succeeded(seq))
}

pub(super) fn event(first: &Arc<Recorded>, seq: u64, event: Event) -> Arc<Recorded> {
    let at = first.at.as_nanosecond() + i128::from(seq) * 1_000_000_007;
    Arc::new(Recorded {
        seq: Seq(seq),
        at: Timestamp::from_nanosecond(at).unwrap(),
        event,
        ..Recorded::clone(first)
    })
}

pub(super) fn in_epoch(recorded: &Arc<Recorded>, epoch: Epoch) -> Arc<Recorded> {
    Arc::new(Recorded {
        epoch,
        ..Recorded::clone(recorded)
    })
}

pub(super) fn succeeded(seq: u64) -> Event {
    Event::StepSucceeded {
        step: StepId::from_static("launch-slaves"),
        item: Some(format!("demo-slave-{seq}").into()),
        attempt: Attempt::FIRST,
        output: json!({"instance": format!("i-{seq}"), "disks": [1, 2.5, null, true]}),
        how: How::Applied,
    }
}

pub(super) fn every_kind(first: &Recorded) -> Vec<Event> {
    let step = StepId::from_static("launch-slaves");
    let report = ErrorReport {
        class: ErrorClass::Ambiguous,
        message: "EC2 did not answer".to_owned(),
        causes: vec!["connection reset".to_owned()],
        hint: Some("try another zone".to_owned()),
    };
    let bare = ErrorReport::new(ErrorClass::Operator, "interrupted");
    let resource = Resource {
        kind: "instance".into(),
        id: "i-1".into(),
        name: "demo-slave-1".into(),
    };
    let input = json!({"count": 2});
    vec![
        Event::RunAdopted {
            purpose: Purpose::Destroy,
            pid: 4242,
            host: "host".to_owned(),
            nonce: Some(Nonce::generate()),
            over: vec![Driver {
                epoch: Epoch(7),
                nonce: Nonce::generate(),
            }],
        },
        Event::StepStarted {
            step: step.clone(),
            item: None,
            attempt: Attempt::FIRST,
            input: input.clone(),
            input_digest: "00ff".to_owned(),
            effect_key: EffectKey::derive(first.run, Generation::FIRST, &step, None, 0),
        },
        Event::StepStarted {
            step: step.clone(),
            item: Some("demo-slave-1".into()),
            attempt: Attempt(2),
            input,
            input_digest: "00ff".to_owned(),
            effect_key: EffectKey::derive(
                first.run,
                Generation::FIRST,
                &step,
                Some(&"demo-slave-1".into()),
                1,
            ),
        },
        succeeded(1),
        Event::StepSucceeded {
            step: step.clone(),
            item: None,
            attempt: Attempt::FIRST,
            output: json!(null),
            how: How::Items,
        },
        Event::StepFailed {
            step: step.clone(),
            item: Some("demo-slave-2".into()),
            attempt: Attempt(3),
            error: report.clone(),
            retry_in_ms: Some(1500),
        },
        Event::StepFailed {
            step: step.clone(),
            item: None,
            attempt: Attempt::FIRST,
            error: bare.clone(),
            retry_in_ms: None,
        },
        Event::StepSkipped {
            step: step.clone(),
            reason: "one master needs no ZooKeeper".to_owned(),
        },
        Event::StepStale {
            left: false,
            step: step.clone(),
            item: None,
            reason: "another input".to_owned(),
        },
        Event::StepStale {
            left: false,
            step: step.clone(),
            item: Some("demo-slave-1".into()),
            reason: "its machine was replaced".to_owned(),
        },
        Event::EffectSettled {
            step: step.clone(),
            item: None,
            effect_key: EffectKey::derive(first.run, Generation::FIRST, &step, None, 0),
            settled: Settled::Ended,
        },
        Event::CatalogueChanged {
            tool_version: "0.2.0".to_owned(),
            catalogue: vec![CatalogueEntry::new(
                "launch-slaves".into(),
                "1.4",
                "launch the slaves",
            )],
            added: vec!["launch-slaves".into()],
            dropped: vec!["hdfs-format".into()],
            renamed: vec![Renamed {
                from: "hdfs".into(),
                to: "hdfs-start".into(),
            }],
        },
        Event::ResourceCreated {
            step: step.clone(),
            item: Some("demo-slave-1".into()),
            resource: resource.clone(),
        },
        Event::ResourceDeleted { resource },
        Event::ReplayRequested {
            from: step.clone(),
            to: Some("hdfs-format".into()),
            only: false,
            spec: None,
            inherited: Vec::new(),
        },
        Event::ReplayRequested {
            from: step.clone(),
            to: None,
            only: true,
            spec: None,
            inherited: Vec::new(),
        },
        Event::SpecAmended {
            field: "ec2.admin_cidr".to_owned(),
            before: serde_json::json!(["203.0.113.7/32"]),
            value: serde_json::json!(["198.51.100.9/32"]),
            steps: vec!["security-groups".into()],
        },
        Event::RunInterrupted { reason: bare },
        Event::RunFailed {
            step: Some(step),
            error: report.clone(),
        },
        Event::RunFailed {
            step: None,
            error: report,
        },
        Event::RunSucceeded,
        Event::RunPartial {
            open: vec!["hdfs-format".into()],
        },
        Event::RunClosed {
            open: vec!["hdfs-format".into()],
        },
    ]
}

/// Which kinds there are: a new one makes this match incomplete, and so asks for its line in [`every_kind`].
pub(super) const fn kinds(event: &Event) -> usize {
    match event {
        Event::RunStarted { .. }
        | Event::RunAdopted { .. }
        | Event::StepStarted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepStale { .. }
        | Event::EffectSettled { .. }
        | Event::CatalogueChanged { .. }
        | Event::ResourceCreated { .. }
        | Event::ResourceDeleted { .. }
        | Event::ReplayRequested { .. }
        | Event::RunInterrupted { .. }
        | Event::RunFailed { .. }
        | Event::RunSucceeded
        | Event::SpecAmended { .. }
        | Event::RunPartial { .. }
        | Event::RunClosed { .. } => 18,
    }
}
