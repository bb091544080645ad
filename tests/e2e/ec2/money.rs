//! Nothing is paid for unseen: the account is certain before anything is taken for gone, launches that EC2 does not show yet are
//! waited for, and what no journal knows of is found and ended by its owner tags.

use std::fs;

use mesosflow_tests::{Fault, Held, Live, Point, RUN_LIMIT, Watch, What, Which, until};
use serde_json::Value;

use super::stage::Stage;

/// Waits for a part of what the program says while it works.
#[track_caller]
fn until_said(live: &mut Live, part: &str) {
    until(&format!("{part:?} on standard error"), RUN_LIMIT, || {
        if live.err().contains(part) {
            return Some(());
        }
        assert!(
            live.ended().is_none(),
            "it ended without saying {part:?}:\n{}",
            live.err()
        );
        None
    });
}

/// Starts a run, and kills it when master and slave were launched and nobody has been told; from now on EC2 shows neither machine, nor
/// what is launched later. Both calls are held: a master that was told of, and is not shown, would be launched a second time, sooner or later
/// than the run is killed.
pub(super) fn killed_during_a_launch(stage: &mut Stage, further: &[&str]) -> String {
    let held = ["slave", "master"].map(|role| {
        let of_role = |fault: Fault| fault.only_if("mesosflow:role", role);
        stage.cloud.hold_if("RunInstances", of_role)
    });
    stage.cloud.lag();
    let mut live = stage.start(further);
    let run = live.run();
    held.iter().for_each(|held| held.wait_reached(RUN_LIMIT));
    live.kill();
    held.iter().for_each(Held::release);
    stage.cloud.heal();
    run
}

/// A settle time that no test waits for.
pub(super) fn patient(stage: &Stage) -> String {
    let config = stage
        .bench
        .write("patient.toml", "[ec2]\nsettle_limit_s = 3600\n");
    config.display().to_string()
}

fn settled(stage: &Stage, run: &str) -> Vec<Value> {
    let history = stage.bench.history(run);
    let settled = history
        .events()
        .iter()
        .filter(|event| event["kind"] == "effect_settled");
    settled.cloned().collect()
}

/// The launches in doubt of which the newest destroy of the cluster has seen the end.
fn settled_by_destroy(stage: &mut Stage) -> Vec<Value> {
    let runs = stage.bench.say(&["list", "--json"]).json();
    let is_it = |run: &&Value| run["workflow"] == "destroy" && run["cluster"] == *stage.cluster;
    let destroy = runs.as_array().unwrap().iter().rev().find(is_it).unwrap();
    let history = stage.bench.history(destroy["run"].as_str().unwrap());
    let mut gone = history
        .events()
        .iter()
        .filter(|event| event["kind"] == "step_succeeded" && event["step"] == "see-gone");
    gone.next().unwrap()["output"]["settled"]
        .as_array()
        .unwrap()
        .clone()
}

/// Refused, unanswered, or another one: an account that was recorded and is not certain keeps every command from acting.
#[test]
fn an_account_that_cannot_be_verified_is_a_refusal_everywhere() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let before = stage.bench.history(&run).events().len();
    let sts = |what| Fault::new("GetCallerIdentity", Which::All, what);
    let faults = [
        (
            Fault::refused(
                "GetCallerIdentity",
                Which::All,
                403,
                "InvalidClientTokenId",
                "The token is invalid.",
            ),
            "cannot be verified",
        ),
        (sts(What::DropBefore), "cannot be verified"),
        (
            sts(What::Rewrite(|text| text.replace("123456789012", "999999999999"))),
            "account 999999999999",
        ),
        (
            sts(What::Rewrite(|_| "<html>a gateway</html>".into())),
            "cannot be verified",
        ),
    ];
    for (fault, part) in faults {
        stage.cloud.fault(fault);
        for words in [
            &["destroy", &run, "--yes"][..],
            &["destroy", &run, "--yes", "--take-over"],
            &["resume", &run],
            &["resume", &run, "--take-over", "--yes"],
            &["replay", &run, "--from", "launch-slaves", "--yes"],
        ] {
            let said = stage.bench.say(words).ended(3);
            said.complains(&[part, "123456789012"]);
        }
        stage.cloud.heal();
    }
    assert_eq!(
        stage.bench.history(&run).events().len(),
        before,
        "nothing was begun"
    );
    assert_eq!(stage.machines(&run).len(), 2);
    // Nor does it help to name another STS later: it is the one that the run began with which is asked.
    stage.cloud.fault(Fault::refused(
        "GetCallerIdentity",
        Which::All,
        403,
        "AccessDenied",
        "No.",
    ));
    let mut command = stage.bench.command(&["destroy", &run, "--yes"]);
    command.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    stage
        .bench
        .start_command(command)
        .finish(RUN_LIMIT)
        .ended(3)
        .complains(&[&stage.cloud.endpoint()]);
    stage.cloud.heal();
    // And an EC2 that the environment names later is no other place for the run.
    let mut command = stage.bench.command(&["destroy", &run, "--yes"]);
    for service in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_STS"] {
        command.env(service, "http://127.0.0.1:9");
    }
    stage.bench.start_command(command).finish(RUN_LIMIT).ended(0);
    stage.assert_gone(&run);
}

/// Where EC2 alone is a stand-in's, and nobody can tell the account, a run may begin: that is said.
#[test]
fn an_unknown_account_is_never_silent() {
    let mut stage = Stage::new();
    let words = stage.words(&[]);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let start = |stage: &mut Stage| {
        let mut command = stage.bench.command(&words);
        // AWS' own STS, out of reach.
        command
            .env_remove("AWS_ENDPOINT_URL_STS")
            .env("HTTPS_PROXY", "http://127.0.0.1:9");
        stage.bench.start_command(command)
    };
    let mut live = start(&mut stage);
    until_said(&mut live, "the AWS account is not known");
    assert!(live.err().contains("AWS_ENDPOINT_URL_STS"), "{}", live.err());
    let run = stage.until_machines(live, 0);
    assert!(
        stage.cloud.calls("GetCallerIdentity").is_empty(),
        "STS was asked at EC2's endpoint"
    );
    stage.destroy(&run);

    // An STS that was named has to tell.
    stage.cloud.fault(Fault::refused(
        "GetCallerIdentity",
        Which::All,
        403,
        "InvalidClientTokenId",
        "No.",
    ));
    stage.run(&[]).ended(2).complains(&["GetCallerIdentity"]);
}

/// Killed during RunInstances, and destroyed before EC2 shows the machine: not done until it was found and ended.
#[test]
fn a_destroy_waits_for_what_was_launched_and_is_not_shown_yet() {
    let mut stage = Stage::new();
    let config = patient(&stage);
    let run = killed_during_a_launch(&mut stage, &["--config", &config]);

    let mut live = stage.bench.start(&["destroy", &run, "--yes"]);
    // The slave's, or the master's, if the run died between that call and its answer.
    until_said(&mut live, "was never answered");
    let alive = stage.machines(&run);
    assert!(
        alive
            .iter()
            .any(|machine| machine.tag("mesosflow:role") == "slave"),
        "{alive:?}"
    );
    assert!(live.ended().is_none(), "it calls done what it has not seen");
    stage.cloud.catch_up();
    live.finish(RUN_LIMIT).ended(0);
    stage.assert_gone(&run);
    let settled = settled_by_destroy(&mut stage);
    assert!(
        settled.iter().any(|launch| launch["settled"] == "ended"),
        "{settled:?}"
    );
    // It is certain now, and nothing is waited for another time.
    let calls = stage.cloud.all_calls().len();
    stage
        .bench
        .say(&["destroy", &run])
        .ended(0)
        .tells(&["nothing is left", "asked EC2 in us-east-1"]);
    assert!(stage.cloud.all_calls().len() > calls, "nobody was asked");
}

/// A launch that never reached EC2 is waited for until its time is over, and not longer; one that EC2 refused is not.
#[test]
fn a_launch_that_brought_nothing_ends_with_its_time() {
    let mut stage = Stage::new();
    stage
        .cloud
        .fault(Fault::new("RunInstances", Which::All, What::DropBefore));
    let mut live = stage.start(&[]);
    let run = live.run();
    until("a call that was lost", RUN_LIMIT, || {
        (!stage.cloud.calls("RunInstances").is_empty()).then_some(())
    });
    live.kill();
    stage.destroy(&run);
    let over = settled_by_destroy(&mut stage);
    assert!(
        !over.is_empty() && over.iter().all(|launch| launch["settled"] == "gone"),
        "{over:?}"
    );

    stage.next();
    stage.cloud.heal();
    stage.cloud.fault(Fault::refused(
        "RunInstances",
        Which::All,
        403,
        "UnauthorizedOperation",
        "You may not.",
    ));
    let config = patient(&stage);
    let said = stage.run(&["--config", &config]).ended(130);
    let run = said.run();
    // With an hour to settle: whoever waited would not come to an end.
    stage.destroy(&run);
    assert_eq!(settled_by_destroy(&mut stage), Vec::<Value>::new());
}

/// A replay begins nothing new in a place whose older launch may still bring a machine.
#[test]
fn a_replay_settles_the_launch_that_nobody_saw_answered() {
    let mut stage = Stage::new();
    let config = patient(&stage);
    let run = killed_during_a_launch(&mut stage, &["--config", &config]);
    let launches = |stage: &Stage| {
        let calls = stage.cloud.calls("RunInstances");
        calls
            .iter()
            .filter(|call| call.tag("mesosflow:role") == Some("slave"))
            .count()
    };
    let first = launches(&stage);

    let after = stage.bench.history(&run).events().len() as u64;
    let mut live = stage
        .bench
        .start(&["replay", &run, "--from", "launch-slaves", "--yes"]);
    until_said(&mut live, "was never answered");
    assert_eq!(launches(&stage), first, "launched beside one in doubt");
    stage.cloud.catch_up();
    let point = Point::item_started("await-nodes");
    Watch::new(stage.bench.journal(), &run, after).point(&mut live, RUN_LIMIT, point);
    live.kill();
    let machines = stage.machines(&run);
    let slaves: Vec<_> = machines
        .iter()
        .filter(|machine| machine.tag("mesosflow:role") == "slave")
        .collect();
    assert_eq!(slaves.len(), 1, "{slaves:?}");
    assert_eq!(slaves[0].tag("mesosflow:generation"), "2");
    let settled = settled(&stage, &run);
    assert!(
        settled.iter().any(|event| event["settled"] == "ended"),
        "{settled:?}"
    );
    stage.destroy(&run);
}

fn orphans(stage: &mut Stage, command: &[&str]) -> Vec<String> {
    let endpoint = stage.cloud.endpoint();
    let mut words: Vec<_> = command.iter().map(|word| (*word).to_owned()).collect();
    words.extend(["--provider", "ec2", "--endpoint-url", &endpoint].map(str::to_owned));
    words
}

fn say(stage: &mut Stage, command: &[&str]) -> mesosflow_tests::Said {
    let words = orphans(stage, command);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    stage.bench.say(&words)
}

/// A journal that was restored from an older copy has lost its newest run: that one's machines are its orphans, and no others. The
/// newer copy may drive them still: they end only under the journal's id and their cluster's name.
#[test]
fn what_a_restored_journal_has_lost_is_ended_and_nothing_else() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let kept = stage.until_machines(live, 0);
    let backup = stage.bench.path("backup").display().to_string();
    stage.bench.say(&["journal", "backup", &backup]).ended(0);
    stage.next();
    let live = stage.start(&[]);
    let lost = stage.until_machines(live, 0);
    let folder = stage.bench.journal().parent().unwrap().join("restored");
    fs::create_dir(&folder).unwrap();
    stage.bench.set_journal(folder.join("journal.sqlite"));
    stage.bench.say(&["journal", "restore", &backup]).ended(0);

    let listed = say(&mut stage, &["list", "--orphans", "--json"]).ended(0).json();
    let listed = listed.as_array().unwrap();
    assert!(!listed.is_empty());
    for orphan in listed {
        assert_eq!(
            (&orphan["run"], &orphan["owner"]),
            (&lost.as_str().into(), &"ours".into()),
            "{orphan}"
        );
    }
    let asks = say(&mut stage, &["destroy", "--orphans"]).ended(3);
    let owner = stage.machines(&lost)[0].tag("mesosflow:journal").to_owned();
    let way_out = format!("destroy --owner {owner}");
    asks.complains(&[&lost, "another copy of this journal", &way_out]);
    say(&mut stage, &["destroy", "--orphans", "--yes"])
        .ended(2)
        .complains(&["--orphans with --yes needs --cluster"]);
    let cluster = stage.cluster.clone();
    say(
        &mut stage,
        &["destroy", "--orphans", "--cluster", &cluster, "--yes"],
    )
    .ended(3)
    .complains(&["another copy of this journal", &way_out]);
    assert_eq!(stage.machines(&lost).len(), 2);
    let ended = say(
        &mut stage,
        &[
            "destroy",
            "--owner",
            &owner,
            "--cluster",
            &cluster,
            "--yes",
            "--json",
        ],
    )
    .ended(0)
    .json();
    assert!(ended["deleted"].as_array().unwrap().len() >= 5, "{ended}");
    assert_eq!(ended["left"], serde_json::json!([]));
    assert_eq!(stage.cloud.world().left(&lost), Vec::<String>::new());
    assert_eq!(
        stage.machines(&kept).len(),
        2,
        "a run of the journal is no orphan"
    );
    let none = say(&mut stage, &["destroy", "--orphans"]).ended(0);
    none.tells(&["no orphans of this journal", "asked EC2"]);
    stage.bench.say(&["destroy", &kept, "--yes"]).ended(0);
    assert_eq!(stage.cloud.world().left(&kept), Vec::<String>::new());
}

/// A cluster that is begun while the providers are asked is in the journal before it is in their answers.
#[test]
fn what_is_begun_during_the_look_for_orphans_is_none() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let first = stage.until_machines(live, 0);
    let cluster = stage.cluster.clone();
    let words = orphans(
        &mut stage,
        &["destroy", "--orphans", "--cluster", &cluster, "--yes"],
    );
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let held = stage.cloud.hold("DescribeSpotInstanceRequests");
    let looking = stage.bench.start(&words);
    held.wait_reached(RUN_LIMIT);
    stage.next();
    let live = stage.start(&[]);
    let begun = stage.until_machines(live, 0);
    held.release();
    let said = looking.finish(RUN_LIMIT).ended(0);
    said.tells(&["no orphans of this journal"]);
    assert_eq!(stage.machines(&begun).len(), 2);
    for run in [&first, &begun] {
        stage.bench.say(&["destroy", run, "--yes"]).ended(0);
        assert_eq!(stage.cloud.world().left(run), Vec::<String>::new());
    }
}

/// A journal that is lost for good: its machines are another journal's, and end only under their cluster's name.
#[test]
fn what_is_of_a_lost_journal_ends_under_the_name_of_its_cluster() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let machine = &stage.machines(&run)[0];
    let owner = machine.tag("mesosflow:journal").to_owned();
    assert!(
        !owner.is_empty() && machine.tag("mesosflow:by").len() == 16,
        "{machine:?}"
    );
    let cluster = stage.cluster.clone();
    let journal = stage.bench.journal().to_owned();

    // As long as it is there, its runs are ended by themselves.
    let known = say(
        &mut stage,
        &["destroy", "--owner", &owner, "--cluster", &cluster, "--yes"],
    )
    .ended(0);
    known.tells(&["no orphans"]);
    assert_eq!(stage.machines(&run).len(), 2);

    stage.bench.set_journal(journal.with_file_name("another.sqlite"));
    say(&mut stage, &["destroy", "--orphans", "--yes"])
        .ended(2)
        .complains(&["there is no journal", "--owner"]);
    let listed = say(&mut stage, &["list", "--orphans", "--json"]).ended(0).json();
    for orphan in listed.as_array().unwrap() {
        assert_eq!(
            (&orphan["owner"], &orphan["made_by"]["journal"]),
            (&"others".into(), &owner.as_str().into())
        );
    }
    say(&mut stage, &["list", "--orphans"]).ended(0).tells(&[&owner]);
    say(&mut stage, &["destroy", "--owner", &owner, "--yes"])
        .ended(2)
        .complains(&["--cluster"]);
    let asks = say(&mut stage, &["destroy", "--owner", &owner]).ended(3);
    asks.complains(&[
        &cluster,
        "made by this user on this host",
        "master-1",
        "slave-1",
        "--yes",
    ]);
    say(
        &mut stage,
        &["destroy", "--owner", &owner, "--cluster", "other", "--yes"],
    )
    .ended(2)
    .complains(&[&cluster]);
    assert_eq!(stage.machines(&run).len(), 2);
    let ended = say(
        &mut stage,
        &["destroy", "--owner", &owner, "--cluster", &cluster, "--yes"],
    )
    .ended(0);
    ended.tells(&["orphans deleted"]);
    assert_eq!(stage.cloud.world().left(&run), Vec::<String>::new());
    stage.bench.set_journal(journal);
    stage.destroy(&run);
}
