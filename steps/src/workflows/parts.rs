//! What workflows make their steps of: items for nodes and places, and what each node is set up with.

use ipnet::IpNet;
use mesosflow_workflow::{Epoch, Flow, Halt, ItemKey, RunState, StepId};

use crate::catalogue::skip_reason;
use crate::cluster::{ClusterSpec, DisksSpec, Instance, Inventory, Node, Role};
use crate::disks::{DiskPlan, DisksToFind, EbsVolume};
use crate::firewall::Firewall;
use crate::node_setup::NodeSetup;
use crate::provider::ec2_facts::VOLUME_DEVICE;
use crate::provider::{Groups, Image, Order};
use crate::provision::Place;
use crate::roles::{self, ClusterFile};
use crate::templates::DeployVars;
use crate::view::launched_from;
use crate::world::World;

/// One item for each node, keyed by its name.
pub(super) fn each<'n, S>(
    nodes: impl IntoIterator<Item = &'n Node>,
    step: impl Fn(&'n Node) -> S,
) -> impl Iterator<Item = (ItemKey, S)> {
    nodes
        .into_iter()
        .map(move |node| (ItemKey::from(node.name.as_str()), step(node)))
}

/// Skips a step that has no place in this cluster, and says whether it did.
pub(super) async fn skipped(flow: &Flow<World>, step: StepId) -> Result<bool, Halt> {
    match skip_reason(flow.world().spec(), &step) {
        Some(reason) => flow.skip(step, reason).await.map(|()| true),
        None => Ok(false),
    }
}

/// The place of a role with that number, as an item keyed by the name that its node will have.
pub(super) fn place(
    spec: &ClusterSpec,
    groups: &Groups,
    image: &Image,
    role: Role,
    index: u16,
) -> (ItemKey, Place) {
    let group = groups.by_role.get(&role).cloned().unwrap_or_default();
    let mut order = Order::of(spec, role, groups, image);
    if let (Some(order), Some(own)) = (&mut order, spec.own_type(role, index)) {
        own.clone_into(&mut order.machine_type);
    }
    let place = Place {
        role,
        index,
        image: image.id.clone(),
        group,
        order,
        address: None,
    };
    (ItemKey::from(role.node_name(&spec.cluster, index)), place)
}

/// What a node gets before any daemon.
pub(super) fn node_setup(
    spec: &ClusterSpec,
    image: Option<&Image>,
    inventory: &Inventory,
    node: &Node,
) -> NodeSetup {
    NodeSetup {
        node: node.clone(),
        disks: disks(spec, image, &node.instance),
        swap_mb: spec.swap_of_node(),
        firewall: Firewall::of(spec, inventory),
    }
}

/// The further disks of a machine: as the configuration names them, or as its type has them.
fn disks(spec: &ClusterSpec, image: Option<&Image>, instance: &Instance) -> DiskPlan {
    let kind = image.and_then(|image| image.machine_types.get(&instance.role));
    match kind {
        Some(kind) if spec.disks == DisksSpec::default() => DiskPlan::Find(DisksToFind {
            ephemeral: kind.ephemeral_disks,
            nvme: kind.nvme,
            volume: instance.volume.clone().map(|id| EbsVolume {
                id,
                device: VOLUME_DEVICE.to_owned(),
            }),
        }),
        _ => spec.disks.clone().into(),
    }
}

/// What the templates see of a cluster whose machines were launched from that image, into that range of addresses.
pub(crate) fn vars_of(
    spec: &ClusterSpec,
    inventory: &Inventory,
    image: Option<&Image>,
    range: Option<IpNet>,
) -> DeployVars {
    let of_slaves = inventory
        .slaves
        .first()
        .map(|slave| disks(spec, image, slave).ephemeral());
    DeployVars::new(spec, inventory, of_slaves.unwrap_or_default(), range)
}

/// What the exported roles have to know of a cluster in that epoch, as `group_vars` of Ansible; none without a master.
pub fn ansible_variables(
    spec: &ClusterSpec,
    state: &RunState,
    nodes: &[Node],
    epoch: Epoch,
) -> Option<String> {
    let inventory = Inventory::new(nodes.iter().cloned())?;
    let vars = vars_of(spec, &inventory, launched_from(state).0.as_ref(), None);
    let file = |node: &Node| ClusterFile::of(node, spec, &inventory, &vars);
    let slave = inventory.slaves.first().map(file);
    Some(roles::variables(
        &file(inventory.first_master()),
        slave.as_ref(),
        epoch.0,
    ))
}
