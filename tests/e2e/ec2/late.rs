//! EC2 shows late what it has launched: no machine is launched in place of one that is on its way, and none is forgotten.

use std::time::Duration;

use mesosflow_tests::{Call, Fault, Instance, Point, RUN_LIMIT, Watch, Which, until};

use super::money::{killed_during_a_launch, patient};
use super::stage::Stage;

/// Longer than a machine is looked for of which every call was answered.
const LONGER: Duration = Duration::from_secs(24);

fn slaves(stage: &Stage, run: &str) -> Vec<Instance> {
    let mut machines = stage.machines(run);
    machines.retain(|machine| machine.tag("mesosflow:role") == "slave");
    machines
}

fn launches(stage: &Stage) -> Vec<Call> {
    let mut calls = stage.cloud.calls("RunInstances");
    calls.retain(|call| call.tag("mesosflow:role") == Some("slave"));
    calls
}

/// Two machines of one launch: that the second was found and ended says nothing of the first.
#[test]
fn a_launch_in_doubt_twice_is_settled_when_both_machines_are_found() {
    let mut stage = Stage::new();
    let config = patient(&stage);
    stage.cloud.ignore_tokens();
    let run = killed_during_a_launch(&mut stage, &["--config", &config]);
    let first = slaves(&stage, &run);
    let held = stage
        .cloud
        .hold_if("RunInstances", |fault| fault.only_if("mesosflow:role", "slave"));
    let live = stage.bench.start(&["resume", &run]);
    held.wait_reached(RUN_LIMIT);
    // The master's launch is over, or has brought a second machine too: a try that made no call would be waited for to its end.
    until("the master's launch", RUN_LIMIT, || {
        let calls = stage.cloud.calls("RunInstances");
        let of_master = calls
            .iter()
            .filter(|call| call.tag("mesosflow:role") == Some("master"));
        let history = stage.bench.history(&run);
        let mut events = history.events().iter();
        let is_over = events.any(|event| {
            event["kind"] == "step_succeeded" && event["step"] == "launch-masters" && !event["item"].is_null()
        });
        (is_over || of_master.count() > 1).then_some(())
    });
    live.kill();
    held.release();
    stage.cloud.heal();
    let both = slaves(&stage, &run);
    assert_eq!((first.len(), both.len()), (1, 2), "{both:?}");
    let second = both.iter().find(|machine| machine.id != first[0].id).unwrap();

    stage.cloud.reveal(&second.id);
    let mut live = stage.bench.start(&["destroy", &run, "--yes"]);
    let slave = format!("{}-slave-1", stage.cluster);
    until("that the first is waited for", RUN_LIMIT, || {
        let err = live.err();
        let is_said = err
            .lines()
            .any(|line| line.contains(&slave) && line.contains("was never answered"));
        assert!(
            live.ended().is_none(),
            "it calls done what it has not seen:\n{err}"
        );
        let left = slaves(&stage, &run);
        (is_said && left.len() == 1 && left[0].id == first[0].id).then_some(())
    });
    stage.cloud.catch_up();
    live.finish(RUN_LIMIT).ended(0);
    stage.assert_gone(&run);
}

/// EC2 knows the token by another call, whose machine it does not show yet: that one is waited for, and no spare launched.
#[test]
fn a_machine_under_a_token_of_another_call_is_waited_for_where_it_may_come() {
    let mut stage = Stage::new();
    let config = patient(&stage);
    let run = killed_during_a_launch(&mut stage, &["--config", &config]);
    let first = slaves(&stage, &run);
    let launched = launches(&stage).len();
    let mismatch = Fault::refused(
        "RunInstances",
        Which::First(1),
        400,
        "IdempotentParameterMismatch",
        "The client token was used with other parameters.",
    );
    stage.cloud.fault(mismatch.only_if("mesosflow:role", "slave"));

    let after = stage.bench.history(&run).events().len() as u64;
    let mut live = stage.bench.start(&["resume", &run]);
    until("looks for the machine", RUN_LIMIT, || {
        assert!(live.ended().is_none(), "{}", live.err());
        let refused = launches(&stage).get(launched)?.at;
        let looks = stage.cloud.calls("DescribeInstances");
        (looks.last()?.at.duration_since(refused) > LONGER).then_some(())
    });
    assert_eq!(launches(&stage).len(), launched + 1, "a spare was launched");
    stage.cloud.catch_up();
    let point = Point::item_started("await-nodes");
    Watch::new(stage.bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let ids = |machines: Vec<Instance>| machines.into_iter().map(|machine| machine.id).collect::<Vec<_>>();
    assert_eq!(ids(slaves(&stage, &run)), ids(first));
    stage.destroy(&run);
}
