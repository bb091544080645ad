//! What containers and networks are called, and which addresses they have: the same for the same slot.

use std::net::Ipv4Addr;

use mesosflow_workflow::ErrorClass;

use crate::cluster::Role;
use crate::provider::slot::short;
use crate::provider::{Answer, Owner, ProviderError, Slot};

/// First host number of each role in the cluster's /24 network: addresses are fixed, so that they outlive a restart of
/// the machine. The engine's gateway has number 1.
const FIRST_HOST: [(Role, u8); 3] = [(Role::Zookeeper, 10), (Role::Master, 20), (Role::Slave, 100)];

/// `demo-master-1-k3f9x2ab-g1`, and `demo-master-1-k3f9x2ab-g1.1` for what takes its place once it is lost: unique on the
/// machine, and the same for the same slot, so that the engine itself refuses to make a second one.
pub(super) fn container_name(slot: &Slot, round: u32) -> String {
    let name = format!(
        "{}-{}-g{}",
        slot.node_name(),
        short(slot.owner.run),
        slot.asked_by()
    );
    match round {
        0 => name,
        round => format!("{name}.{round}"),
    }
}

pub(super) fn network_name(owner: &Owner) -> String {
    format!("{}-{}", owner.cluster, short(owner.run))
}

/// A locally administered hardware address for each address.
pub(super) fn hardware_address(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:6d:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

pub(super) fn address(slot: &Slot, [a, b, c]: [u8; 3]) -> Result<Ipv4Addr, ProviderError> {
    let first = FIRST_HOST
        .iter()
        .find(|(role, _)| *role == slot.role)
        .map_or(0, |(_, first)| *first);
    let end = FIRST_HOST
        .iter()
        .map(|(_, f)| *f)
        .filter(|f| *f > first)
        .min()
        .unwrap_or(u8::MAX);
    let host = u16::from(first) + slot.index - 1;
    match u8::try_from(host) {
        Ok(host) if host < end => Ok(Ipv4Addr::new(a, b, c, host)),
        _ => Err(ProviderError {
            doing: format!("{} has no address in the cluster's network", slot.node_name()),
            class: ErrorClass::Permanent,
            hint: Some(format!(
                "local clusters have room for {} nodes of role {}",
                end - first,
                slot.role
            )),
            source: Answer(format!("{a}.{b}.{c}.0/24 is full")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::Generation;

    use super::*;

    fn slot(role: Role, index: u16) -> Slot {
        let run = "01jd3k00000000000000000abc".parse().unwrap();
        Slot {
            owner: Owner {
                cluster: "demo".into(),
                run,
                driver: None,
                made_by: None,
            },
            run,
            generation: Generation::FIRST,
            round: 0,
            role,
            index,
        }
    }

    #[test]
    fn a_slot_has_one_name_and_one_address_and_no_other_has_them() {
        assert_eq!(
            container_name(&slot(Role::Master, 1), 0),
            "demo-master-1-00000abc-g1"
        );
        assert_eq!(
            container_name(&slot(Role::Master, 1), 2),
            "demo-master-1-00000abc-g1.2"
        );
        let by_another = Slot {
            run: "01jd3k00000000000000000xyz".parse().unwrap(),
            ..slot(Role::Slave, 3)
        };
        assert_eq!(
            container_name(&by_another, 0),
            "demo-slave-3-00000abc-g1-00000xyz"
        );
        assert_eq!(network_name(&slot(Role::Master, 1).owner), "demo-00000abc");
        let prefix = [10, 89, 3];
        let mut seen = std::collections::BTreeSet::new();
        for (role, count) in [(Role::Master, 80), (Role::Slave, 155), (Role::Zookeeper, 10)] {
            for index in 1..=count {
                assert!(
                    seen.insert(address(&slot(role, index), prefix).unwrap()),
                    "{role} {index} shares its address"
                );
            }
            assert!(
                address(&slot(role, count + 1), prefix).is_err(),
                "{role} {} has an address",
                count + 1
            );
        }
    }
}
