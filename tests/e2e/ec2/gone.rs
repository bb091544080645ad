//! What the account has done to a run's machines and groups while nobody drove it: stopped is named, lost is made anew.

use mesosflow_tests::Instance;

use super::stage::Stage;

fn slave(stage: &Stage, run: &str) -> Instance {
    let mut machines = stage.machines(run).into_iter();
    let found = machines.find(|machine| machine.tag("mesosflow:role") == "slave");
    found.unwrap()
}

/// Nothing begins while a machine is stopped; how it is started is said.
#[test]
fn a_stopped_instance_is_named_before_anything_acts() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let slave = slave(&stage, &run);
    let world = stage.cloud.world();
    world.wait(world.client().stop_instances().instance_ids(&slave.id).send());
    let begun = |stage: &Stage| stage.bench.history(&run).of("step_started", 1).count();
    let before = begun(&stage);
    let command = format!(
        "aws ec2 start-instances --region us-east-1 --instance-ids {}",
        slave.id
    );
    let said = stage.bench.say(&["resume", &run]).ended(130);
    said.complains(&[slave.tag("Name"), &slave.id, "does not run", &command]);
    assert_eq!(begun(&stage), before, "something began");
    let world = stage.cloud.world();
    world.wait(world.client().start_instances().instance_ids(&slave.id).send());
    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    stage.destroy(&run);
}

/// Groups that went with their machines: whoever launches into them finds that out soon, and the next driver makes them anew.
#[test]
fn groups_that_are_gone_with_their_machines_are_made_anew() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    for machine in stage.machines(&run) {
        stage.cloud.world().terminate(&machine.id);
    }
    let world = stage.cloud.world();
    let groups = world.groups(&stage.cluster);
    assert_eq!(groups.len(), 3);
    for group in &groups {
        let call = world.client().describe_security_groups().group_ids(&group.id);
        let shown = world.wait(call.send());
        let rules = shown.security_groups()[0].ip_permissions().to_vec();
        let call = world.client().revoke_security_group_ingress().group_id(&group.id);
        world.wait(call.set_ip_permissions(Some(rules)).send());
    }
    for group in &groups {
        let call = world.client().delete_security_group().group_id(&group.id);
        world.wait(call.send());
    }
    assert!(world.groups(&stage.cluster).is_empty());

    let said = stage
        .bench
        .say(&["replay", &run, "--from", "launch-slaves", "--yes"])
        .ended(1);
    said.complains(&["security group", "is gone", "resume"]);
    assert_eq!(stage.bench.status(&run).step("security-groups")["state"], "stale");
    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    stage.destroy(&run);
}
