//! Whether nodes have room for what a new configuration asks for.

use crate::act::ActError;
use crate::cluster::{ClusterSpec, Inventory, Role};
use crate::world::{Script, World, on_each};

/// Prints a node's memory, and the room on the disk of its swap file, with what that holds already; MiB.
const ROOM: &str = shell!("room.sh");

/// Refuses a heap that is larger than a node's memory, and swap that its disk has no room for.
pub(super) async fn refuse_without_room(
    world: &World,
    (before, target): (&ClusterSpec, &ClusterSpec),
    inventory: &Inventory,
) -> Result<(), ActError> {
    let of_hdfs = (before.hdfs.heap_mb, target.hdfs.heap_mb);
    let of_zookeeper = (before.zookeeper.heap_mb, target.zookeeper.heap_mb);
    let swap = (before.swap_of_node(), target.swap_of_node());
    let is_larger = |(before, target): (u32, u32)| target > before;
    if ![of_hdfs, of_zookeeper, swap].into_iter().any(is_larger) {
        return Ok(());
    }
    let nodes: Vec<_> = inventory.all().cloned().collect();
    let rooms = on_each(&nodes, |node| async move {
        let said = world
            .run(node, Script::new("ask for room", ROOM))
            .await?
            .stdout_str();
        let mut numbers = said.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(memory)), Some(Ok(disk))) => Ok((memory, disk)),
            _ => Err(ActError::wrong(format!(
                "{}: what room it has is not known: {said}",
                node.name
            ))),
        }
    });
    for (node, (memory, disk)) in nodes.iter().zip(rooms.await?) {
        let (key, heap) = match node.role {
            Role::Zookeeper => ("zookeeper.heap_mb", of_zookeeper),
            Role::Master | Role::Slave => ("hdfs.heap_mb", of_hdfs),
        };
        if is_larger(heap) && u64::from(heap.1) >= memory {
            let what = format!(
                "`{key}` is {} MiB, and {} has {memory} MiB of memory",
                heap.1, node.name
            );
            return Err(ActError::wrong(what).hinted(format!("use less than {memory}")));
        }
        if is_larger(swap) && u64::from(swap.1) >= disk {
            let what = format!(
                "`swap_mb` is {}, and {} has room for {disk} MiB on the disk of /mnt",
                swap.1, node.name
            );
            return Err(ActError::wrong(what).hinted(format!("use less than {disk}, or make room")));
        }
    }
    Ok(())
}
