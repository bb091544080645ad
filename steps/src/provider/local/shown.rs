//! What the engine shows, in the words of the provider.

use std::net::{IpAddr, Ipv4Addr};

use mesosflow_workflow::{ErrorClass, Resource};
use serde_json::Value;

use super::labels::maker;
use super::names::network_name;
use crate::cluster::Instance;
use crate::provider::{Answer, Machine, ProviderError, Slot};

/// Kinds of resources that this provider makes.
pub(super) const INSTANCE: &str = "instance";
pub(super) const NETWORK: &str = "network";

/// The first three bytes of a network's addresses.
pub(super) fn network_prefix(found: &Value) -> Option<[u8; 3]> {
    // podman: subnets[].subnet; docker: IPAM.Config[].Subnet.
    let subnet = found["subnets"][0]["subnet"]
        .as_str()
        .or_else(|| found["IPAM"]["Config"][0]["Subnet"].as_str());
    let network: Ipv4Addr = subnet?.split('/').next()?.parse().ok()?;
    let [a, b, c, _] = network.octets();
    Some([a, b, c])
}

/// The address of a container in the network that it is in.
pub(super) fn private_ip(found: &Value) -> Option<IpAddr> {
    let networks = found["NetworkSettings"]["Networks"].as_object()?;
    let mut addresses = networks
        .values()
        .filter_map(|network| network["IPAddress"].as_str());
    addresses.find_map(|address| address.parse().ok())
}

fn instance(slot: &Slot, name: &str, found: &Value) -> Option<Instance> {
    let running = found["State"]["Running"].as_bool().unwrap_or(false);
    let networks = found["NetworkSettings"]["Networks"].as_object()?;
    let address = networks.get(&network_name(&slot.owner))?["IPAddress"].as_str()?;
    let private_ip: IpAddr = address.parse().ok()?;
    running.then(|| Instance {
        id: name.to_owned(),
        name: slot.node_name(),
        role: slot.role,
        index: slot.index,
        private_ip,
        public_ip: None,
        volume: None,
    })
}

pub(super) fn machine(slot: &Slot, name: &str, found: &Value) -> Option<Machine> {
    let instance = instance(slot, name, found)?;
    Some(Machine {
        resources: vec![instance_resource(&instance.id)],
        driver: maker(found),
        instance,
    })
}

pub(super) fn instance_resource(name: &str) -> Resource {
    Resource {
        kind: INSTANCE.into(),
        id: name.to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn network_resource(name: &str) -> Resource {
    Resource {
        kind: NETWORK.into(),
        id: name.to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn unexpected(answer: String) -> ProviderError {
    ProviderError {
        doing: "the container engine did not do as it was told".into(),
        class: ErrorClass::Permanent,
        hint: None,
        source: Answer(answer),
    }
}
