//! What machines are told of their cluster by their tags: all of them by few calls, each once, and what they cannot be told is said.

use std::process::Command;
use std::sync::Arc;

use mesosflow_steps::cluster::{ClusterSpec, Instance as Machine, ProviderKind, Role};
use mesosflow_steps::provider::{FACTS, Facts, Provider, ProviderError, open_provider};
use mesosflow_tests::{Fault, Instance, What, Which};
use serde_json::{Value, json};

use super::stage::Stage;

const NAME: &str = "ec2::told::machines_are_told_by_few_calls_and_once";
/// What the process is to tell whom, which has the surroundings of a user of that account.
const TELL: &str = "MESOSFLOW_TEST_TELL";

#[test]
fn machines_are_told_by_few_calls_and_once() {
    if let Ok(what) = std::env::var(TELL) {
        return tell(&what);
    }
    let mut stage = Stage::new();
    stage.slaves = 3;
    let live = stage.start(&[]);
    let run = stage.until_machines(live, 0);
    let machines = stage.machines(&run);
    // As machines were launched before they saw their tags.
    let old = &machines[1];
    stage.cloud.world().show_tags(&old.id, false);

    let first = json!({"epoch": "3", "masters": "1", "zookeepers": "10.0.0.1:2181,10.0.0.2:2181"});
    let [tags, changes] = calls(&stage);
    let told = tell_all(&stage, &machines, &first);
    assert_eq!(
        told,
        json!([
            [false, null, true],
            [false, null, true],
            [false, null, true],
            [false, null, true]
        ])
    );
    let [tags_now, changes_now] = calls(&stage);
    assert!((1..=2).contains(&(tags_now - tags)), "{} calls", tags_now - tags);
    assert_eq!(changes_now - changes, 1, "one machine did not see its tags");
    for machine in stage.machines(&run) {
        assert_eq!(machine.tag("mesosflow:epoch"), "3");
        assert_eq!(machine.tag("mesosflow:zookeepers"), "10.0.0.1:2181,10.0.0.2:2181");
        assert_eq!(machine.tags.get("mesosflow:master"), None, "{machine:?}");
    }
    let options = options(&stage, &old.id);
    assert_eq!(
        (options["tags"].as_str(), options["tokens"].as_str()),
        (Some("enabled"), Some("required"))
    );

    // Whoever is told the same again is left alone.
    let before = calls(&stage);
    let told = tell_all(&stage, &machines, &first);
    assert_eq!(told[0], json!([true, null, true]));
    assert_eq!(calls(&stage), before);

    // What holds no more is not left standing, and goes with what holds now.
    let second = json!({"epoch": "4", "masters": "1", "zookeepers": "", "master": "10.0.0.9:5050"});
    stage.cloud.fault(Fault::throttled("CreateTags", Which::First(2)));
    let told = tell_all(&stage, &machines, &second);
    assert_eq!(told[3], json!([false, null, true]), "{told}");
    stage.cloud.heal();
    for call in stage.cloud.calls("CreateTags").iter().rev().take(1) {
        assert_eq!(call.tag("mesosflow:zookeepers"), Some(""));
        assert_eq!(call.tag("mesosflow:master"), Some("10.0.0.9:5050"));
    }
    let now = stage.machines(&run);
    assert!(
        now.iter()
            .all(|machine| machine.tag("mesosflow:zookeepers").is_empty()),
        "{now:?}"
    );

    // A lost answer may have had its effect, as it had here: the probe finds out.
    stage
        .cloud
        .fault(Fault::new("CreateTags", Which::All, What::DropAfter));
    let third = json!({"epoch": "5", "masters": "1", "zookeepers": "", "master": "10.0.0.9:5050"});
    let told = tell_all(&stage, &machines[..1], &third);
    assert!(told[0][1].as_str().unwrap().contains("Ambiguous"), "{told}");
    assert_eq!(told[0][2], true);
    stage.cloud.heal();

    // What has no way into the metadata is named before anything is called.
    stage.cloud.world().show_tags(&old.id, false);
    stage.cloud.world().tag(&old.id, "cost center", "7");
    let before = calls(&stage);
    let told = tell_all(&stage, std::slice::from_ref(old), &first);
    let said = told[0][1].as_str().unwrap();
    assert!(
        said.contains("\"cost center\"") && said.contains("Operator"),
        "{said}"
    );
    assert_eq!(calls(&stage), before);
    stage.destroy(&run);
}

/// How many calls there were that tag, and that change the options of metadata.
fn calls(stage: &Stage) -> [usize; 2] {
    ["CreateTags", "ModifyInstanceMetadataOptions"].map(|action| stage.cloud.calls(action).len())
}

fn options(stage: &Stage, id: &str) -> Value {
    let call = stage.cloud.world().client().describe_instances().instance_ids(id);
    let found = stage.cloud.world().wait(call.send());
    let options = found.reservations()[0].instances()[0].metadata_options().unwrap();
    json!({
        "tags": options.instance_metadata_tags().map(|word| word.as_str()),
        "tokens": options.http_tokens().map(|word| word.as_str()),
    })
}

/// Tells machines by the program's own provider; of each, whether it was told before, why it was not, and whether it is now.
fn tell_all(stage: &Stage, machines: &[Instance], facts: &Value) -> Value {
    let machines: Vec<_> = machines
        .iter()
        .map(|machine| json!([machine.id, machine.tag("Name")]))
        .collect();
    let what = json!({"endpoint": stage.cloud.endpoint(), "machines": machines, "facts": facts});
    let mut command = Command::new(std::env::current_exe().unwrap());
    stage.bench.surround(&mut command);
    let output = command
        .args(["--exact", NAME, "--nocapture"])
        .env(TELL, what.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().find_map(|line| line.strip_prefix("told: "));
    let said = said.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(said).unwrap()
}

/// The process itself.
fn tell(what: &str) {
    let what: Value = serde_json::from_str(what).unwrap();
    let mut spec = ClusterSpec {
        provider: ProviderKind::Ec2,
        ..ClusterSpec::default()
    };
    spec.ec2.endpoint_url = what["endpoint"].as_str().map(str::to_owned);
    let facts: Facts = FACTS
        .iter()
        .filter_map(|name| Some((*name, what["facts"][*name].as_str()?.to_owned())))
        .collect();
    let machine = |named: &Value| Machine {
        id: named[0].as_str().unwrap().into(),
        name: named[1].as_str().unwrap().into(),
        role: Role::Slave,
        index: 1,
        private_ip: [10, 0, 0, 4].into(),
        public_ip: None,
        volume: None,
    };
    let machines: Vec<_> = what["machines"].as_array().unwrap().iter().map(machine).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let said: Vec<Value> = runtime.block_on(async {
        let provider: Arc<dyn Provider> = open_provider(&spec, None).await.unwrap().into();
        let begun: Vec<_> = machines
            .into_iter()
            .map(|machine| {
                let (provider, facts) = (provider.clone(), facts.clone());
                tokio::spawn(async move {
                    let before = provider.told(&machine, &facts).await.unwrap();
                    let words = |error: ProviderError| format!("{:?} {error}: {}", error.class, error.source);
                    let error = provider.tell(&machine, &facts).await.err().map(words);
                    json!([before, error, provider.told(&machine, &facts).await.unwrap()])
                })
            })
            .collect();
        let mut said = Vec::new();
        for one in begun {
            said.push(one.await.unwrap());
        }
        said
    });
    println!("told: {}", Value::from(said));
}
