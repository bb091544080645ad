//! Nodes as containers: what is asked of every provider.

use std::time::Duration;

use async_trait::async_trait;
use mesosflow_workflow::Resource;
use serde_json::Value;

use super::engine::Engine;
use super::image;
use super::labels::{LABEL_CLUSTER, LABEL_RUN, label, label_of, made_at, made_by, maker};
use super::names::{container_name, network_name};
use super::shown::{
    INSTANCE, NETWORK, instance_resource, network_prefix, network_resource, private_ip, unexpected,
};
use crate::cluster::{Instance, LocalSpec, ProviderKind};
use crate::provider::{
    Condition, Deletion, HostKeys, Launcher, Owner, Provider, ProviderError, Slot, Stranger, Tagged,
};
use crate::remote::HostKey;

/// Why a container does nothing that somebody holds: the engine lets it go on, and does not start it.
const PAUSED: &str = "its container is paused";
/// How long a container may take to shut down before its processes are killed: systemd's own limit for one daemon.
const STOP_GRACE: Duration = Duration::from_secs(90);

/// Nodes as containers.
pub struct LocalProvider {
    pub(super) engine: Engine,
    pub(super) image: String,
    /// Whether the image is ours to build.
    pub(super) builds: bool,
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
    pub(super) async fn container(&self, slot: &Slot) -> Result<Option<(String, Value)>, ProviderError> {
        for round in (0..=slot.round).rev() {
            let name = container_name(slot, round);
            if let Some(found) = self.engine.inspect("container", &name).await? {
                return Ok(Some((name, found)));
            }
        }
        Ok(None)
    }

    /// The cluster's network: its name, and the first three bytes of its addresses.
    pub(super) async fn network(&self, owner: &Owner) -> Result<Option<(String, [u8; 3])>, ProviderError> {
        let name = network_name(owner);
        let Some(found) = self.engine.inspect("network", &name).await? else {
            return Ok(None);
        };
        let prefix = network_prefix(&found);
        let prefix = prefix.ok_or_else(|| unexpected(format!("network {name} has no IPv4 subnet")))?;
        Ok(Some((name, prefix)))
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

    pub(super) async fn containers(&self, filters: &[String]) -> Result<Vec<String>, ProviderError> {
        self.ids(&["ps", "--all", "--no-trunc", "--format", "{{.Names}}"], filters)
            .await
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    fn launcher(&self) -> Option<&dyn Launcher> {
        Some(self)
    }

    async fn strangers(&self, owner: &Owner) -> Result<Vec<Stranger>, ProviderError> {
        let cluster = label(LABEL_CLUSTER, &owner.cluster);
        let all = self
            .containers(&[cluster.clone(), "status=running".into()])
            .await?;
        let ours = self.containers(&[cluster, label(LABEL_RUN, owner.run)]).await?;
        let strangers = all.into_iter().filter(|name| !ours.contains(name));
        Ok(strangers
            .map(|name| Stranger {
                id: name.clone(),
                name,
                ..Stranger::default()
            })
            .collect())
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
                (_, Some("paused")) => Condition::Stopped(PAUSED.into()),
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
        let is_paused = |condition: &Condition| matches!(condition, Condition::Stopped(why) if why == PAUSED);
        let (verb, word) = match is_paused(&self.condition(instance).await?) {
            true => ("unpause", "let go on"),
            false => ("start", "start"),
        };
        let doing = format!("{word} container {}", instance.id);
        self.engine.call(&doing, &[verb, &instance.id]).await.map(drop)
    }

    fn starting(&self, instance: &Instance, condition: &Condition) -> String {
        let verb = match condition {
            Condition::Stopped(why) if why == PAUSED => "unpause",
            _ => "start",
        };
        format!("{} {verb} {}", self.engine.command_line().join(" "), instance.id)
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
        let networks = networks.iter().map(|name| network_resource(name));
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
