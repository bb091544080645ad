//! What the flow promises to the catalogue and to the plan, on every provider.

use mesosflow_workflow::{Event, Outcome, Replay, StepId};
use serde_json::Value;

use super::rehearsal::{HOST_KEY, Rehearsal};
use crate::catalogue;
use crate::cluster::{ClusterSpec, HostSpec, ProviderKind, Role};
use crate::plan::plan;
use crate::provision::AwaitNode;

fn spec(provider: ProviderKind, masters: u16) -> ClusterSpec {
    let mut spec = ClusterSpec {
        provider,
        masters,
        ..ClusterSpec::default()
    };
    if provider == ProviderKind::Hosts {
        let roles = [
            (Role::Slave, spec.slaves),
            (Role::Master, masters),
            (Role::Zookeeper, spec.zookeepers()),
        ];
        let host = |role, index: u16| HostSpec {
            name: None,
            role,
            address: format!("127.1.{}.{index}", role as u8).parse().unwrap(),
            private_address: None,
            user: "root".into(),
            port: 1,
            host_key: HOST_KEY.parse().unwrap(),
        };
        let hosts = roles
            .into_iter()
            .flat_map(|(role, count)| (1..=count).map(move |index| host(role, index)));
        spec.hosts.nodes = hosts.collect();
    }
    spec
}

/// Every provider's deploys: of one master and of three.
fn specs() -> impl Iterator<Item = ClusterSpec> {
    let providers = [ProviderKind::Local, ProviderKind::Ec2, ProviderKind::Hosts];
    providers
        .into_iter()
        .flat_map(|provider| [1, 3].map(|masters| spec(provider, masters)))
}

/// The step that is begun or skipped, if the event is that.
fn begun(event: &Event) -> Option<&StepId> {
    match event {
        Event::StepStarted { step, .. } | Event::StepSkipped { step, .. } => Some(step),
        _ => None,
    }
}

/// A replay of one step ends where the flow comes to a later one: it has to come to that step before.
#[tokio::test]
async fn the_flow_comes_to_no_step_before_those_that_the_catalogue_has_before_it() {
    for spec in specs() {
        let at = format!("{} masters on {}", spec.masters, spec.provider);
        let (rehearsal, outcome) = Rehearsal::of(spec).await;
        assert!(matches!(outcome, Outcome::Succeeded), "{at}: {outcome:?}");
        for entry in catalogue() {
            let replay = Replay {
                from: entry.id.clone(),
                to: None,
                only: true,
            };
            let (_, events) = rehearsal.drive(Some(replay)).await;
            let first = events.iter().find_map(begun);
            assert_eq!(first, Some(&entry.id), "{at}: {events:?}");
        }
    }
}

#[tokio::test]
async fn what_the_plan_skips_is_skipped_and_nothing_else() {
    for spec in specs() {
        let planned = plan(&spec).steps.into_iter();
        let mut planned: Vec<_> = planned.filter_map(|step| Some((step.id, step.reason?))).collect();
        let (rehearsal, _) = Rehearsal::of(spec).await;
        let skipped = rehearsal.events().iter().filter_map(|event| match event {
            Event::StepSkipped { step, reason } => Some((step.to_string(), reason.clone())),
            _ => None,
        });
        let mut skipped: Vec<_> = skipped.collect();
        planned.sort();
        skipped.sort();
        assert_eq!(skipped, planned);
    }
}

#[tokio::test]
async fn without_a_master_it_fails_and_nobody_is_said_to_have_stopped_it() {
    for provider in [ProviderKind::Local, ProviderKind::Hosts] {
        let (_, outcome) = Rehearsal::of(spec(provider, 0)).await;
        match outcome {
            Outcome::Failed { step, error } => {
                assert_eq!(step, AwaitNode::ID);
                assert_eq!(error.message, "none of the nodes is a master");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Everything in it that is a node with all that is known of one.
fn whole_nodes(input: &Value) -> usize {
    let within = match input {
        Value::Object(fields) => fields.values().map(whole_nodes).sum(),
        Value::Array(values) => values.iter().map(whole_nodes).sum(),
        _ => 0,
    };
    within + usize::from(input.get("host_key").is_some() && input.get("user").is_some())
}

/// Otherwise a field more in `Node` would be another input of every step of every run in flight.
#[tokio::test]
async fn no_input_has_more_of_a_node_than_what_makes_it_another_one() {
    for spec in specs() {
        let (rehearsal, _) = Rehearsal::of(spec).await;
        let mut named = 0;
        for event in rehearsal.events() {
            if let Event::StepStarted { step, input, .. } = event {
                assert_eq!(whole_nodes(input), 0, "{step}: {input}");
                named += usize::from(input.get("hub").is_some_and(|hub| hub["private_ip"].is_string()));
            }
        }
        assert!(named > 5, "the inputs name no hub");
    }
}
