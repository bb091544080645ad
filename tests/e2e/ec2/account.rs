//! What is in the account already: other people's machines and groups are respected, one's own are known, and nobody is
//! left behind.

use mesosflow_tests::{AMI_FULL, Bench};

use super::stage::{ADMINS, Stage};

/// Without credentials, without a region, and with a list of administrators that is missing: refused before anything is
/// made, the journal included.
#[test]
fn nothing_is_begun_that_could_not_go_on() {
    let mut stage = Stage::new();
    let words = stage.words(&[]);
    let without = |stage: &Stage, variable: &str, words: &[&str]| {
        let mut command = stage.bench.command(words);
        command.env_remove(variable);
        command.output().unwrap()
    };
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let output = without(&stage, "AWS_SECRET_ACCESS_KEY", &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no AWS credentials") && said.contains("aws sso login"),
        "{said}"
    );

    let elsewhere = [
        "run",
        "--provider",
        "ec2",
        "--admin-cidr",
        ADMINS,
        "--ami",
        AMI_FULL,
    ];
    let output = without(&stage, "AWS_REGION", &elsewhere);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no AWS region is named") && said.contains("--region"),
        "{said}"
    );

    for (flags, part) in [
        (&["run", "--provider", "ec2"][..], "--admin-cidr 203.0.113.7/32"),
        (
            &[
                "run",
                "--provider",
                "ec2",
                "--admin-cidr",
                ADMINS,
                "--spot-price",
                "cheap",
            ],
            "ec2.spot_price",
        ),
        (
            &[
                "run",
                "--provider",
                "ec2",
                "--admin-cidr",
                ADMINS,
                "--ami",
                "newest",
            ],
            "ec2.ami",
        ),
        (
            &["run", "--provider", "ec2", "--admin-cidr", "everywhere"],
            "everywhere",
        ),
    ] {
        let said = stage.bench.say(flags).ended(2);
        assert!(said.err.contains(part), "{}", said.err);
    }
    assert!(!stage.bench.journal().exists(), "a journal was made");
    assert!(stage.cloud.calls("RunInstances").is_empty());
    assert!(stage.cloud.calls("CreateSecurityGroup").is_empty());
}

/// The plan needs no account; the run shows the same sum before it begins.
#[test]
fn what_will_be_paid_for_is_shown_before_it_is_made() {
    let mut stage = Stage::new();
    stage.masters = 3;
    stage.slaves = 2;
    let mut words = stage.words(&["--ebs-vol-size", "100", "--spot-price", "0.07", "--json"]);
    words[0] = "plan".into();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let plan = stage.bench.say(&words).ended(0).json();
    assert!(stage.cloud.all_calls().is_empty(), "the plan asked the account");
    let creates = plan["creates"].as_array().unwrap();
    let count = |kind: &str| creates.iter().filter(|made| made["kind"] == kind).count();
    assert_eq!(
        (count("security-group"), count("instance"), count("volume")),
        (3, 8, 5)
    );
    let spot = creates.iter().filter(|made| {
        made["detail"]
            .as_str()
            .unwrap()
            .contains("spot, at most 0.07 USD")
    });
    assert_eq!(spot.count(), 2);

    let live = stage.start(&["--ebs-vol-size", "100", "--spot-price", "0.07"]);
    let run = stage.until_machines(live, 0);
    stage.assert_as_planned(&run);
    let shown = stage.bench.status(&run);
    let made = shown.value()["resources"].as_array().unwrap().len();
    // Beside the plan's: a root disk for each machine.
    assert_eq!(made, 3 + 8 + 5 + 8);
    stage.destroy(&run);
}

/// Somebody else's group of that name, with a rule of theirs: used, completed, and left as it was.
#[test]
fn a_group_of_somebody_elses_is_completed_and_given_back() {
    let mut stage = Stage::new();
    let name = format!("{}-master", stage.cluster);
    let id = stage.cloud.world().add_group(&name, None);
    stage.cloud.world().add_rule(&id, 8080, "198.51.100.0/24");
    let before = stage.cloud.world().groups(&name);

    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let groups = stage.cloud.world().groups(&name);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].id, id, "another group of the same name");
    let theirs = groups[0].rules.iter().filter(|rule| rule.what == "tcp 8080-8080");
    assert_eq!(theirs.count(), 1, "their rule");
    assert!(
        groups[0]
            .rules
            .iter()
            .any(|rule| rule.what == "tcp 22-22" && rule.from == ADMINS)
    );
    let step = &stage.bench.history(&run);
    let made = step
        .of("step_succeeded", 1)
        .find(|event| event["step"] == "security-groups")
        .unwrap();
    assert!(
        made["output"]["foreign"][0]
            .as_str()
            .unwrap()
            .contains("tcp 8080 from 198.51.100.0/24"),
        "{made}"
    );

    stage.bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert_eq!(stage.cloud.world().left(&run), Vec::<String>::new());
    assert_eq!(stage.cloud.world().groups(&name), before, "it is not as it was");
}

/// Their machines live in it: refused by the sanity check, nothing of theirs is touched; when they have gone, it goes on.
#[test]
fn where_somebody_else_lives_nothing_is_built() {
    let mut stage = Stage::new();
    let name = format!("{}-slaves", stage.cluster);
    let id = stage.cloud.world().add_group(&name, None);
    let client = stage.cloud.world().client();
    let call = client
        .run_instances()
        .image_id(AMI_FULL)
        .min_count(1)
        .max_count(1)
        .security_group_ids(&id);
    let theirs = stage.cloud.world().wait(call.send()).instances()[0]
        .instance_id()
        .unwrap()
        .to_owned();
    let before = stage.cloud.world().groups(&name);

    let said = stage.run(&[]).ended(1);
    let run = said.run();
    said.complains(&["sanity-check", &theirs, "not this run's", "another --cluster"]);
    assert_eq!(stage.bench.status(&run).step("sanity-check")["state"], "failed");
    assert_eq!(
        stage.cloud.world().groups(&name),
        before,
        "their group was touched"
    );
    assert!(stage.cloud.calls("RunInstances").is_empty());

    stage.cloud.world().terminate(&theirs);
    stage.resume_until_machines(&run);
    let groups = stage.cloud.world().groups(&name);
    assert!(
        groups[0].rules.iter().any(|rule| rule.what == "tcp 22-22"),
        "completed when they had gone"
    );
    stage.bench.say(&["destroy", &run, "--yes"]).ended(0);
    assert_eq!(stage.cloud.world().left(&run), Vec::<String>::new());
    assert_eq!(stage.cloud.world().groups(&name), before);
}

/// A journal that was lost: its machines are shown as orphans, with what is needed to end them.
#[test]
fn what_belongs_to_no_journal_is_shown() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let endpoint = stage.cloud.endpoint();
    let words = [
        "list",
        "--orphans",
        "--json",
        "--provider",
        "ec2",
        "--endpoint-url",
        &endpoint,
    ];
    let known = stage.bench.say(&words).ended(0).json();
    assert_eq!(
        known,
        serde_json::json!([]),
        "what the journal knows is no orphan"
    );

    let journal = stage.bench.journal().to_owned();
    stage.bench.set_journal(journal.with_file_name("another.sqlite"));
    let orphans = stage.bench.say(&words).ended(0).json();
    let orphans = orphans.as_array().unwrap();
    let count = |kind: &str| orphans.iter().filter(|orphan| orphan["kind"] == kind).count();
    assert_eq!(
        (count("instance"), count("volume"), count("security-group")),
        (2, 2, 3)
    );
    for orphan in orphans {
        assert_eq!(orphan["run"], run);
        assert_eq!(orphan["cluster"], stage.cluster);
        assert_eq!(orphan["place"], "us-east-1");
    }
    let shown = stage.bench.say(&words[..2]).ended(0);
    assert!(
        shown.err.is_empty() || !shown.err.contains("panicked"),
        "{}",
        shown.err
    );
    stage.bench.set_journal(journal);
    stage.destroy(&run);
}

/// Credentials of another account see nothing of the run, which must not look as if it were gone.
#[test]
fn another_account_cannot_destroy_what_it_cannot_see() {
    let mut stage = Stage::new();
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let other = mesosflow_tests::What::Rewrite(|text| text.replace("123456789012", "999999999999"));
    stage.cloud.fault(mesosflow_tests::Fault::new(
        "GetCallerIdentity",
        mesosflow_tests::Which::All,
        other,
    ));
    let said = stage.bench.say(&["destroy", &run, "--yes"]);
    assert_ne!(said.code, 0);
    said.complains(&["999999999999", "123456789012"]);
    assert_eq!(stage.machines(&run).len(), 2);
    stage.cloud.heal();
    stage.destroy(&run);
    // Each command has asked once: the run, the destroy that was refused, and the one that was not.
    assert_eq!(stage.cloud.calls("GetCallerIdentity").len(), 3);
}

/// The bench of a scenario has no account, and no `ec2` of its own.
#[test]
fn an_account_is_only_there_where_it_was_given() {
    let mut bench = Bench::new();
    let said = bench.say(&[
        "run",
        "--provider",
        "ec2",
        "--region",
        "us-east-1",
        "--admin-cidr",
        ADMINS,
        "--ami",
        AMI_FULL,
    ]);
    said.ended(2).complains(&["no AWS credentials"]);
}
