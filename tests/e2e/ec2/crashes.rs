//! `kill -9` while things are made that cost money: after every commit of section 1, and between each call and the commit of
//! its outcome. A resume completes what there is; nothing exists twice, nothing that the journal does not know.

use mesosflow_tests::{Fault, Point, RUN_LIMIT, Reached, Seen, Watch, What, Which, until};
use serde_json::Value;

use super::stage::Stage;
use crate::random::{Random, is_sweep};

/// Of the commits one in so many, from a random one on, unless all are asked for: `make sweep`.
const SAMPLE: u64 = 3;

/// A kill after the first event, after the second, … until one that comes too late.
#[test]
fn a_run_that_is_killed_after_any_commit_is_completed() {
    let mut stage = Stage::new();
    let (first, stride) = match is_sweep() {
        true => (1, 1),
        false => (1 + Random::new().below(SAMPLE), SAMPLE),
    };
    let (mut kills, mut commits) = (0, 0);
    for seq in (first..).step_by(usize::try_from(stride).unwrap()) {
        stage.next();
        let mut live = stage.start(&[]);
        let run = live.run();
        let waits = Point::item_started("await-nodes");
        let due = |seen: &Seen| seen.seq >= seq || seen.is(waits);
        let reached = Watch::new(stage.bench.journal(), &run, 0).until(&mut live, RUN_LIMIT, due);
        live.kill();
        let Reached::Point(seen) = reached else {
            panic!("the run ended by itself")
        };
        if seen.is(waits) {
            stage.destroy(&run);
            break;
        }
        (kills, commits) = (kills + 1, seq);
        println!("killed at event {} ({})", seen.seq, seen.kind);
        // Every third one is given up at once: what was half-made goes as well as what was complete.
        if kills % 3 == 0 {
            stage.destroy(&run);
            continue;
        }
        stage.resume_until_machines(&run);
        stage.assert_as_planned(&run);
        stage.bench.history(&run).assert_nothing_done_twice();
        stage.destroy(&run);
    }
    assert!(
        commits >= 12 && kills >= 12 / stride,
        "killed only {kills} times, after {commits} commits at most"
    );
    let alive = stage.cloud.world().alive_instances();
    assert!(alive.is_empty(), "machines are left: {alive:?}");
}

/// The call has had its effect, and the answer never reaches the program.
#[test]
fn a_run_that_is_killed_between_a_call_and_its_answer_is_completed() {
    let mut stage = Stage::new();
    for action in [
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "RunInstances",
    ] {
        for is_given_up in [false, true] {
            stage.next();
            let held = stage.cloud.hold(action);
            let mut live = stage.start(&[]);
            let run = live.run();
            held.wait_reached(RUN_LIMIT);
            live.kill();
            held.release();
            stage.cloud.heal();
            if is_given_up {
                stage.destroy(&run);
                continue;
            }
            stage.resume_until_machines(&run);
            stage.assert_as_planned(&run);
            stage.destroy(&run);
        }
    }
}

/// While everything is deleted: in the middle of it, and again.
#[test]
fn a_destroy_that_is_killed_is_done_again_to_the_end() {
    let mut stage = Stage::new();
    for action in ["TerminateInstances", "DeleteSecurityGroup"] {
        stage.next();
        let live = stage.start(&[]);
        let run = stage.until_machines(live, 0);
        let held = stage.cloud.hold(action);
        let live = stage.bench.start(&["destroy", &run, "--yes"]);
        held.wait_reached(RUN_LIMIT);
        live.kill();
        held.release();
        stage.cloud.heal();
        stage.destroy(&run);
        // And once more: there is nothing left to do, which is no error.
        stage.destroy(&run);
    }
}

/// Each of the two ways in which a launch is found again is enough by itself: the tags, where a stand-in for EC2 knows no
/// tokens; the token, where EC2 does not show yet what it has just launched.
#[test]
fn a_launch_whose_answer_is_lost_is_found_by_its_tags_alone_and_by_its_token_alone() {
    let mut stage = Stage::new();
    let lost = || Fault::new("RunInstances", Which::First(1), What::DropAfter);
    let blind = What::Rewrite(|answer| match answer.split_once("<reservationSet>") {
        Some((before, _)) => format!("{before}<reservationSet/></DescribeInstancesResponse>"),
        None => answer.to_owned(),
    });
    stage.cloud.fault(lost());
    stage
        .cloud
        .fault(Fault::new("DescribeInstances", Which::All, blind));
    let mut live = stage.start(&[]);
    let run = live.run();
    until("a second call for the same place", RUN_LIMIT, || {
        let calls = stage.cloud.calls("RunInstances");
        let token = calls.first()?.value("ClientToken")?.to_owned();
        let again = calls
            .iter()
            .filter(|call| call.value("ClientToken") == Some(&token));
        (again.count() > 1).then_some(())
    });
    stage.cloud.heal();
    stage.until_machines(live, 0);
    stage.assert_as_planned(&run);
    stage.destroy(&run);

    stage.next();
    stage.cloud.ignore_tokens();
    stage.cloud.fault(lost());
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    stage.assert_as_planned(&run);
    stage.destroy(&run);
}

/// A machine that was launched, and terminated by somebody before the journal knew of it, is replaced under a new token.
#[test]
fn a_token_whose_machine_was_terminated_is_not_the_end_of_its_place() {
    let mut stage = Stage::new();
    let held = stage
        .cloud
        .hold_if("RunInstances", |fault| fault.only_if("mesosflow:role", "slave"));
    let mut live = stage.start(&[]);
    let run = live.run();
    held.wait_reached(RUN_LIMIT);
    live.kill();
    held.release();
    stage.cloud.heal();
    let machines = stage.machines(&run);
    let first = machines
        .iter()
        .find(|machine| machine.tag("mesosflow:role") == "slave")
        .unwrap();
    stage.cloud.world().terminate(&first.id);

    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    let calls = stage.cloud.calls("RunInstances");
    let tokens = calls
        .iter()
        .filter(|call| call.tag("mesosflow:role") == Some("slave"));
    let tokens: Vec<_> = tokens.map(|call| call.value("ClientToken").unwrap()).collect();
    let [spent, next] = tokens[..] else {
        panic!("not two launches of the slave: {tokens:?}")
    };
    assert_eq!(format!("{spent}-2"), next);
    assert!(stage.machines(&run).iter().all(|machine| machine.id != first.id));
    stage.destroy(&run);
}

/// A launch that failed for want of capacity is tried again in the very same words, whatever has become of the user's file since:
/// user data is frozen with the run, and its secrets stay out of the journal.
#[test]
fn user_data_is_frozen_with_the_run_and_in_no_journal() {
    let mut stage = Stage::new();
    let secret = "s3cret-of-the-user";
    let run = without_capacity(&mut stage, &format!("#!/bin/sh\n: {secret}\n"));
    let first = slaves_calls(&stage).len();
    stage.bench.write("mine.sh", "#!/bin/sh\n: another\n");
    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    let calls = slaves_calls(&stage);
    assert!(calls.len() > first);
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");

    for kind in ["", "-wal"] {
        let journal = format!("{}{kind}", stage.bench.journal().display());
        let bytes = std::fs::read(&journal).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "the secret is in {journal}");
    }
    let log = std::fs::read_to_string(stage.bench.run_dir(&run).join("log.jsonl")).unwrap();
    assert!(!log.contains(secret));
    stage.destroy(&run);
}

/// Another version of the program may say it in other words: where there is no machine under the token, the next one is used;
/// where there is one, it is that one, be it shown late.
#[test]
fn a_token_of_another_call_is_not_the_end_of_its_place() {
    let mut stage = Stage::new();
    let run = without_capacity(&mut stage, "#!/bin/sh\n");
    let spent = slaves_calls(&stage)[0].0.clone();
    reword(&stage, &run);
    stage.resume_until_machines(&run);
    stage.assert_as_planned(&run);
    assert_eq!(slaves_calls(&stage).last().unwrap().0, format!("{spent}-2"));
    stage.destroy(&run);

    stage.next();
    let held = stage
        .cloud
        .hold_if("RunInstances", |fault| fault.only_if("mesosflow:role", "slave"));
    let mut live = stage.start(&["--user-data", "mine.sh"]);
    let run = live.run();
    held.wait_reached(RUN_LIMIT);
    live.kill();
    held.release();
    stage.cloud.heal();
    reword(&stage, &run);
    let before = slaves_calls(&stage).len();
    let blind = What::Rewrite(|answer| match answer.split_once("<reservationSet>") {
        Some((before, _)) => format!("{before}<reservationSet/></DescribeInstancesResponse>"),
        None => answer.to_owned(),
    });
    stage
        .cloud
        .fault(Fault::new("DescribeInstances", Which::All, blind));
    let after = stage.bench.history(&run).events().len() as u64;
    let live = stage.bench.start(&["resume", &run]);
    until("a call under the same token", RUN_LIMIT, || {
        (slaves_calls(&stage).len() > before).then_some(())
    });
    stage.cloud.heal();
    stage.until_machines(live, after);
    stage.assert_as_planned(&run);
    let tokens: std::collections::BTreeSet<_> = slaves_calls(&stage)[before - 1..]
        .iter()
        .map(|(token, _)| token.clone())
        .collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    stage.destroy(&run);
}

/// A run with this user data whose slave was not to be had.
fn without_capacity(stage: &mut Stage, user_data: &str) -> String {
    stage.bench.config("[ec2]\ncapacity_limit_s = 1\n");
    stage.bench.write("mine.sh", user_data);
    let none = Fault::refused(
        "RunInstances",
        Which::All,
        500,
        "InsufficientInstanceCapacity",
        "none left",
    );
    stage.cloud.fault(none.only_if("mesosflow:role", "slave"));
    let run = stage.run(&["--user-data", "mine.sh"]).ended(1).run();
    stage.cloud.heal();
    run
}

/// Has the next call say something else to the slave.
fn reword(stage: &Stage, run: &str) {
    let kept = stage.bench.cluster_dir(run).join("user_data");
    let files = std::fs::read_dir(kept).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.retain(|path| path.to_string_lossy().contains("launch-slaves"));
    assert_eq!(files.len(), 1, "{files:?}");
    std::fs::write(&files[0], "#cloud-config\n{}\n").unwrap();
}

/// Token and user data of each call that launches the slave.
fn slaves_calls(stage: &Stage) -> Vec<(String, String)> {
    let calls = stage.cloud.calls("RunInstances").into_iter();
    let slaves = calls.filter(|call| call.tag("mesosflow:role") == Some("slave"));
    let value = |call: &mesosflow_tests::Call, name: &str| call.value(name).unwrap().to_owned();
    slaves
        .map(|call| (value(&call, "ClientToken"), value(&call, "UserData")))
        .collect()
}

/// A replay of the launch never gets yesterday's machines back, and leaves none of them; killed in between, too.
#[test]
fn a_replayed_launch_replaces_every_machine() {
    let mut stage = Stage::new();
    let live = stage.start(&["--ebs-vol-size", "20", "--spot-price", "0.05"]);
    let run = stage.until_machines(live, 0);
    let old = stage.machines(&run);

    // Without its end, a run is not replayed from behind the step that has none.
    let after = stage.bench.history(&run).events().len() as u64;
    let replay = ["replay", &run, "--from", "launch-slaves", "--yes"];
    let mut live = stage.bench.start(&replay);
    let point = Point::item_started("launch-masters");
    Watch::new(stage.bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
    live.kill();
    stage.resume_until_machines(&run);

    assert_eq!(stage.bench.status(&run).generation(), 2);
    stage.assert_as_planned(&run);
    let new = stage.machines(&run);
    for machine in &new {
        assert!(
            old.iter().all(|old| old.id != machine.id),
            "{machine:?} is an old one"
        );
        assert_eq!(machine.tag("mesosflow:generation"), "2");
        assert_eq!(
            machine.is_spot,
            machine.tag("mesosflow:role") == "slave",
            "{machine:?}"
        );
        assert!(
            machine.volumes.iter().any(|(device, _)| device == "/dev/sdv"),
            "{machine:?}"
        );
    }
    stage.destroy(&run);
    assert_eq!(stage.cloud.world().volumes(), []);
}

/// A destroy is a run like others: killed after any of its commits, it is gone on with by its own id as well as by asking again,
/// and the cluster has no other run meanwhile. It closes the run that was unfinished.
#[test]
fn a_destroy_that_is_killed_after_any_commit_is_resumed_by_its_own_id() {
    let mut stage = Stage::new();
    let mut random = Random::new();
    let mut kills = 0;
    for turn in 0..4 {
        stage.next();
        let live = stage.start(&["--ebs-vol-size", "8"]);
        let run = stage.until_machines(live, 0);
        let mut live = stage.bench.start(&["destroy", &run, "--yes"]);
        let begun = || {
            let runs = stage.bench.say(&["list", "--json"]).json();
            let mut runs = runs.as_array().unwrap().clone().into_iter().rev();
            let is_it = |found: &Value| found["workflow"] == "destroy" && found["cluster"] == *stage.cluster;
            runs.find(is_it)
        };
        let destroy = until("the destroy in the journal", RUN_LIMIT, begun)["run"]
            .as_str()
            .unwrap()
            .to_owned();
        // 1 has been; its steps and their items are some thirty more.
        for _ in 0..3 {
            let seen = stage.bench.history(&destroy).events().len() as u64;
            let due = seen + random.below(9);
            let due = |seen: &Seen| seen.seq > due;
            let reached = Watch::new(stage.bench.journal(), &destroy, seen).until(&mut live, RUN_LIMIT, due);
            live.kill();
            let has_ended = stage.bench.status(&destroy).state() == "succeeded";
            if matches!(reached, Reached::End) || has_ended {
                live = stage.bench.start(&["status", &destroy]);
                break;
            }
            kills += 1;
            let refused = stage.bench.say(&["resume", &run]).ended(3);
            assert!(
                refused.err.contains("was closed") || refused.err.contains(&destroy),
                "{}",
                refused.err
            );
            live = match turn % 2 {
                0 => stage.bench.start(&["resume", &destroy]),
                _ => stage
                    .bench
                    .start(&["destroy", "--cluster", &stage.cluster, "--yes"]),
            };
        }
        live.finish(RUN_LIMIT).ended(0);
        assert_eq!(stage.bench.status(&run).state(), "closed");
        assert_eq!(stage.bench.status(&destroy).state(), "succeeded");
        stage.bench.history(&destroy).assert_well_formed();
        stage.destroy(&run);
    }
    println!("killed {kills} times");
    assert!(kills >= 4, "killed only {kills} times");
}

/// A look may show a machine before its disks. What it is launched with is waited for, and known to the journal by then.
#[test]
fn disks_that_are_shown_after_their_machine_are_known_to_the_journal() {
    let mut stage = Stage::new();
    for action in ["RunInstances", "DescribeInstances"] {
        let bare = What::Rewrite(|answer| {
            let mut parts = answer.split("<blockDeviceMapping>");
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |kept, part| {
                kept + part
                    .split_once("</blockDeviceMapping>")
                    .map_or(part, |(_, rest)| rest)
            })
        });
        stage.cloud.fault(Fault::new(action, Which::All, bare));
    }
    let mut live = stage.start(&["--ebs-vol-size", "8"]);
    let run = live.run();
    let point = Point::item_started("await-nodes");
    Watch::new(stage.bench.journal(), &run, 0).point(&mut live, RUN_LIMIT, point);
    let looks = |stage: &Stage| stage.cloud.calls("DescribeInstances").len();
    let before = looks(&stage);
    until("looks at machines without disks", RUN_LIMIT, || {
        (looks(&stage) > before + 2).then_some(())
    });
    let volumes = |stage: &Stage| {
        let status = stage.bench.status(&run);
        let resources = status.value()["resources"].as_array().unwrap().clone();
        let volumes = resources
            .iter()
            .filter(|resource| resource["resource_kind"] == "volume");
        volumes.count()
    };
    assert_eq!(volumes(&stage), 0);
    stage.cloud.heal();
    // Of each of the two machines, its root disk and the volume.
    until("the disks in the journal", RUN_LIMIT, || {
        (volumes(&stage) == 4).then_some(())
    });
    live.kill();
    stage.assert_as_planned(&run);
    stage.destroy(&run);
}
