//! `doctor` on EC2: each permission is asked for and nothing is made; what is lacking is named, and only that.

use mesosflow_tests::{Fault, Said, Which};
use serde_json::Value;

use super::stage::Stage;

fn doctor(stage: &mut Stage, further: &[&str]) -> (Said, Value) {
    let words = stage.words(further);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let said = stage.bench.say(&[&["doctor", "--json"], &words[1..]].concat());
    let report = said.json();
    (said, report)
}

fn of<'r>(report: &'r Value, what: &str) -> &'r Value {
    let all = report["findings"].as_array().unwrap();
    let found = all
        .iter()
        .find(|finding| finding["what"].as_str().unwrap().starts_with(what));
    found.unwrap_or_else(|| panic!("nothing of {what}: {report:#}"))
}

/// Nothing but looks, and calls that only ask whether they would be done.
fn assert_asked_only(stage: &Stage, from: usize) {
    for call in stage.cloud.all_calls().into_iter().skip(from) {
        let is_look = call.action.starts_with("Describe") || call.action == "GetCallerIdentity";
        assert!(is_look || call.value("DryRun") == Some("true"), "{call:?}");
    }
}

#[test]
fn each_permission_is_asked_for_and_nothing_is_made() {
    let mut stage = Stage::new();
    let (said, report) = doctor(&mut stage, &[]);
    said.ended(0);
    assert_eq!(
        (&report["healthy"], &report["provider"]),
        (&true.into(), &"ec2".into())
    );
    let credentials = of(&report, "AWS credentials")["detail"].as_str().unwrap();
    assert!(credentials.contains("environment"), "{credentials}");
    for (what, part) in [
        ("AWS account", "123456789012"),
        ("network", "subnet-"),
        ("image", "ami-"),
        ("ec2:RunInstances", "allowed"),
        ("ec2:CreateSecurityGroup", "allowed"),
        ("ec2:DescribeVolumes", "allowed"),
        ("ec2:TerminateInstances", "not known"),
    ] {
        let finding = of(&report, what);
        assert_eq!(finding["ok"], true, "{finding:#}");
        assert!(finding["detail"].as_str().unwrap().contains(part), "{finding:#}");
    }
    assert!(stage.cloud.world().all_instances().is_empty());
    assert!(stage.cloud.world().groups("mesosflow").is_empty());
    assert_asked_only(&stage, 0);

    // What may not be done is named, and what is not there; the rest is looked at all the same.
    for action in ["RunInstances", "DescribeVolumes"] {
        stage.cloud.fault(Fault::refused(
            action,
            Which::All,
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ));
    }
    let (said, report) = doctor(&mut stage, &["--subnet", "subnet-0123456789abcdef0"]);
    said.ended(1);
    assert_eq!(of(&report, "network")["ok"], false, "{report:#}");
    let volumes = of(&report, "ec2:DescribeVolumes");
    assert_eq!(volumes["ok"], false);
    assert!(
        volumes["hint"].as_str().unwrap().contains("docs/iam-policy.json"),
        "{volumes:#}"
    );
    assert_eq!(of(&report, "image")["ok"], true, "{report:#}");
    let (said, report) = doctor(&mut stage, &[]);
    said.ended(1);
    let launch = of(&report, "ec2:RunInstances");
    assert!(
        launch["detail"]
            .as_str()
            .unwrap()
            .contains("permission is missing"),
        "{launch:#}"
    );
    assert_eq!(of(&report, "ec2:CreateSecurityGroup")["ok"], true);
    stage.cloud.heal();

    // What is only allowed on mesosflow's own things is asked about one of them, and done to none.
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let (machines, from) = (stage.machines(&run), stage.cloud.all_calls().len());
    let (said, report) = doctor(&mut stage, &[]);
    said.ended(0);
    for action in [
        "AuthorizeSecurityGroupIngress",
        "CreateTags",
        "ModifyInstanceMetadataOptions",
        "StopInstances",
        "StartInstances",
        "TerminateInstances",
    ] {
        let finding = of(&report, &format!("ec2:{action}"));
        assert_eq!(finding["detail"], "allowed", "{finding:#}");
    }
    assert_asked_only(&stage, from);
    assert_eq!(stage.machines(&run).len(), machines.len());
    stage.destroy(&run);
}
