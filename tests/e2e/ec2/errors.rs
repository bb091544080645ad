//! Each way in which the API can fail, as a table: what the program makes of it, and that nothing is left behind.

use std::time::Duration;

use mesosflow_tests::{Fault, RUN_LIMIT, What, Which};

use super::stage::Stage;

/// Limits short enough for a test, where no machine answers and no capacity comes back; and long enough for a stand-in on a
/// busy machine to answer what it is meant to answer.
const QUICK: &str = "[ec2]\ncapacity_limit_s = 1\napi_timeout_s = 10\nboot_limit_s = 5\nsettle_limit_s = 1\n";

/// What passes by itself is got over: the run comes to where it waits for machines, with what was planned.
#[test]
fn what_passes_is_got_over_and_nothing_is_made_twice() {
    let mut stage = Stage::new();
    stage.bench.config(QUICK);
    let slow = What::DelayAnswer(Duration::from_secs(25));
    let table = [
        (
            "throttled while launching",
            vec![Fault::throttled("RunInstances", Which::First(2))],
        ),
        (
            "throttled while looking",
            vec![Fault::throttled("DescribeInstances", Which::First(2))],
        ),
        (
            "an internal error before",
            vec![Fault::refused(
                "RunInstances",
                Which::First(1),
                500,
                "InternalError",
                "An internal error has occurred",
            )],
        ),
        (
            "an internal error after the launch",
            vec![Fault::new(
                "RunInstances",
                Which::First(1),
                What::ServerErrorAfter,
            )],
        ),
        (
            "the answer of a launch is lost",
            vec![Fault::new("RunInstances", Which::First(2), What::DropAfter)],
        ),
        (
            "the call of a launch is lost",
            vec![Fault::new("RunInstances", Which::First(2), What::DropBefore)],
        ),
        (
            "the answer of a launch is too late",
            vec![Fault::new("RunInstances", Which::First(1), slow)],
        ),
        (
            "the answer of a group is lost",
            vec![Fault::new(
                "CreateSecurityGroup",
                Which::First(2),
                What::DropAfter,
            )],
        ),
        (
            "the answer of a rule is lost",
            vec![Fault::new(
                "AuthorizeSecurityGroupIngress",
                Which::First(2),
                What::DropAfter,
            )],
        ),
        (
            "a group is not known yet",
            vec![Fault::refused(
                "AuthorizeSecurityGroupIngress",
                Which::First(1),
                400,
                "InvalidGroup.NotFound",
                "not yet",
            )],
        ),
        (
            "capacity comes back",
            vec![Fault::refused(
                "RunInstances",
                Which::First(2),
                500,
                "InsufficientInstanceCapacity",
                "none left",
            )],
        ),
    ];
    for (what, faults) in table {
        println!("-- {what}");
        stage.next();
        for fault in faults {
            stage.cloud.fault(fault);
        }
        let live = stage.start(&[]);
        let run = stage.until_machines(live, 0);
        stage.cloud.heal();
        stage.assert_as_planned(&run);
        stage.destroy(&run);
    }
}

/// What does not pass ends the run or pauses it, in EC2's own words, and a destroy leaves nothing.
#[test]
fn what_does_not_pass_ends_or_pauses_the_run_in_ec2s_words() {
    let mut stage = Stage::new();
    stage.bench.config(QUICK);
    let table = [
        (
            "InsufficientInstanceCapacity",
            500,
            "We currently do not have sufficient capacity",
            1,
            "failed",
            "--zone",
        ),
        (
            "SpotMaxPriceTooLow",
            400,
            "Your Spot request price of 0.01 is lower",
            1,
            "failed",
            "--spot-price",
        ),
        (
            "InvalidParameterValue",
            400,
            "Value (x) for parameter is invalid",
            1,
            "failed",
            "resume",
        ),
        (
            "VcpuLimitExceeded",
            400,
            "You have requested more vCPU capacity",
            130,
            "interrupted",
            "quota",
        ),
        (
            "MaxSpotInstanceCountExceeded",
            400,
            "Max spot instance count exceeded",
            130,
            "interrupted",
            "quota",
        ),
        (
            "RequestExpired",
            400,
            "Request has expired.",
            130,
            "interrupted",
            "renew",
        ),
        (
            "AuthFailure",
            401,
            "AWS was not able to validate the credentials",
            130,
            "interrupted",
            "renew",
        ),
        (
            "UnauthorizedOperation",
            403,
            "You are not authorized to perform this operation",
            130,
            "interrupted",
            "docs/iam-policy.json",
        ),
    ];
    for (code, status, message, exit, state, hint) in table {
        println!("-- {code}");
        stage.next();
        stage.cloud.fault(
            Fault::refused("RunInstances", Which::All, status, code, message)
                .only_if("mesosflow:role", "slave"),
        );
        let said = stage.run(&["--spot-price", "0.01"]).ended(exit);
        let run = said.run();
        let said = said.complains(&[code, message, "RunInstances", "us-east-1", hint, "resume"]);
        assert!(!said.err.contains("AWS_SECRET"), "{}", said.err);
        let shown = stage.bench.status(&run);
        assert_eq!(shown.state(), state);
        assert_eq!(shown.step("launch-slaves")["state"], "failed");
        stage.cloud.heal();
        assert!(
            stage
                .machines(&run)
                .iter()
                .all(|machine| machine.tag("mesosflow:role") != "slave")
        );
        if exit == 130 {
            // Put right, it goes on from where it paused.
            stage.resume_until_machines(&run);
            stage.assert_as_planned(&run);
        }
        stage.destroy(&run);
        assert!(
            stage
                .cloud
                .world()
                .spot_requests()
                .iter()
                .all(|(_, state, _)| state != "open")
        );
    }
}

/// A machine that ends while it is waited for is named at once, with EC2's reason; a resume launches it anew, alone and under
/// another token. One that is stopped is left to whoever stopped it, and each of the two has its own way out.
#[test]
fn a_machine_that_dies_on_the_way_is_named_at_once_and_launched_anew_alone() {
    let mut stage = Stage::new();
    stage.slaves = 3;
    // The others are waited for meanwhile, and none of them answers.
    stage.bench.config("[ec2]\nboot_limit_s = 60\n");
    let mut live = stage.start(&[]);
    let run = live.run();
    let point = mesosflow_tests::Point::item_started("await-nodes");
    mesosflow_tests::Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    let before = stage.machines(&run);
    let cluster = stage.cluster.clone();
    let name = |number: usize| format!("{cluster}-slave-{number}");
    let id = |number: usize| {
        let machine = before.iter().find(|machine| machine.tag("Name") == name(number));
        machine.unwrap().id.clone()
    };
    let (dead, stopped) = (id(1), id(2));
    let world = stage.cloud.world();
    world.wait(world.client().stop_instances().instance_ids(&stopped).send());
    world.terminate(&dead);
    // Whichever of the two is seen first, nothing else is begun; the other one is seen by the next driver at the latest.
    let said = live.finish(RUN_LIMIT);
    said.complains(&["await-nodes"]);
    world.wait(world.client().start_instances().instance_ids(&stopped).send());
    let status = stage.bench.status(&run);
    let launch = status.step("launch-slaves");
    assert_eq!(launch["state"], "stale", "{launch:#}");
    let states = launch["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["state"]);
    assert_eq!(states.collect::<Vec<_>>(), ["stale", "succeeded", "succeeded"]);
    let error = status.value()["error"].to_string();
    for part in [&*name(1), "is dead", "UserInitiatedShutdown", "anew"] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }

    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    for machine in stage.machines(&run) {
        let known = before.iter().any(|before| before.id == machine.id);
        assert_eq!(known, machine.tag("Name") != name(1), "{machine:?}");
    }
    let calls = stage.cloud.calls("RunInstances");
    let tokens = calls.iter().filter(|call| call.tag("Name") == Some(&name(1)));
    let tokens: Vec<_> = tokens.map(|call| call.value("ClientToken").unwrap()).collect();
    let [spent, next] = tokens[..] else {
        panic!("not two launches of the slave: {tokens:?}")
    };
    assert_eq!(format!("{spent}.1"), next);
    stage.destroy(&run);
}

/// What has failed on several machines for several reasons says what to do about each.
#[test]
fn a_stopped_machine_is_left_to_whoever_stopped_it() {
    let mut stage = Stage::new();
    let mut live = stage.start(&[]);
    let run = live.run();
    let point = mesosflow_tests::Point::item_started("await-nodes");
    mesosflow_tests::Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    let before = stage.machines(&run);
    let world = stage.cloud.world();
    let ids = before.iter().map(|machine| machine.id.clone());
    world.wait(
        world
            .client()
            .stop_instances()
            .set_instance_ids(Some(ids.collect()))
            .send(),
    );
    live.finish(RUN_LIMIT)
        .ended(130)
        .complains(&["does not run", "aws ec2 start-instances"]);
    let ids = before.iter().map(|machine| machine.id.clone());
    world.wait(
        world
            .client()
            .start_instances()
            .set_instance_ids(Some(ids.collect()))
            .send(),
    );
    stage.resume_until_machines(&run);
    assert_eq!(stage.cloud.calls("RunInstances").len(), 2);
    stage.destroy(&run);
}

/// Machines that never answer: the limit, and what was waited for.
#[test]
fn machines_that_never_show_a_host_key_meet_their_limit() {
    let mut stage = Stage::new();
    stage.bench.config(QUICK);
    let said = stage.run(&[]).ended(1);
    let run = said.run();
    said.complains(&["not ready after 5 s", "host key", "resume"]);
    stage.destroy(&run);
}
