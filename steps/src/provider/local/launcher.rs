//! Nodes as containers: the network, the image and the containers themselves are made here.

use async_trait::async_trait;
use ipnet::{IpNet, Ipv4Net};
use mesosflow_workflow::{ErrorClass, Resource};

use super::image;
use super::labels::{LABEL_GENERATION, LABEL_INDEX, LABEL_ROLE, LABEL_RUN, label, labels, maker};
use super::names::{address, container_name, hardware_address, network_name};
use super::provider::LocalProvider;
use super::shown::{instance_resource, machine, network_resource, unexpected};
use crate::cluster::Role;
use crate::provider::{
    Answer, Groups, Image, Launch, Launcher, Machine, Outdated, Owner, ProviderError, Slot,
};

#[async_trait]
impl Launcher for LocalProvider {
    async fn find_groups(&self, owner: &Owner) -> Result<Option<Groups>, ProviderError> {
        Ok(self.network(owner).await?.map(|(name, [a, b, c])| Groups {
            by_role: [Role::Master, Role::Slave, Role::Zookeeper]
                .map(|role| (role, name.clone()))
                .into(),
            rules: format!("one bridge network, {a}.{b}.{c}.0/24, that only this machine reaches"),
            subnet: None,
            range: Ipv4Net::new([a, b, c, 0].into(), 24).ok().map(IpNet::V4),
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
            made.push(network_resource(&name));
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

    async fn ensure_image(&self) -> Result<Image, ProviderError> {
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
                format!("{LABEL_GENERATION}={}", slot.asked_by()),
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
}

/// The key in a file that sshd accepts once it is copied: only its owner may write it.
fn authorized_keys(line: &str) -> std::io::Result<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "{line}")?;
    file.flush()?;
    Ok(file)
}
