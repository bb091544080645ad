//! The cloud of a scenario does harm as it is told: faults happen as they are written down, a call can be held between its
//! effect and its answer, and a client token launches once.

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{InstanceType, ResourceType};
use mesosflow_tests::{AMI_FULL, Bench, Cloud, Fault, What, Which};

use crate::cloud_harness::{LIMIT, client, tagged};

#[test]
fn faults_happen_as_they_are_written_down() {
    let mut bench = Bench::new();
    let cloud = Cloud::start(&mut bench);
    let (world, client) = (cloud.world(), client(&cloud));
    let launch = || {
        let call = client
            .run_instances()
            .image_id(AMI_FULL)
            .min_count(1)
            .max_count(1);
        let call = call
            .instance_type(InstanceType::M5Large)
            .tag_specifications(tagged(ResourceType::Instance, "x"));
        call.send()
    };
    let launched = || world.all_instances().len();
    let said = |error: String, words: &str| assert!(error.contains(words), "{words:?} is missing in {error}");

    cloud.fault(
        Fault::refused(
            "RunInstances",
            Which::First(1),
            400,
            "InsufficientInstanceCapacity",
            "none left",
        )
        .only_if("mesosflow:role", "slave"),
    );
    cloud.fault(Fault::throttled("RunInstances", Which::All).only_if("InstanceType", "m5d.large"));
    let error = format!("{:?}", fails(world.wait_for(launch())));
    said(error.clone(), "InsufficientInstanceCapacity");
    said(error, "400");
    assert_eq!(launched(), 0);
    world.wait(launch());
    assert_eq!(launched(), 1);

    for (what, effect) in [(What::DropBefore, 1), (What::DropAfter, 2)] {
        cloud.heal();
        cloud.fault(Fault::new("RunInstances", Which::All, what));
        said(
            format!("{:?}", fails(world.wait_for(launch()))),
            "DispatchFailure",
        );
        assert_eq!(launched(), effect);
    }
    cloud.heal();
    cloud.fault(Fault::new("RunInstances", Which::Nth(1), What::ServerErrorAfter));
    said(format!("{:?}", fails(world.wait_for(launch()))), "InternalError");
    assert_eq!(launched(), 3);

    let pause = Duration::from_millis(1500);
    cloud.fault(Fault::new(
        "DescribeInstances",
        Which::First(1),
        What::DelayAnswer(pause),
    ));
    let before = Instant::now();
    world.wait(client.describe_instances().send());
    assert!(before.elapsed() >= pause);

    let rewrite =
        What::Rewrite(|text| text.replace("<vpcSet>", "<vpcSet><item><vpcId>vpc-new</vpcId></item>"));
    cloud.fault(Fault::new("DescribeVpcs", Which::First(1), rewrite));
    let vpcs = |answer: aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput| {
        answer.vpcs().iter().any(|vpc| vpc.vpc_id() == Some("vpc-new"))
    };
    assert!(vpcs(world.wait(client.describe_vpcs().send())));
    assert!(!vpcs(world.wait(client.describe_vpcs().send())));

    let calls = cloud.calls("RunInstances");
    assert_eq!(calls.len(), 5);
    assert_eq!(calls[0].value("InstanceType"), Some("m5.large"));
    assert_eq!(calls[0].tag("mesosflow:run"), Some("the-run"));
    assert_eq!(world.left("the-run").len(), 3);
    assert_eq!(world.left("another-run"), Vec::<String>::new());
}

#[test]
fn a_call_is_held_between_its_effect_and_its_answer() {
    let mut bench = Bench::new();
    let cloud = Cloud::start(&mut bench);
    let (world, client) = (cloud.world(), client(&cloud));
    let held = cloud.hold("CreateSecurityGroup");
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let call = client.create_security_group().group_name("held").description("x");
            world.wait(call.send())
        });
        held.wait_reached(LIMIT);
        assert_eq!(world.groups("held").len(), 1);
        assert!(!asking.is_finished());
        held.release();
        asking.join().unwrap();
    });
    let group = &world.groups("held")[0];
    world.add_rule(&group.id, 22, "10.0.0.0/8");
    let rules = &world.groups("held")[0].rules;
    assert_eq!(
        (rules[0].what.as_str(), rules[0].from.as_str()),
        ("tcp 22-22", "10.0.0.0/8")
    );
}

#[test]
fn a_client_token_launches_once() {
    let mut bench = Bench::new();
    let cloud = Cloud::start(&mut bench);
    let (world, client) = (cloud.world(), client(&cloud));
    let launch = |token: &str, kind: InstanceType| {
        let call = client
            .run_instances()
            .image_id(AMI_FULL)
            .min_count(1)
            .max_count(1);
        let launched = world.wait_for(call.instance_type(kind).client_token(token).send());
        launched.map_err(|error| format!("{error:?}"))
    };
    let id = |token: &str| {
        let launched = launch(token, InstanceType::M5Large).unwrap();
        launched.instances()[0].instance_id().unwrap().to_owned()
    };
    let first = id("a");
    assert_eq!(id("a"), first);
    assert_ne!(id("b"), first);
    let said = |error: String, words: &str| assert!(error.contains(words), "{words:?} is missing in {error}");
    let error = fails(launch("a", InstanceType::M5dLarge));
    said(error, "IdempotentParameterMismatch");
    world.terminate(&first);
    let error = fails(launch("a", InstanceType::M5Large));
    said(error, "IdempotentInstanceTerminated");
    cloud.ignore_tokens();
    assert_ne!(id("b"), id("b"));
}

#[track_caller]
fn fails<T, E>(result: Result<T, E>) -> E {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error,
    }
}
