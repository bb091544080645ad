//! Mesos on the nodes: its version, its folder, its packages, and what its masters say.

use std::time::Duration;

use crate::act::ActError;
use crate::cluster::{MESOS_MASTER_PORT, Node};
use crate::hub;
use crate::remote::RemoteError;
use crate::service::Service;
use crate::world::{Script, World};

/// The layout of `make install`.
pub const FOLDER: &str = "/root/mesos";

/// The master's daemon.
pub const MASTER: Service = Service {
    unit: "mesos-master.service",
    config: "/root/mesos/.mesosflow-source",
};
/// The agent's daemon.
pub const SLAVE: Service = Service {
    unit: "mesos-slave.service",
    config: "/root/mesos/.mesosflow-source",
};

/// Only what is missing is installed. The lists are fetched once a day at most.
const PACKAGES: &str = r#"if command -v apt-get >/dev/null; then
  missing=$(for p in $packages; do dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || echo "$p"; done)
  [ -n "$missing" ] || exit 0
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=120 update -q
  apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends $missing
elif command -v dnf >/dev/null; then dnf install -q -y $packages
else yum install -q -y $packages
fi"#;

/// What a daemon calls itself, with the libraries that lie beside it.
///
/// # Errors
/// The node cannot be reached, or the program does not start (a library is missing, say).
pub async fn version(world: &World, node: &Node, program: &str) -> Result<String, RemoteError> {
    let title = format!("ask {program} for its version");
    let script = Script::new(
        &title,
        r#"LD_LIBRARY_PATH=/root/mesos/lib "/root/mesos/sbin/$program" --version"#,
    );
    Ok(world
        .run(node, script.var("program", program))
        .await?
        .stdout_str())
}

/// Digest of Mesos' folder on a node.
///
/// # Errors
/// The node cannot be reached, or has no such folder.
pub async fn digest(world: &World, node: &Node) -> Result<String, ActError> {
    let found = hub::digest(world, node, FOLDER).await?;
    found.ok_or_else(|| ActError::wrong(format!("{FOLDER} is missing on {}", node.name)))
}

/// Installs the operating-system packages that Mesos needs, as far as they are missing.
///
/// # Errors
/// The node cannot be reached, or its package manager refuses.
pub async fn install_packages(world: &World, node: &Node, packages: &[String]) -> Result<(), RemoteError> {
    if packages.is_empty() {
        return Ok(());
    }
    let script =
        Script::new("install the packages that Mesos needs", PACKAGES).var("packages", packages.join(" "));
    world.run(node, script.within(Duration::from_secs(900))).await?;
    Ok(())
}

/// Prints the address of the leading master as the masters themselves see it, one that says of itself that it leads;
/// exit 1 while there is none. Every master is asked: a master that was stopped stays a leader in ZooKeeper until its
/// session ends.
const LEADER: &str = r#"for address in $masters; do
  metrics=$(curl -fsS --max-time 3 "http://$address:$port/metrics/snapshot" 2>/dev/null) || continue
  case $(printf %s "$metrics" | sed -n 's/.*"master[\\]*\/elected":\([0-9.]*\).*/\1/p') in
    1 | 1.0) echo "$address"; exit 0 ;;
  esac
done
exit 1"#;

/// How many slaves the leader has active; exit 1 while it is less than wanted.
const REGISTERED: &str = r#"for address in $masters; do
  metrics=$(curl -fsS --max-time 3 "http://$address:$port/metrics/snapshot" 2>/dev/null) || continue
  case $(printf %s "$metrics" | sed -n 's/.*"master[\\]*\/elected":\([0-9.]*\).*/\1/p') in 1 | 1.0) ;; *) continue ;; esac
  state=$(curl -fsS --max-time 5 "http://$address:$port/state" 2>/dev/null) || continue
  for slave in $slaves; do
    case $state in *"slave(1)@$slave:5051"*) ;; *) exit 1 ;; esac
  done
  active=$(printf %s "$metrics" | sed -n 's/.*"master[\\]*\/slaves_active":\([0-9]*\).*/\1/p')
  [ "$active" = "$wanted" ] || exit 1
  echo "$address"; exit 0
done
exit 1"#;

fn addresses(nodes: &[Node]) -> String {
    nodes
        .iter()
        .map(|node| node.private_ip.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The script that answers whether a master leads, and which.
pub fn leader_script(masters: &[Node]) -> Script<'static> {
    Script::new("ask the masters who leads", LEADER)
        .var("masters", addresses(masters))
        .var("port", MESOS_MASTER_PORT)
}

/// The script that answers whether every slave is registered and active at the leading master.
pub fn registered_script(masters: &[Node], slaves: &[Node]) -> Script<'static> {
    Script::new("ask the leading master for its slaves", REGISTERED)
        .var("masters", addresses(masters))
        .var("slaves", addresses(slaves))
        .var("wanted", slaves.len())
        .var("port", MESOS_MASTER_PORT)
}

/// The name of the leading master, if one leads.
///
/// # Errors
/// The first master cannot be reached.
pub async fn leader(world: &World, masters: &[Node]) -> Result<Option<String>, RemoteError> {
    match world.run(&masters[0], leader_script(masters)).await {
        Ok(output) => {
            let address = output.stdout_str();
            let node = masters.iter().find(|node| node.private_ip.to_string() == address);
            Ok(node.map(|node| node.name.clone()))
        }
        Err(error) if error.exit_status() == Some(1) => Ok(None),
        Err(error) => Err(error),
    }
}
