//! A made-up history, for the tests of everything that shows one.

use jiff::Timestamp;
use mesosflow_workflow::{
    Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, ErrorClass, ErrorReport, Event,
    Generation, How, Purpose, Recorded, Resource, RunId, Seq, StepId,
};
use serde_json::Value;

/// A small history with one of everything: a skipped step, a fan-out with a retried item, a replay, a failure.
pub(crate) fn history() -> Vec<Recorded> {
    let step = |id: &'static str| StepId::from_static(id);
    let catalogue = vec![
        CatalogueEntry::new(step("launch-slaves"), "1.4", "Launch the slaves"),
        CatalogueEntry::new(step("await-nodes"), "1.5", "Wait for SSH").over("nodes"),
        CatalogueEntry::new(step("zookeeper-start"), "2.19", "Start ZooKeeper").over("zookeepers"),
        CatalogueEntry::new(step("hdfs-format"), "2.17", "Format HDFS").destructive(),
        CatalogueEntry::new(step("report"), "1.7", "Report"),
    ];
    let started = |id, item: Option<&str>, attempt, input: Value| Event::StepStarted {
        step: step(id),
        item: item.map(Into::into),
        attempt: Attempt(attempt),
        input,
        input_digest: "d".into(),
        effect_key: EffectKey::derive(
            run(),
            Generation::FIRST,
            &step(id),
            item.map(Into::into).as_ref(),
            0,
        ),
    };
    let done = |id, item: Option<&str>, attempt, how| Event::StepSucceeded {
        step: step(id),
        item: item.map(Into::into),
        attempt: Attempt(attempt),
        output: Value::Null,
        how,
    };
    let failed = |id, item: Option<&str>, attempt, retry_in_ms| Event::StepFailed {
        step: step(id),
        item: item.map(Into::into),
        attempt: Attempt(attempt),
        error: ErrorReport {
            class: ErrorClass::Transient,
            message: format!("cannot {id}"),
            causes: vec!["connection refused".into()],
            hint: Some("look at the node".into()),
        },
        retry_in_ms,
    };
    let error = ErrorReport::new(ErrorClass::Permanent, "cannot hdfs-format");
    let events = vec![
        (
            0,
            Event::RunStarted {
                workflow: "deploy".into(),
                cluster_id: Some(ClusterId::of_run(run())),
                nonce: None,
                over: Vec::new(),
                cluster: "demo".into(),
                provider: "local".into(),
                spec: Value::Null,
                tool_version: "0.1.0".into(),
                catalogue,
            },
        ),
        (100, started("launch-slaves", None, 1, Value::Null)),
        (
            900,
            Event::ResourceCreated {
                step: step("launch-slaves"),
                item: None,
                resource: Resource {
                    kind: "instance".into(),
                    id: "c1".into(),
                    name: "demo-slave-1".into(),
                },
            },
        ),
        (1_300, done("launch-slaves", None, 1, How::Applied)),
        (
            1_400,
            started(
                "await-nodes",
                None,
                1,
                serde_json::json!({"items": ["demo-master-1", "demo-slave-1"]}),
            ),
        ),
        (
            1_401,
            started("await-nodes", Some("demo-master-1"), 1, Value::Null),
        ),
        (
            1_402,
            started("await-nodes", Some("demo-slave-1"), 1, Value::Null),
        ),
        (1_900, done("await-nodes", Some("demo-master-1"), 1, How::Found)),
        (2_000, failed("await-nodes", Some("demo-slave-1"), 1, Some(250))),
        (
            2_250,
            started("await-nodes", Some("demo-slave-1"), 2, Value::Null),
        ),
        (70_000, done("await-nodes", Some("demo-slave-1"), 2, How::Applied)),
        (70_001, done("await-nodes", None, 1, How::Items)),
        (
            70_002,
            Event::StepSkipped {
                step: step("zookeeper-start"),
                reason: "one master needs no ZooKeeper".into(),
            },
        ),
        (70_100, started("hdfs-format", None, 1, Value::Null)),
        (72_000, failed("hdfs-format", None, 1, None)),
        (
            72_001,
            Event::RunFailed {
                step: Some(step("hdfs-format")),
                error,
            },
        ),
    ];
    let mut recorded = number(events, Epoch::FIRST, Generation::FIRST, 1);
    let adopted = Event::RunAdopted {
        purpose: Purpose::Drive,
        pid: 42,
        host: "here".into(),
        nonce: None,
        over: Vec::new(),
    };
    recorded.extend(number(vec![(80_000, adopted)], Epoch(2), Generation::FIRST, 17));
    let replay = Event::ReplayRequested {
        from: step("await-nodes"),
        to: None,
        only: false,
        spec: None,
        inherited: Vec::new(),
    };
    recorded.extend(number(vec![(80_001, replay)], Epoch(2), Generation(2), 18));
    recorded
}

fn run() -> RunId {
    "01jd3k00000000000000000000".parse().unwrap()
}

fn number(events: Vec<(i64, Event)>, epoch: Epoch, generation: Generation, first: u64) -> Vec<Recorded> {
    let base: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
    let recorded = events
        .into_iter()
        .zip(first..)
        .map(|((ms, event), seq)| Recorded {
            run: run(),
            seq: Seq(seq),
            at: base + std::time::Duration::from_millis(ms.unsigned_abs()),
            epoch,
            generation,
            format: EVENT_FORMAT,
            event,
        });
    recorded.collect()
}
