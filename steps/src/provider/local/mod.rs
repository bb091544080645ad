//! The local provider: nodes are containers of this machine's engine, booted with systemd, on a network of their own.

pub mod engine;
pub mod image;
mod labels;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, Resource, RunId};
use serde_json::Value;

use self::engine::Engine;
use self::labels::{
    LABEL_CLUSTER, LABEL_GENERATION, LABEL_INDEX, LABEL_ROLE, LABEL_RUN, label, label_of, labels, made_at,
    made_by, maker,
};
use super::{
    Answer, Condition, Deletion, Groups, HostKeys, Image, Launch, Machine, Outdated, Owner, Provider,
    ProviderError, Slot, Tagged,
};
use crate::cluster::{Instance, LocalSpec, ProviderKind, Role};
use crate::remote::HostKey;

/// Kinds of resources that this provider makes.
const INSTANCE: &str = "instance";
const NETWORK: &str = "network";

/// How long a container may take to shut down before its processes are killed: systemd's own limit for one daemon.
const STOP_GRACE: Duration = Duration::from_secs(90);

/// First host number of each role in the cluster's /24 network: addresses are fixed, so that they outlive a restart of
/// the machine. The engine's gateway has number 1.
const FIRST_HOST: [(Role, u8); 3] = [(Role::Zookeeper, 10), (Role::Master, 20), (Role::Slave, 100)];

/// Nodes as containers.
pub struct LocalProvider {
    engine: Engine,
    image: String,
    /// Whether the image is ours to build.
    builds: bool,
}

impl LocalProvider {
    /// Finds the engine.
    ///
    /// # Errors
    /// None answers.
    pub async fn open(spec: &LocalSpec) -> Result<Self, ProviderError> {
        let engine = Engine::find(spec).await?;
        let image = spec.image.clone().unwrap_or_else(image::image_name);
        Ok(Self {
            engine,
            image,
            builds: spec.image.is_none(),
        })
    }

    /// The container in a slot, by its name: the newest of those that filled it one after the other.
    async fn container(&self, slot: &Slot) -> Result<Option<(String, Value)>, ProviderError> {
        for round in (0..=slot.round).rev() {
            let name = container_name(slot, round);
            if let Some(found) = self.engine.inspect("container", &name).await? {
                return Ok(Some((name, found)));
            }
        }
        Ok(None)
    }

    async fn network(&self, owner: &Owner) -> Result<Option<(String, [u8; 3])>, ProviderError> {
        let name = network_name(owner);
        let Some(found) = self.engine.inspect("network", &name).await? else {
            return Ok(None);
        };
        // podman: subnets[].subnet; docker: IPAM.Config[].Subnet.
        let subnet = found["subnets"][0]["subnet"]
            .as_str()
            .or_else(|| found["IPAM"]["Config"][0]["Subnet"].as_str());
        let prefix = subnet
            .and_then(|text| text.split('/').next())
            .and_then(|text| text.parse::<Ipv4Addr>().ok());
        let prefix = prefix.ok_or_else(|| unexpected(format!("network {name} has no IPv4 subnet")))?;
        let [a, b, c, _] = prefix.octets();
        Ok(Some((name, [a, b, c])))
    }

    async fn ids(&self, what: &[&str], filters: &[String]) -> Result<Vec<String>, ProviderError> {
        let filters: Vec<_> = filters.iter().flat_map(|f| ["--filter", f.as_str()]).collect();
        let args: Vec<_> = what.iter().copied().chain(filters).collect();
        let text = self.engine.call("list what carries our labels", &args).await?;
        Ok(text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }

    async fn containers(&self, filters: &[String]) -> Result<Vec<String>, ProviderError> {
        self.ids(&["ps", "--all", "--no-trunc", "--format", "{{.Names}}"], filters)
            .await
    }
}

/// `demo-master-1-k3f9x2ab-g1`, and `demo-master-1-k3f9x2ab-g1.1` for what takes its place once it is lost: unique on the
/// machine, and the same for the same slot, so that the engine itself refuses to make a second one.
fn container_name(slot: &Slot, round: u32) -> String {
    let name = format!(
        "{}-{}-g{}",
        slot.node_name(),
        short(slot.owner.run),
        slot.generation
    );
    match round {
        0 => name,
        round => format!("{name}.{round}"),
    }
}

fn network_name(owner: &Owner) -> String {
    format!("{}-{}", owner.cluster, short(owner.run))
}

/// The end of a run's id, which is random; its beginning is the time.
fn short(run: RunId) -> String {
    run.to_string().split_off(18)
}

fn unexpected(answer: String) -> ProviderError {
    ProviderError {
        doing: "the container engine did not do as it was told".into(),
        class: ErrorClass::Permanent,
        hint: None,
        source: Answer(answer),
    }
}

/// A locally administered hardware address for each address.
fn hardware_address(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:6d:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn address(slot: &Slot, [a, b, c]: [u8; 3]) -> Result<Ipv4Addr, ProviderError> {
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

/// The address of a container in the network that it is in.
fn private_ip(found: &Value) -> Option<IpAddr> {
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

fn machine(slot: &Slot, name: &str, found: &Value) -> Option<Machine> {
    let instance = instance(slot, name, found)?;
    Some(Machine {
        resources: vec![instance_resource(&instance.id)],
        driver: maker(found),
        instance,
    })
}

#[async_trait]
impl Provider for LocalProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError> {
        Ok(self.network(owner).await?.map(|(name, [a, b, c])| Groups {
            by_role: [Role::Master, Role::Slave, Role::Zookeeper]
                .map(|role| (role, name.clone()))
                .into(),
            rules: format!("one bridge network, {a}.{b}.{c}.0/24, that only this machine reaches"),
            subnet: None,
            foreign: Vec::new(),
        }))
    }

    async fn ensure_groups(&self, owner: &Owner, made: &mut Vec<Resource>) -> Result<Groups, ProviderError> {
        let name = network_name(owner);
        if self.network(owner).await?.is_none() {
            let labels = labels(owner);
            let mut args = vec!["network", "create"];
            args.extend(labels.iter().flat_map(|label| ["--label", label.as_str()]));
            args.push(&name);
            self.engine.call(&format!("create network {name}"), &args).await?;
            made.push(Resource {
                kind: NETWORK.into(),
                id: name.clone(),
                name: name.clone(),
            });
        }
        let groups = self.find_groups(owner).await?;
        groups.ok_or_else(|| unexpected(format!("network {name} is missing after its creation")))
    }

    async fn lost_groups(&self, groups: &Groups) -> Result<Vec<Role>, ProviderError> {
        let mut lost = Vec::new();
        for (role, network) in &groups.by_role {
            if self.engine.inspect("network", network).await?.is_none() {
                lost.push(*role);
            }
        }
        Ok(lost)
    }

    async fn strangers(&self, owner: &Owner) -> Result<Vec<String>, ProviderError> {
        let cluster = label(LABEL_CLUSTER, &owner.cluster);
        let all = self
            .containers(&[cluster.clone(), "status=running".into()])
            .await?;
        let ours = self.containers(&[cluster, label(LABEL_RUN, owner.run)]).await?;
        Ok(all.into_iter().filter(|name| !ours.contains(name)).collect())
    }

    async fn ensure_image(&self, _run: RunId) -> Result<Image, ProviderError> {
        if let Some(found) = self.find_image().await? {
            return Ok(found);
        }
        if !self.builds {
            return Err(ProviderError {
                doing: format!("image {} is not on this machine", self.image),
                class: ErrorClass::Permanent,
                hint: Some(
                    "import it into the engine, or leave out `[local] image` to have one built".into(),
                ),
                source: Answer("no such image".into()),
            });
        }
        image::build(&self.engine, &self.image).await?;
        let built = self.find_image().await?;
        built.ok_or_else(|| unexpected(format!("image {} is missing after its build", self.image)))
    }

    async fn find_image(&self) -> Result<Option<Image>, ProviderError> {
        image::find(&self.engine, &self.image).await
    }

    async fn find(&self, slot: &Slot) -> Result<Option<Machine>, ProviderError> {
        let found = self.container(slot).await?;
        Ok(found.and_then(|(name, found)| machine(slot, &name, &found)))
    }

    async fn launch(&self, launch: &Launch) -> Result<Machine, ProviderError> {
        let slot = &launch.slot;
        let found = self.container(slot).await?;
        let is_missing = found.is_none();
        let name = found.map_or_else(|| container_name(slot, slot.round), |(name, _)| name);
        if is_missing {
            let Some((network, prefix)) = self.network(&slot.owner).await? else {
                return Err(ProviderError {
                    hint: Some("`mesosflow resume` makes it anew".into()),
                    ..unexpected(format!("network {} is gone", launch.group))
                });
            };
            let address = address(slot, prefix)?;
            let (ip, mac) = (address.to_string(), hardware_address(address));
            let hostname = slot.node_name();
            let mut labels = labels(&slot.owner);
            labels.extend([
                format!("{LABEL_GENERATION}={}", slot.generation),
                format!("{LABEL_ROLE}={}", slot.role),
                format!("{LABEL_INDEX}={}", slot.index),
            ]);
            let mut args = vec!["create", "--name", &name, "--hostname", &hostname, "--privileged"];
            // A machine that takes another's address takes its hardware address too: neighbours remember that for a minute.
            args.extend(["--network", &network, "--ip", &ip, "--mac-address", &mac]);
            args.extend(labels.iter().flat_map(|label| ["--label", label.as_str()]));
            args.extend(self.engine.run_args().iter().map(String::as_str));
            args.extend([launch.image.as_str(), "/sbin/init"]);
            self.engine
                .call(&format!("create container {name}"), &args)
                .await?;
        }
        // Before the start: a running container is a complete one.
        let keys = authorized_keys(&launch.authorized_key)
            .map_err(|e| unexpected(format!("a temporary file: {e}")))?;
        let target = format!("{name}:/root/.ssh/authorized_keys");
        let source = keys.path().display().to_string();
        self.engine
            .call(
                &format!("copy the cluster's public key to {name}"),
                &["cp", &source, &target],
            )
            .await?;
        self.engine
            .call(&format!("start container {name}"), &["start", &name])
            .await?;
        let found = self.find(slot).await?;
        found.ok_or_else(|| unexpected(format!("container {name} does not run after its start")))
    }

    async fn outdated(&self, slot: &Slot) -> Result<Vec<Outdated>, ProviderError> {
        let ours = [
            label(LABEL_RUN, slot.owner.run),
            label(LABEL_ROLE, slot.role),
            label(LABEL_INDEX, slot.index),
        ];
        let current = self.container(slot).await?.map(|(name, _)| name);
        let names = self.containers(&ours).await?;
        let mut outdated = Vec::new();
        for name in names.into_iter().filter(|name| Some(name) != current.as_ref()) {
            // Gone since it was listed: then it is in nobody's way.
            if let Some(found) = self.engine.inspect("container", &name).await? {
                outdated.push(Outdated {
                    resource: instance_resource(&name),
                    driver: maker(&found),
                });
            }
        }
        Ok(outdated)
    }

    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError> {
        let Some(found) = self.engine.inspect("container", &instance.id).await? else {
            return Ok(Condition::Dead("there is no such container".into()));
        };
        Ok(
            match (
                found["State"]["Running"].as_bool(),
                found["State"]["Status"].as_str(),
            ) {
                (_, Some("stopping")) => Condition::Stopping("its container is being stopped".into()),
                (Some(true), _) => Condition::running_alone(&Instance {
                    private_ip: private_ip(&found).unwrap_or(instance.private_ip),
                    ..instance.clone()
                }),
                // All of them have after a reboot of this machine, with what is on their disks.
                _ => Condition::Stopped("its container has ended".into()),
            },
        )
    }

    async fn stop(&self, instance: &Instance) -> Result<(), ProviderError> {
        let grace = STOP_GRACE.as_secs().to_string();
        let args = ["stop", "--time", &grace, &instance.id];
        let doing = format!("stop container {}", instance.id);
        let limit = STOP_GRACE + Duration::from_secs(30);
        self.engine.call_within(limit, &doing, &args).await.map(drop)
    }

    async fn start(&self, instance: &Instance) -> Result<(), ProviderError> {
        let doing = format!("start container {}", instance.id);
        self.engine.call(&doing, &["start", &instance.id]).await.map(drop)
    }

    fn starting(&self, instance: &Instance) -> String {
        format!("{} start {}", self.engine.command_line().join(" "), instance.id)
    }

    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError> {
        let script = "cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null || true";
        let doing = format!("read the host key of {}", instance.name);
        let text = self
            .engine
            .call(&doing, &["exec", &instance.id, "sh", "-c", script])
            .await?;
        let keys: Vec<HostKey> = text.lines().filter_map(|line| line.parse().ok()).collect();
        Ok(match keys.is_empty() {
            true => HostKeys::NotYet("it has not made its host key yet".into()),
            false => HostKeys::Known(keys, None),
        })
    }

    fn asked(&self) -> String {
        format!(
            "{} for containers and networks with the label {LABEL_RUN}",
            self.engine.program()
        )
    }

    async fn owned(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        let run = label(LABEL_RUN, owner.run);
        let containers = self.containers(std::slice::from_ref(&run)).await?;
        let networks = self
            .ids(&["network", "ls", "--format", "{{.Name}}"], &[run])
            .await?;
        let networks = networks.into_iter().map(|name| Resource {
            kind: NETWORK.into(),
            id: name.clone(),
            name,
        });
        Ok(containers
            .iter()
            .map(|name| instance_resource(name))
            .chain(networks)
            .collect())
    }

    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError> {
        let ours = [format!("label={LABEL_RUN}")];
        let containers = self.containers(&ours).await?;
        let networks = self
            .ids(&["network", "ls", "--format", "{{.Name}}"], &ours)
            .await?;
        let mut tagged = Vec::new();
        for (kind, noun, names) in [
            (INSTANCE, "container", containers),
            (NETWORK, "network", networks),
        ] {
            for name in names {
                // Gone since it was listed: then it is nobody's.
                let Some(found) = self.engine.inspect(noun, &name).await? else {
                    continue;
                };
                tagged.push(Tagged {
                    provider: ProviderKind::Local,
                    place: None,
                    kind: kind.into(),
                    id: name.clone(),
                    cluster: label_of(&found, LABEL_CLUSTER).to_owned(),
                    run: label_of(&found, LABEL_RUN).to_owned(),
                    driver: maker(&found),
                    made_by: made_by(&found),
                    made_at: made_at(&found),
                    name,
                });
            }
        }
        Ok(tagged)
    }

    async fn delete(&self, resource: &Resource) -> Result<Deletion, ProviderError> {
        let (kind, delete): (_, &[&str]) = match resource.kind.as_str() {
            INSTANCE => ("container", &["rm", "--force", "--volumes"]),
            NETWORK => ("network", &["network", "rm"]),
            other => {
                return Err(unexpected(format!(
                    "{other} is no kind of resource that this provider makes"
                )));
            }
        };
        if self.engine.inspect(kind, &resource.id).await?.is_none() {
            return Ok(Deletion::Gone);
        }
        let args: Vec<_> = delete.iter().copied().chain([resource.id.as_str()]).collect();
        let deleted = self
            .engine
            .call(&format!("delete {kind} {}", resource.id), &args)
            .await;
        match self.engine.inspect(kind, &resource.id).await? {
            None => Ok(Deletion::Gone),
            Some(_) => Err(deleted
                .err()
                .unwrap_or_else(|| unexpected(format!("{} is still there", resource.id)))),
        }
    }
}

fn instance_resource(name: &str) -> Resource {
    Resource {
        kind: INSTANCE.into(),
        id: name.to_owned(),
        name: name.to_owned(),
    }
}

/// The key in a file that sshd accepts once it is copied: only its owner may write it.
fn authorized_keys(line: &str) -> std::io::Result<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "{line}")?;
    file.flush()?;
    Ok(file)
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
