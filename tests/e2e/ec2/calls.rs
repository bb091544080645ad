//! How many calls a cluster takes, where EC2 rations them: few for each machine, and none too many.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::AttributeBooleanValue;
use mesosflow_tests::{Cloud, Instance};
use serde_json::{Value, json};

use super::stage::Stage;

/// Calls by their action.
type Counts = BTreeMap<String, usize>;

/// Calls since the `from`th, and how many there are in all by now.
fn counts(cloud: &Cloud, from: usize) -> (Counts, usize) {
    let calls = cloud.all_calls();
    let mut counts = Counts::new();
    for call in &calls[from..] {
        *counts.entry(call.action.clone()).or_default() += 1;
    }
    (counts, calls.len())
}

/// A cluster of that many slaves, each with a volume, up to where its machines are waited for, and down again: the calls of
/// either, and how many of each were refused as too many.
fn up_and_down(slaves: usize) -> [(Counts, usize); 2] {
    let mut stage = Stage::new();
    stage.slaves = slaves;
    stage.cloud.ration();
    let live = stage.start(&["--ebs-vol-size", "10"]);
    let run = stage.until_machines(live, 0);
    let (up, from) = counts(&stage.cloud, 0);
    let refused = stage.cloud.throttled();
    assert_eq!(stage.machines(&run).len(), slaves + 1);
    stage.bench.say(&["destroy", &run, "--yes"]).ended(0);
    let (down, _) = counts(&stage.cloud, from);
    let refused_down = stage.cloud.throttled() - refused;
    stage.assert_gone(&run);
    [(up, refused), (down, refused_down)]
}

#[test]
fn a_machine_takes_few_calls_and_none_is_too_many() {
    let machines = 12;
    let [(up, refused_up), (down, refused_down)] = up_and_down(machines - 1);
    let of = |counts: &Counts, action: &str| counts.get(action).copied().unwrap_or(0);
    println!("up {up:#?}\ndown {down:#?}");
    assert_eq!((refused_up, refused_down), (0, 0), "calls were too many");

    assert_eq!(of(&up, "RunInstances"), machines);
    assert!(of(&up, "CreateTags") <= machines, "{up:?}");
    assert_eq!(of(&up, "GetConsoleOutput"), 0, "{up:?}");

    // All machines in one call; their root disks have gone with them, which is seen in one look. What outlives them is deleted
    // volume by volume: EC2 has no other way.
    assert_eq!(of(&down, "TerminateInstances"), 1, "{down:?}");
    assert_eq!(of(&down, "DeleteVolume"), machines, "{down:?}");
    // The looks do not grow with the machines: before, after each kind, and at the end.
    assert!(of(&down, "DescribeInstances") < machines, "{down:?}");
    assert!(of(&down, "DescribeVolumes") < machines, "{down:?}");
}

/// The rest ends, and is known to have ended; each that stays is named, with what to do about it.
#[test]
fn protected_machines_are_named_and_the_rest_ends() {
    let mut stage = Stage::new();
    stage.slaves = 3;
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let names = [2, 3].map(|number| format!("{}-slave-{number}", stage.cluster));
    let mut protected = stage.machines(&run);
    protected.retain(|machine| names.iter().any(|name| machine.tag("Name") == name));
    assert_eq!(protected.len(), names.len());
    for machine in &protected {
        protect(&stage.cloud, &machine.id, true);
    }
    let said = stage.bench.say(&["destroy", &run, "--yes"]).ended(1);
    for machine in &protected {
        let (name, id) = (machine.tag("Name"), &machine.id);
        let hint = format!("--instance-id {id} --no-disable-api-termination");
        for part in [format!("{name} ({id}) may not be terminated"), hint] {
            assert!(said.err.contains(&part), "{part} is missing in {}", said.err);
        }
    }
    let ids = |machines: Vec<Instance>| -> BTreeSet<String> {
        machines.into_iter().map(|machine| machine.id).collect()
    };
    let left = ids(stage.machines(&run));
    let protected = ids(protected);
    assert_eq!(left, protected);
    let status = stage.bench.status(&run);
    let recorded = status.value()["resources"].as_array().unwrap();
    let instances = recorded
        .iter()
        .filter(|resource| resource["resource_kind"] == "instance");
    assert_eq!(instances.count(), 2, "{recorded:?}");

    for id in &protected {
        protect(&stage.cloud, id, false);
    }
    stage.destroy(&run);
}

/// What does not hang on it ends, volumes and groups too; what it holds is named, and goes with it by a later destroy.
#[test]
fn a_protected_machine_keeps_what_it_holds_and_nothing_else() {
    let mut stage = Stage::new();
    let live = stage.start(&["--ebs-vol-size", "8"]);
    let run = stage.until_machines(live, 0);
    let mut machines = stage.machines(&run);
    machines.retain(|machine| machine.tag("mesosflow:role") == "master");
    let [master] = &machines[..] else {
        panic!("not one master: {machines:?}")
    };
    protect(&stage.cloud, &master.id, true);
    let said = stage.bench.say(&["destroy", &run, "--yes"]).ended(1);
    let (name, id) = (master.tag("Name"), &master.id);
    let held: BTreeSet<String> = master
        .volumes
        .iter()
        .map(|(_, volume)| volume.clone())
        .chain(master.groups.clone())
        .collect();
    assert_eq!(held.len(), 3, "{master:?}");
    for what in &held {
        let part = format!("({what}) stays: {name} ({id}) holds it");
        assert!(said.err.contains(&part), "{part} is missing in {}", said.err);
    }
    let ids = |left: &[String]| -> BTreeSet<String> {
        let ids = left
            .iter()
            .map(|what| what.rsplit(' ').next().unwrap().to_owned());
        ids.collect()
    };
    let mut left = stage.cloud.world().left(&run);
    left.retain(|what| !what.starts_with("rule "));
    let mut expected = held;
    expected.insert(id.clone());
    assert_eq!(ids(&left), expected);

    protect(&stage.cloud, id, false);
    stage.destroy(&run);
}

fn protect(cloud: &Cloud, id: &str, on: bool) {
    let value = AttributeBooleanValue::builder().value(on).build();
    let call = cloud.world().client().modify_instance_attribute();
    let call = call.instance_id(id).disable_api_termination(value);
    cloud.world().wait(call.send());
}

/// What `make bench` prints: calls per machine of a large cluster, and how many were too many.
#[test]
#[ignore = "a bench: `make bench`"]
fn bench_of_the_calls_of_a_large_cluster() {
    let machines = 100;
    let [up, down] = up_and_down(machines - 1);
    let shown = |(counts, refused): (Counts, usize)| -> Value {
        let apart = ["GetConsoleOutput", "DeleteVolume"];
        let counted: usize = counts
            .iter()
            .filter(|(action, _)| !apart.contains(&action.as_str()))
            .map(|(_, count)| count)
            .sum();
        json!({
            "calls_per_machine": counted as f64 / f64::from(machines as u32),
            "throttled": refused,
            "calls": counts,
        })
    };
    let (up, down) = (shown(up), shown(down));
    println!("{}", json!({"machines": machines, "launch": up, "destroy": down}));
    assert!(up["calls_per_machine"].as_f64().unwrap() <= 3.0);
    assert!(down["calls_per_machine"].as_f64().unwrap() <= 1.2);
}
