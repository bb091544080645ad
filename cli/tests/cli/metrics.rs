//! `metrics`: the journal as Prometheus reads it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mesosflow_workflow::{
    Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, EffectKey, Epoch, ErrorClass, ErrorReport, Event,
    Generation, How, Recorded, Resource, Seq, StepId,
};
use serde_json::{Value, json};

use crate::support::{Bench, FIRST, SECOND, id};

/// A name as no cluster of ours has it, and a journal might.
const HOSTILE: &str = "demo\"} 9\nmesosflow_runs{\\";

/// Events at their milliseconds after the beginning.
struct Story<'b> {
    bench: &'b Bench,
    run: &'static str,
    epoch: Epoch,
    events: Vec<(u64, Event)>,
}

impl<'b> Story<'b> {
    /// A run of a workflow, on the cluster that the first run has made.
    fn begins(bench: &'b Bench, run: &'static str, epoch: u64, workflow: &str, steps: &[&str]) -> Self {
        let entry = |name: &&str| CatalogueEntry::new(StepId::from(*name), "1", "does something");
        let started = Event::RunStarted {
            workflow: workflow.to_owned(),
            cluster_id: Some(ClusterId::of_run(id(FIRST))),
            nonce: None,
            over: Vec::new(),
            cluster: HOSTILE.to_owned(),
            provider: "local".to_owned(),
            spec: json!({"cluster": "demo"}),
            tool_version: "0.1.0".to_owned(),
            catalogue: steps.iter().map(entry).collect(),
        };
        Self {
            bench,
            run,
            epoch: Epoch(epoch),
            events: vec![(0, started)],
        }
    }

    fn then(mut self, at: u64, event: Event) -> Self {
        self.events.push((at, event));
        self
    }

    fn starts(self, at: u64, step: &str, item: Option<&str>, attempt: u32) -> Self {
        let input = match item {
            Some(_) => Value::Null,
            None => json!({"items": ["demo-slave-1"]}),
        };
        let effect_key = EffectKey::derive(
            id(self.run),
            Generation::FIRST,
            &StepId::from(step),
            item.map(Into::into).as_ref(),
            0,
        );
        self.then(
            at,
            Event::StepStarted {
                step: StepId::from(step),
                item: item.map(Into::into),
                attempt: Attempt(attempt),
                input,
                input_digest: "d".to_owned(),
                effect_key,
            },
        )
    }

    fn does(self, at: u64, step: &str, item: Option<&str>, attempt: u32, output: Value) -> Self {
        let how = match (item, step) {
            (None, "launch-slaves") => How::Items,
            _ => How::Applied,
        };
        self.then(
            at,
            Event::StepSucceeded {
                step: StepId::from(step),
                item: item.map(Into::into),
                attempt: Attempt(attempt),
                output,
                how,
            },
        )
    }

    fn fails(self, at: u64, step: &str, item: Option<&str>, attempt: u32, retry_in_ms: Option<u64>) -> Self {
        self.then(
            at,
            Event::StepFailed {
                step: StepId::from(step),
                item: item.map(Into::into),
                attempt: Attempt(attempt),
                error: ErrorReport::new(ErrorClass::Transient, "no answer"),
                retry_in_ms,
            },
        )
    }

    fn keep(self) {
        let base: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
        let recorded = self.events.into_iter().zip(1..).map(|((after, event), seq)| {
            Arc::new(Recorded {
                run: id(self.run),
                seq: Seq(seq),
                at: base + Duration::from_millis(after),
                epoch: self.epoch,
                generation: Generation::FIRST,
                format: EVENT_FORMAT,
                event,
            })
        });
        let recorded: Vec<_> = recorded.collect();
        let journal = self.bench.journal();
        self.bench.wait(async {
            let lease = journal.create(recorded[0].clone()).await.unwrap();
            journal.append(&lease, recorded[1..].to_vec()).await.unwrap();
        });
    }
}

/// A deploy that launched a slave at its second try, and a stop that failed.
fn made(bench: &Bench) {
    let slave = Some("demo-slave-1");
    let machine = Resource {
        kind: "instance".into(),
        id: "c1".into(),
        name: "demo-slave-1".into(),
    };
    let created = Event::ResourceCreated {
        step: StepId::from("launch-slaves"),
        item: slave.map(Into::into),
        resource: machine,
    };
    let instance =
        json!({"id": "c1", "index": 1, "name": "demo-slave-1", "private_ip": "10.89.1.100", "role": "slave"});
    let steps = ["launch-slaves", "mesos-start", "report"];
    Story::begins(bench, FIRST, 1, "deploy", &steps)
        .starts(100, "launch-slaves", None, 1)
        .starts(110, "launch-slaves", slave, 1)
        .fails(200, "launch-slaves", slave, 1, Some(50))
        .starts(250, "launch-slaves", slave, 2)
        .then(900, created)
        .does(1_300, "launch-slaves", slave, 2, instance)
        .does(1_350, "launch-slaves", None, 1, Value::Null)
        .starts(1_400, "mesos-start", None, 1)
        .does(63_900, "mesos-start", None, 1, Value::Null)
        .then(
            64_000,
            Event::StepSkipped {
                step: StepId::from("report"),
                reason: "nobody asks".into(),
            },
        )
        .then(64_001, Event::RunSucceeded)
        .keep();
    let error = ErrorReport::new(ErrorClass::Permanent, "no answer");
    Story::begins(bench, SECOND, 2, "stop", &["mesos-stop", "stop-machines"])
        .starts(90_000, "mesos-stop", None, 1)
        .fails(95_250, "mesos-stop", None, 1, None)
        .then(
            95_260,
            Event::RunFailed {
                step: Some(StepId::from("mesos-stop")),
                error,
            },
        )
        .keep();
}

/// The figures behind the one that tells of the program, which is another with each commit.
#[track_caller]
fn figures(bench: &Bench) -> String {
    let said = bench.run_creating_nothing(&["metrics"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let (build, rest) = said.out.split_once("# HELP mesosflow_runs ").unwrap();
    assert!(
        build.contains("\nmesosflow_build_info{commit=") || build.contains("\nmesosflow_build_info{version="),
        "{build}"
    );
    assert!(
        build.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))),
        "{build}"
    );
    format!("# HELP mesosflow_runs {rest}")
}

#[test]
fn a_journal_is_told_in_figures() {
    let bench = Bench::new();
    made(&bench);
    // What is gone is counted, and no more is told of it.
    bench.finished("01jd3k00000000000000000003", "gone");
    bench.destroyed("01jd3k00000000000000000003");
    insta::assert_snapshot!(figures(&bench));
}

#[test]
fn without_a_journal_there_are_no_runs() {
    insta::assert_snapshot!(figures(&Bench::new()));
}

/// Workflows of another version may be any number: they share a figure.
#[test]
fn workflows_that_nobody_knows_are_one() {
    let bench = Bench::new();
    Story::begins(&bench, FIRST, 1, "deploy", &["report"])
        .then(
            1,
            Event::RunClosed {
                open: vec![StepId::from("report")],
            },
        )
        .keep();
    Story::begins(&bench, SECOND, 2, "dance", &["report"])
        .then(
            1,
            Event::RunClosed {
                open: vec![StepId::from("report")],
            },
        )
        .keep();
    Story::begins(&bench, "01jd3k00000000000000000003", 3, "sing", &["report"]).keep();
    let told = figures(&bench);
    let unknown = "mesosflow_runs{workflow=\"unknown\",state=";
    for line in [
        format!("{unknown}\"closed\"}} 1\n"),
        format!("{unknown}\"crashed\"}} 1\n"),
    ] {
        assert!(told.contains(&line), "{line} {told}");
    }
    assert!(!told.contains("dance") && !told.contains("sing"), "{told}");
}
