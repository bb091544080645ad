//! Where administrators come from, given anew for a cluster that exists: the new door is opened, the old one shut, and nothing
//! else is done again.

use mesosflow_tests::{Bench, Cloud, Group, Point, RUN_LIMIT, Watch};
use serde_json::Value;

use super::stage::{ADMINS, Stage};

const NEW: &str = "198.51.100.9/32";

/// This machine, as a node sees it.
const GATEWAY: &str = "gateway=$(ip route show default | awk '{ print $3; exit }')";

/// From where SSH is let in.
fn lets_in(groups: &[Group]) -> Vec<Vec<String>> {
    let ssh = |group: &Group| {
        let rules = group.rules.iter().filter(|rule| rule.what == "tcp 22-22");
        rules.map(|rule| rule.from.clone()).collect()
    };
    groups.iter().map(ssh).collect()
}

fn amended(stage: &Stage, run: &str) -> Vec<Value> {
    let history = stage.bench.history(run);
    let events = history.events().iter();
    events
        .filter(|event| event["kind"] == "spec_amended")
        .cloned()
        .collect()
}

#[test]
fn an_address_that_has_changed_is_let_in_and_the_old_one_is_not() {
    let mut stage = Stage::new();
    // One of the groups is somebody else's, with a rule of theirs; another is given one by hand.
    let theirs = format!("{}-slaves", stage.cluster);
    let id = stage.cloud.world().add_group(&theirs, None);
    stage.cloud.world().add_rule(&id, 8080, "192.0.2.0/24");
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let groups = |stage: &Stage| stage.cloud.world().groups(&stage.cluster);
    let own = groups(&stage)
        .into_iter()
        .find(|group| group.name.ends_with("-master"))
        .unwrap();
    stage.cloud.world().add_rule(&own.id, 9999, ADMINS);
    let (launched, made) = (
        stage.cloud.calls("RunInstances").len(),
        stage.cloud.calls("CreateSecurityGroup").len(),
    );

    let seen = stage.bench.history(&run).events().len() as u64;
    let live = stage
        .bench
        .start(&["resume", &run, "--admin-cidr", "198.51.100.9"]);
    stage.until_machines(live, seen);
    for from in lets_in(&groups(&stage)) {
        assert_eq!(from, [NEW]);
    }
    let rules = groups(&stage).into_iter().flat_map(|group| group.rules);
    let kept: Vec<_> = rules
        .filter(|rule| ["tcp 8080-8080", "tcp 9999-9999"].contains(&&*rule.what))
        .collect();
    assert_eq!(kept.len(), 2, "what others have added: {kept:?}");
    assert_eq!(
        stage.cloud.calls("RunInstances").len(),
        launched,
        "machines were launched again"
    );
    assert_eq!(stage.cloud.calls("CreateSecurityGroup").len(), made);
    let events = amended(&stage, &run);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["field"], "ec2.admin_cidr");
    assert_eq!(
        (&events[0]["before"][0], &events[0]["value"][0]),
        (&ADMINS.into(), &NEW.into())
    );

    // From now on it is the cluster's: nobody has to say it again, and saying it again says nothing new.
    let opened = stage.cloud.calls("AuthorizeSecurityGroupIngress").len();
    stage.resume_until_machines(&run);
    let seen = stage.bench.history(&run).events().len() as u64;
    let live = stage.bench.start(&["resume", &run, "--admin-cidr", NEW]);
    stage.until_machines(live, seen);
    assert_eq!(stage.cloud.calls("AuthorizeSecurityGroupIngress").len(), opened);
    assert_eq!(amended(&stage, &run).len(), 1);

    stage
        .bench
        .say(&["destroy", &run, "--yes", "--admin-cidr", "192.0.2.50"])
        .ended(0);
    // The destroy is a run of its own, begun with what was given.
    assert_eq!(amended(&stage, &run).len(), 1);
    let runs = stage.bench.say(&["list", "--json"]).json();
    let newest = runs.as_array().unwrap().last().unwrap()["run"].as_str().unwrap();
    let history = stage.bench.history(newest);
    let begun = &history.events()[0];
    assert_eq!(begun["spec"]["cluster"]["ec2"]["admin_cidr"][0], "192.0.2.50/32");
    assert_eq!(stage.cloud.world().left(&run), Vec::<String>::new());
    let left = groups(&stage);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(lets_in(&left), [Vec::<String>::new()]);
}

/// From an older copy of the journal, whose cluster another driver has gone on with: no door is touched, and nothing is recorded.
#[test]
fn who_is_no_driver_of_the_cluster_changes_no_door() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let backup = stage.bench.path("backup").display().to_string();
    stage.bench.say(&["journal", "backup", &backup]).ended(0);
    let after = stage.bench.history(&run).events().len() as u64;
    let live = stage
        .bench
        .start(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    stage.until_machines(live, after);

    let journal = stage.bench.journal().to_owned();
    let folder = journal.parent().unwrap().join("copy");
    std::fs::create_dir(&folder).unwrap();
    stage.bench.set_journal(folder.join("journal.sqlite"));
    stage.bench.say(&["journal", "restore", &backup]).ended(0);
    let recorded = stage.bench.history(&run).events().len();
    let changed = |stage: &Stage| {
        let calls = ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"];
        calls.map(|call| stage.cloud.calls(call).len())
    };
    let before = changed(&stage);
    for words in [
        &["destroy", &run, "--yes"][..],
        &["resume", &run],
        &["replay", &run, "--from", "security-groups", "--only", "--yes"],
    ] {
        let words = [words, &["--admin-cidr", NEW]].concat();
        let said = stage.bench.say(&words).ended(3);
        said.complains(&["whom this journal does not know", "--take-over"]);
        assert_eq!(changed(&stage), before, "{words:?}");
        assert_eq!(stage.bench.history(&run).events().len(), recorded, "{words:?}");
    }
    // Without a new address too, a stranger's machines are not taken for its own.
    stage
        .bench
        .say(&["replay", &run, "--from", "security-groups", "--only", "--yes"])
        .ended(3);
    let known = stage.bench.status(&run).value()["resources"].to_string();
    for machine in stage.machines(&run) {
        assert!(!known.contains(&machine.id), "{} is recorded", machine.id);
    }
    assert_eq!(changed(&stage), before);
    stage.bench.set_journal(journal);
    stage.destroy(&run);
}

#[test]
fn where_nothing_is_let_in_there_is_nothing_to_give_anew() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut live = bench.start(&["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"]);
    let run = live.run();
    Watch::new(bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, Point::started("await-nodes"));
    live.kill();
    let said = bench.say(&["resume", &run, "--admin-cidr", NEW]).ended(2);
    said.complains(&["ec2.admin_cidr", "of no use to provider `local`"]);
    bench.say(&["destroy", &run, "--yes"]).ended(0);
}

/// A node that drops whatever comes from here, as a group does that lets another address in.
#[test]
fn where_all_are_silent_the_first_guess_is_that_the_address_has_changed() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    bench.config("[shared_volume]\nfallback = 'sshfs'\n");
    let mut stage = Stage::on(bench, cloud, 1, 1);
    let subnet = stage.cloud.subnet().id.clone();
    let mut live = stage.start(&["--subnet", &subnet]);
    let run = live.run();
    let point = Point::succeeded("await-nodes");
    Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let machines = stage.machines(&run);
    let nodes: Vec<_> = machines
        .iter()
        .map(|machine| stage.cloud.node(&stage.bench, &machine.id))
        .collect();
    for node in &nodes {
        node.ask(&format!("{GATEWAY}; ip route add blackhole $gateway"));
    }
    let said = stage.bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(1);
    let text = said.err.clone();
    let first = text
        .lines()
        .find(|line| line.trim_start().starts_with("hint:"))
        .unwrap();
    assert!(first.contains("no node lets a connection in"), "{text}");
    assert!(first.contains(ADMINS) && first.contains("--admin-cidr"), "{text}");
    for node in &nodes {
        node.ask(&format!("{GATEWAY}; ip route del blackhole $gateway"));
    }
    stage.destroy(&run);
}
