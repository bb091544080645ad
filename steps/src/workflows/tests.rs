//! What holds of every workflow of the list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ALL, Deploy, Destroy, ReplaceNode, Start, Workflow, by_name, names};

const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK";

#[test]
fn a_workflow_is_found_by_its_name_alone() {
    let names: BTreeSet<_> = names().collect();
    assert_eq!(names.len(), ALL.len());
    for name in names {
        assert_eq!(by_name(name).map(Workflow::name), Some(name));
    }
    assert!(by_name("").is_none() && by_name("Deploy").is_none());
}

#[test]
fn a_catalogue_has_every_step_once() {
    for provider in ["local", "ec2", "hosts"] {
        let cluster = serde_json::json!({"provider": provider});
        let thing = serde_json::json!({"resource_kind": "instance", "id": "i-1", "name": "demo-slave-1"});
        let adding = serde_json::json!({
            "cluster": cluster, "adding": [3], "nodes": [],
            "image": {"id": "i", "name": "i", "architecture": "x86_64", "login_user": "root"},
            "groups": {"by_role": {}, "rules": ""},
            "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
        });
        let removal = serde_json::json!({
            "cluster": cluster, "nodes": [], "leaving": [], "resources": [thing], "image": null, "groups": null,
            "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
            "drain_timeout_s": 60, "lower_replication": false,
        });
        let node = |role: &str| {
            serde_json::json!({
                "id": "i-2", "name": format!("demo-{role}-2"), "role": role, "index": 2, "private_ip": "10.0.0.2", "user": "root",
                "port": 22, "host_key": HOST_KEY,
            })
        };
        let replacing = |role| {
            serde_json::json!({
                "cluster": cluster, "node": node(role), "answers": true, "gives": ["persistent"], "nodes": [],
                "resources": [thing],
                "image": {"id": "i", "name": "i", "architecture": "x86_64", "login_user": "root"},
                "groups": {"by_role": {}, "rules": ""},
                "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
                "drain_timeout_s": 60,
            })
        };
        for role in ["master", "zookeeper"] {
            once_each(&ReplaceNode, &replacing(role), provider);
        }
        let redeploy = serde_json::json!({
            "cluster": cluster, "before": {"version": "mesos 1", "digest": "0"}, "nodes": [], "image": null, "groups": null,
            "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
            "batch": 1, "anew": ["demo-slave-1"], "drain_timeout_s": 60,
        });
        let configure = serde_json::json!({
            "cluster": cluster, "before": cluster, "nodes": [], "image": null, "groups": null,
            "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
            "batch": 1, "anew": ["demo-slave-1"], "drain_timeout_s": 60,
        });
        let specs = [
            cluster.clone(),
            serde_json::json!({"cluster": cluster, "nodes": [], "machines": [], "ending": [thing]}),
            serde_json::json!({
                "cluster": cluster, "machines": [], "lacking": [{"role": "slave", "index": 1}], "lost": [thing],
                "image": null, "groups": null, "has_persistent": true,
            }),
            adding.clone(),
            adding,
            removal.clone(),
            replacing("slave"),
            redeploy,
            configure,
            serde_json::json!({
                "cluster": cluster, "run": mesosflow_workflow::RunId::generate(), "undoes": "add-slaves",
                "by": {"removing": {"added": ["demo-slave-3"], "effects": [], "removal": removal}},
            }),
            serde_json::json!({"cluster": cluster, "resources": [], "effects": []}),
        ];
        assert_eq!(specs.len(), ALL.len());
        for (workflow, spec) in ALL.into_iter().zip(specs) {
            once_each(workflow, &spec, provider);
        }
    }
}

fn once_each(workflow: &dyn Workflow, spec: &Value, provider: &str) {
    let catalogue = workflow.catalogue(spec).unwrap();
    let once: BTreeSet<_> = catalogue.iter().map(|entry| &entry.id).collect();
    assert_eq!(once.len(), catalogue.len(), "{} on {provider}", workflow.name());
    assert_eq!(workflow.cluster(spec).unwrap().provider.as_str(), provider);
}

/// Of two masters one alone is no quorum: the new one gets the registry before it starts, and nobody waits for another to lead meanwhile.
#[test]
fn a_master_that_leaves_no_quorum_behind_gets_the_registry_of_the_other() {
    let steps = |masters: u16| {
        let spec = serde_json::json!({
            "cluster": {"provider": "local", "masters": masters}, "answers": false, "nodes": [], "resources": [],
            "node": {
                "id": "i-2", "name": "demo-master-2", "role": "master", "index": 2, "private_ip": "10.0.0.2", "user": "root",
                "port": 22, "host_key": HOST_KEY,
            },
            "image": {"id": "i", "name": "i", "architecture": "x86_64", "login_user": "root"},
            "groups": {"by_role": {}, "rules": ""},
            "file_systems": {"ephemeral": {"cluster_id": "CID-1"}, "persistent": {"cluster_id": "CID-2"}},
            "drain_timeout_s": 60,
        });
        let catalogue = ReplaceNode.catalogue(&spec).unwrap().into_iter();
        catalogue.map(|entry| entry.id.to_string()).collect::<Vec<_>>()
    };
    let has = |steps: &[String], step: &str| steps.iter().position(|id| id == step);
    let two = steps(2);
    assert_eq!(has(&two, "spare-master"), None);
    assert!(has(&two, "mesos-stop") < has(&two, "seed-registry"));
    assert_eq!(
        has(&two, "seed-registry").unwrap() + 1,
        has(&two, "mesos-start").unwrap()
    );
    for masters in [3, 4, 5] {
        let more = steps(masters);
        assert!(has(&more, "spare-master").is_some(), "{masters}: {more:?}");
        assert_eq!(has(&more, "seed-registry"), None);
    }
}

/// What a start does is what the deploy does, less what makes the machines that are there.
#[test]
fn a_start_launches_only_what_is_lacking() {
    let catalogue = |lacking: serde_json::Value| {
        let spec = serde_json::json!({
            "cluster": {"provider": "local"}, "machines": [], "lacking": lacking,
            "image": null, "groups": null, "has_persistent": false,
        });
        let catalogue = Start.catalogue(&spec).unwrap().into_iter();
        catalogue.map(|entry| entry.id.to_string()).collect::<Vec<_>>()
    };
    let none = catalogue(serde_json::json!([]));
    assert!(none.iter().all(|id| !id.starts_with("launch-")), "{none:?}");
    assert_eq!(none[..2], ["start-machines", "await-nodes"]);
    let slave = catalogue(serde_json::json!([{"role": "slave", "index": 2}]));
    assert_eq!(slave[..3], ["start-machines", "launch-slaves", "await-nodes"]);
    let deploy = Deploy.catalogue(&serde_json::Value::Null).unwrap();
    let kept = deploy
        .iter()
        .map(|entry| entry.id.to_string())
        .skip_while(|id| id != "await-nodes");
    assert_eq!(none[1..], kept.collect::<Vec<_>>());
}

/// A kind of things that a provider cannot have is no step there.
#[test]
fn a_destroy_deletes_what_its_provider_makes() {
    for (provider, wanted) in [
        ("local", &["delete-machines", "delete-networks"][..]),
        (
            "ec2",
            &[
                "cancel-spot-requests",
                "delete-machines",
                "delete-volumes",
                "delete-rules",
                "delete-groups",
            ],
        ),
        ("hosts", &["release-hosts"]),
    ] {
        let spec = serde_json::json!({"cluster": {"provider": provider}, "resources": [], "effects": []});
        let catalogue = Destroy.catalogue(&spec).unwrap();
        let ids: Vec<_> = catalogue.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids[1..ids.len() - 1], *wanted, "{provider}");
    }
}
