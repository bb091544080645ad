//! Images, zones and subnets: what is chosen where nothing is named, and what is refused.

use mesosflow_tests::{AMI_FULL, Fault, What, Which};

use super::stage::Stage;

/// The newest image of a system by its publisher, not one that only calls itself so, is broken or is of another processor.
#[test]
fn the_latest_image_is_the_publishers_newest_that_runs_there() {
    let mut stage = Stage::new();
    for (os, ami, user) in [
        ("debian12", "ami-0de00000000057c64", "admin"),
        ("ubuntu22.04", "ami-0de00000000022041", "ubuntu"),
        ("ubuntu24.04", "ami-0de00000000024041", "ubuntu"),
    ] {
        stage.next();
        let live = stage.start(&["--ami", "latest", "--os", os]);
        let run = stage.until_machines(live, 0);
        let image = output(&stage, &run, "image-metadata");
        assert_eq!(image["id"], ami);
        assert_eq!(image["login_user"], user);
        assert_eq!(image["architecture"], "x86_64");
        assert!(stage.machines(&run).iter().all(|machine| machine.image == ami));
        stage.destroy(&run);
    }
}

#[test]
fn what_cannot_run_is_refused_before_any_machine_is_made() {
    let mut stage = Stage::new();
    let table: [(&[&str], &str); 5] = [
        (
            &["--ami", "ami-0de000000000a64a6"],
            "it is for arm64, and m5.large (master) runs x86_64",
        ),
        (&["--ami", "ami-0de000000000d0502"], "Windows"),
        (&["--ami", "ami-00000000000000000"], "there is no image"),
        (&["--instance-type", "m6g.large"], "one image cannot run"),
        (
            &["--subnet", "subnet-00000000000000000"],
            "InvalidSubnetID.NotFound",
        ),
    ];
    for (flags, part) in table {
        println!("-- {flags:?}");
        stage.next();
        let mut words = flags.to_vec();
        if flags[0] == "--instance-type" {
            words.extend(["--ami", "latest"]);
        }
        let said = stage.run(&words).ended(1);
        let run = said.run();
        said.complains(&[part]);
        assert!(stage.machines(&run).is_empty());
        stage.destroy(&run);
    }
    assert!(stage.cloud.calls("RunInstances").is_empty());
}

/// One subnet for all machines, in the zone that was asked for; types, volumes and metadata as ordered.
#[test]
fn machines_are_what_was_ordered() {
    let mut stage = Stage::new();
    (stage.masters, stage.slaves) = (3, 2);
    let live = stage.start(&[
        "--zone",
        "us-east-1c",
        "--instance-type",
        "m5d.large",
        "--master-instance-type",
        "m5.xlarge",
        "--zookeeper-instance-type",
        "t3.small",
        "--ebs-vol-size",
        "30",
        "--root-vol-size",
        "40",
    ]);
    let run = stage.until_machines(live, 0);
    stage.assert_as_planned(&run);
    let subnets: std::collections::BTreeSet<_> = stage
        .cloud
        .calls("RunInstances")
        .iter()
        .map(|call| call.value("SubnetId").unwrap().to_owned())
        .collect();
    assert_eq!(subnets.len(), 1, "{subnets:?}");
    for call in stage.cloud.calls("RunInstances") {
        let metadata = |name: &str| call.value(&format!("MetadataOptions.{name}"));
        assert_eq!(metadata("HttpTokens"), Some("required"));
        assert_eq!(metadata("HttpPutResponseHopLimit"), Some("1"));
        assert_eq!(metadata("InstanceMetadataTags"), Some("enabled"));
        assert_eq!(call.value("ImageId"), Some(AMI_FULL));
        assert!(call.value("ClientToken").is_some_and(|token| token.len() <= 64));
        assert_eq!(call.tag("mesosflow:run"), Some(&*run));
        assert!(call.tag("mesosflow:cluster-id").is_some());
        // The next driver repeats the call under the same token, and it has to be the same call.
        assert_eq!(call.tag("mesosflow:driver"), None);
    }
    let drivers: std::collections::BTreeSet<_> = stage
        .machines(&run)
        .iter()
        .map(|machine| machine.tag("mesosflow:driver").to_owned())
        .collect();
    assert!(drivers.len() == 1 && !drivers.contains(""), "{drivers:?}");
    for machine in stage.machines(&run) {
        let (kind, volumes) = match machine.tag("mesosflow:role") {
            "master" => ("m5.xlarge", 2),
            "slave" => ("m5d.large", 2),
            _ => ("t3.small", 1),
        };
        assert_eq!(
            (machine.kind.as_str(), machine.volumes.len()),
            (kind, volumes),
            "{machine:?}"
        );
    }
    let sizes: Vec<_> = stage
        .cloud
        .world()
        .volumes()
        .iter()
        .map(|volume| volume.size)
        .collect();
    assert_eq!(sizes.iter().filter(|size| **size == 40).count(), 8, "{sizes:?}");
    assert_eq!(sizes.iter().filter(|size| **size == 30).count(), 5, "{sizes:?}");
    let image = output(&stage, &run, "image-metadata");
    assert_eq!(image["machine_types"]["slave"]["ephemeral_disks"], 1);
    assert_eq!(image["machine_types"]["slave"]["nvme"], true);
    stage.destroy(&run);
}

/// An account that has opted in to a Local Zone does not find its cluster there.
#[test]
fn a_local_zone_is_taken_only_where_it_is_named() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let subnet_of = |stage: &Stage| {
        let calls = stage.cloud.calls("RunInstances");
        calls.last().unwrap().value("SubnetId").unwrap().to_owned()
    };
    let usual = subnet_of(&stage);
    stage.destroy(&run);

    // The zone that is first otherwise.
    let local = What::Rewrite(|answer| {
        let zones = answer
            .split("<zoneName>")
            .map(|zone| match zone.starts_with("us-east-1a<") {
                true => zone.replace("availability-zone</zoneType>", "local-zone</zoneType>"),
                false => zone.to_owned(),
            });
        zones.collect::<Vec<_>>().join("<zoneName>")
    });
    stage
        .cloud
        .fault(Fault::new("DescribeAvailabilityZones", Which::All, local));
    stage.next();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    assert_ne!(subnet_of(&stage), usual);
    stage.destroy(&run);

    stage.next();
    let live = stage.start(&["--zone", "us-east-1a"]);
    let run = stage.until_machines(live, 0);
    assert_eq!(subnet_of(&stage), usual);
    stage.destroy(&run);
}

/// Disks that do not appear by themselves are mapped at the launch; which moto, in contrast to EC2, refuses.
#[test]
fn ephemeral_disks_of_old_types_are_mapped() {
    let mut stage = Stage::new();
    let said = stage.run(&["--instance-type", "m3.2xlarge"]).ended(1);
    let run = said.run();
    said.complains(&["launch-slaves", "m3.2xlarge"]);
    let calls = stage.cloud.calls("RunInstances");
    let slave = calls
        .iter()
        .find(|call| call.tag("mesosflow:role") == Some("slave"))
        .unwrap();
    let value = |number: usize, name: &str| slave.value(&format!("BlockDeviceMapping.{number}.{name}"));
    for (number, device, disk) in [(2, "/dev/sdb", "ephemeral0"), (3, "/dev/sdc", "ephemeral1")] {
        assert_eq!(value(number, "DeviceName"), Some(device));
        assert_eq!(value(number, "VirtualName"), Some(disk));
    }
    stage.destroy(&run);
}

/// A profile goes with every machine; moto knows of none, and says so.
#[test]
fn an_unknown_iam_profile_is_refused_in_the_apis_words() {
    let mut stage = Stage::new();
    let said = stage.run(&["--iam-profile", "nodes"]).ended(1);
    let run = said.run();
    said.complains(&["RunInstances", "resume"]);
    for call in stage.cloud.calls("RunInstances") {
        assert_eq!(call.value("IamInstanceProfile.Name"), Some("nodes"));
    }
    stage.destroy(&run);
}

/// What a step recorded as its outcome.
fn output(stage: &Stage, run: &str, step: &str) -> serde_json::Value {
    let history = stage.bench.history(run);
    let event = history
        .of("step_succeeded", 1)
        .find(|event| event["step"] == step);
    event.unwrap()["output"].clone()
}
