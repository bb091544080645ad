//! Mesos on the nodes: its version, its folder, its packages, and what its masters say.

use crate::act::ActError;
use crate::cluster::{MESOS_MASTER_PORT, Node};
use crate::hub;
use crate::remote::RemoteError;
use crate::roles;
use crate::service::Service;
use crate::world::{Script, World};

/// The master's daemon.
pub(crate) const MASTER: Service = Service {
    unit: "mesos-master.service",
    units: roles::UNITS_FOLDER,
    config: "/root/mesos/.mesosflow-source /etc/mesos /etc/mesos-master /etc/mesosflow/mesos.env",
};
/// The agent's daemon.
pub(crate) const SLAVE: Service = Service {
    unit: "mesos-slave.service",
    units: roles::UNITS_FOLDER,
    config: "/root/mesos/.mesosflow-source /etc/mesos /etc/mesos-slave /etc/mesosflow/mesos.env \
             /etc/systemd/system/mesos-slave.service.d",
};

/// What a daemon in a folder of a node calls itself, with the libraries that lie beside it.
///
/// # Errors
/// The node cannot be reached, or the program does not start (a library is missing, say).
pub(crate) async fn version_in(
    world: &World,
    node: &Node,
    folder: &str,
    program: &str,
) -> Result<String, RemoteError> {
    let title = format!("ask {program} for its version");
    let script = Script::new(
        &title,
        r#"LD_LIBRARY_PATH="$folder/lib" "$folder/sbin/$program" --version"#,
    );
    let script = script.var("folder", folder).var("program", program);
    Ok(world.run(node, script).await?.stdout_str())
}

/// Refuses an agent in a folder of a node that does not start there, or is another version than the first master's: equal files are not
/// enough, they must run with the libraries of that node.
///
/// # Errors
/// It is another one; or like [`version_in`].
pub(crate) async fn runs_as(world: &World, node: &Node, folder: &str, wanted: &str) -> Result<(), ActError> {
    let version = version_in(world, node, folder, "mesos-agent").await?;
    match version == wanted {
        true => Ok(()),
        false => Err(ActError::wrong(format!(
            "{} has {version}, the first master {wanted}",
            node.name
        ))),
    }
}

/// Digest of a folder with Mesos on a node.
///
/// # Errors
/// The node cannot be reached, or has no such folder.
pub(crate) async fn digest_of(world: &World, node: &Node, folder: &str) -> Result<String, ActError> {
    let found = hub::digest(world, node, folder).await?;
    found.ok_or_else(|| ActError::wrong(format!("{folder} is missing on {}", node.name)))
}

/// The masters' replicated log, in their work folder.
pub(crate) const REGISTRY: &str = "/mnt/mesos-work/replicated_log";

/// What a daemon says of itself that has not come as far as it should, in words; none of one that is well.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn wanting(
    world: &World,
    node: &Node,
    (port, metric): (u16, &str),
) -> Result<Option<String>, RemoteError> {
    let well = Script::new("ask the daemon of Mesos how it is", WELL)
        .var("address", node.private_ip)
        .var("port", port)
        .var("metric", metric);
    let said = world.run(node, well).await?.stdout_str();
    Ok((!said.is_empty()).then_some(said))
}

pub(crate) const WELL: &str = shell!("mesos-well.sh");
const LEADS: &str = shell!("mesos-leads.sh");
const LEADER: &str = shell!("mesos-leader.sh");

const REGISTERED: &str = shell!("mesos-registered.sh");

/// Whether the master of this node leads, and where it sends whoever asks for the one that does: `yes|no STATUS [URL]`.
const VIEW: &str = r#"leads && elected=yes || elected=no
seen=$(curl -sS --max-time 10 --output /dev/null --write-out '%{http_code} %{redirect_url}' "http://$address:$port/redirect") || exit 5
echo "$elected $seen""#;
const AGENTS: &str = r#"curl -fsS --max-time 20 "http://$address:$port/slaves""#;

/// A master takes an agent that hangs for active until it has missed it for more than a minute.
const ASK_AGENTS: &str = shell!("mesos-ask-agents.sh");

/// What [`task_script`] ends with where the deployed Mesos has no `mesos-execute`.
pub(crate) const NO_EXECUTE: i32 = 69;
/// The program speaks from where it is to be reached.
const TASK: &str = r#"[ -x /root/mesos/bin/mesos-execute ] || exit "$no_execute"
export LD_LIBRARY_PATH=/root/mesos/lib LIBPROCESS_IP="$own"
exec /root/mesos/bin/mesos-execute --master="$address:$port" --name="$name" --command=true --resources='cpus:0.1;mem:32'"#;

fn addresses(nodes: &[Node]) -> String {
    nodes
        .iter()
        .map(|node| node.private_ip.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn asking<'a>(title: &'a str, body: &'a str, masters: &[Node]) -> Script<'a> {
    Script::new(title, body)
        .before(LEADS)
        .var("masters", addresses(masters))
        .var("port", MESOS_MASTER_PORT)
}

/// The script that answers whether a master leads, by its address.
pub(crate) fn leader_script(masters: &[Node]) -> Script<'static> {
    asking("ask the masters who leads", LEADER, masters)
}

/// The script that answers whether the leading master has every slave registered and active, by that master's address.
pub(crate) fn registered_script(masters: &[Node], slaves: &[Node]) -> Script<'static> {
    asking("ask the leading master for its slaves", REGISTERED, masters).var("slaves", addresses(slaves))
}

/// The script that asks a master, on its node, what it takes itself and others for: `yes` where it leads or `no`, then the HTTP
/// status of a request for the leading master, and where it is sent to.
pub(crate) fn view_script(master: &Node) -> Script<'static> {
    at(
        Script::new("ask the master who leads", VIEW).before(LEADS),
        master,
    )
}

/// The script that asks the leading master, on its node, for its agents: the JSON of `/slaves`.
pub(crate) fn agents_script(leader: &Node) -> Script<'static> {
    at(
        Script::new("ask the leading master for its agents", AGENTS),
        leader,
    )
}

/// The script that asks agents for themselves, from the leading master, each for so many seconds at most: it prints those that do not
/// answer. They are called what Mesos calls them, `slave(1)@ADDRESS:PORT`.
pub(crate) fn ask_agents_script<'a>(pids: &[&str], seconds: u64) -> Script<'a> {
    let address = |pid: &str| match pid.split_once('@') {
        Some((process, place)) => format!("http://{place}/{process}"),
        None => pid.to_owned(),
    };
    let lines: Vec<_> = pids
        .iter()
        .map(|pid| format!("{pid}\n{}\n", address(pid)))
        .collect();
    Script::new("ask the agents whether they are well", ASK_AGENTS)
        .var("seconds", seconds)
        .stdin(lines.concat())
}

/// The script that runs a task of that name through the leading master, from the master `node`: 0.1 cpus, 32 MB, a command that does
/// nothing. What it prints tells what becomes of it.
pub(crate) fn task_script<'a>(leader: &Node, node: &Node, name: &'a str) -> Script<'a> {
    at(Script::new("run a task through Mesos", TASK), leader)
        .var("own", node.private_ip)
        .var("name", name)
        .var("no_execute", NO_EXECUTE)
}

fn at<'a>(script: Script<'a>, master: &Node) -> Script<'a> {
    script
        .var("address", master.private_ip)
        .var("port", MESOS_MASTER_PORT)
}

/// The name of the leading master, if every slave is registered and active there.
///
/// # Errors
/// The first master cannot be reached.
pub(crate) async fn leader_with(
    world: &World,
    masters: &[Node],
    slaves: &[Node],
) -> Result<Option<String>, RemoteError> {
    let address = world
        .answer(&masters[0], registered_script(masters, slaves))
        .await?;
    let leads = |node: &&Node| Some(node.private_ip.to_string()) == address;
    Ok(masters.iter().find(leads).map(|node| node.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What joined by itself does not keep a cluster from being whole, nor does it stand in for a slave that is not active.
    #[test]
    fn every_slave_has_to_be_active_whoever_else_is() {
        let agent = |address: &str, active: bool| {
            format!(
                r#"{{"id":"S1","hostname":"h","attributes":{{"active":"no"}},"pid":"slave(1)@{address}:5051","resources":{{"cpus":2.0}},"active":{active},"deactivated":false}}"#
            )
        };
        let answer = |agents: &[(&str, bool)], slaves: &str| {
            let agents: Vec<_> = agents
                .iter()
                .map(|(address, active)| agent(address, *active))
                .collect();
            let script = format!(
                "leads() {{ :; }}\ncurl() {{ printf %s '{{\"slaves\":[{}]}}'; }}\nmasters=10.0.0.1 port=5050 slaves='{slaves}'\n{REGISTERED}",
                agents.join(",")
            );
            let said = std::process::Command::new("sh")
                .arg("-c")
                .arg(script)
                .output()
                .unwrap();
            said.status
                .success()
                .then(|| String::from_utf8(said.stdout).unwrap())
        };
        let leads = Some("10.0.0.1\n".to_owned());
        let both = "10.0.0.2 10.0.0.20";
        assert_eq!(answer(&[("10.0.0.2", true), ("10.0.0.20", true)], both), leads);
        assert_eq!(
            answer(
                &[("10.0.0.2", true), ("10.0.0.9", true), ("10.0.0.20", true)],
                both
            ),
            leads
        );
        assert_eq!(
            answer(
                &[("10.0.0.2", false), ("10.0.0.2", true), ("10.0.0.20", true)],
                both
            ),
            leads
        );
        assert_eq!(answer(&[("10.0.0.2", true), ("10.0.0.9", true)], both), None);
        assert_eq!(
            answer(
                &[("10.0.0.2", true), ("10.0.0.9", true), ("10.0.0.20", false)],
                both
            ),
            None
        );
        assert_eq!(answer(&[], both), None);
    }
}
