//! The hosts provider: machines of one's own, listed in the configuration. It makes and ends none.

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, Resource, RunId};

use super::{
    Answer, Condition, Groups, HostKeys, Image, Launch, Machine, Owner, Provider, ProviderError, Slot, Tagged,
};
use crate::cluster::{ClusterSpec, HostSpec, HostsSpec, Instance, ProviderKind, Role};

/// Why steps that make something are skipped.
pub const LISTED: &str = "the hosts are yours, and listed in the configuration";

/// The machines of a list.
pub struct HostsProvider {
    hosts: HostsSpec,
}

impl HostsProvider {
    /// Takes the list of a spec.
    ///
    /// # Errors
    /// Something that a login needs is missing.
    pub fn open(spec: &ClusterSpec) -> Result<Self, ProviderError> {
        Ok(Self {
            hosts: spec.hosts.clone(),
        })
    }

    fn host(&self, instance: &Instance) -> Option<&HostSpec> {
        self.hosts
            .nodes
            .iter()
            .find(|host| host.role == instance.role && host.address.to_string() == instance.id)
    }
}

/// The hosts of a spec as machines: numbered within their roles, in the order of the list.
pub fn instances(spec: &ClusterSpec) -> Vec<(Instance, &HostSpec)> {
    let mut counts = [(Role::Master, 0), (Role::Slave, 0), (Role::Zookeeper, 0)];
    let mut found = Vec::new();
    for host in &spec.hosts.nodes {
        for (role, count) in &mut counts {
            if *role != host.role {
                continue;
            }
            *count += 1;
            let own = || format!("{}-{role}-{count}", spec.cluster);
            let instance = Instance {
                id: host.address.to_string(),
                name: host.name.clone().unwrap_or_else(own),
                role: *role,
                index: *count,
                private_ip: host.private_address.unwrap_or(host.address),
                public_ip: host.private_address.map(|_| host.address),
                volume: None,
            };
            found.push((instance, host));
        }
    }
    found
}

fn makes_nothing(doing: &str) -> ProviderError {
    ProviderError {
        doing: doing.into(),
        class: ErrorClass::Permanent,
        hint: None,
        source: Answer(LISTED.into()),
    }
}

#[async_trait]
impl Provider for HostsProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Hosts
    }

    async fn find_groups(&self, _owner: &Owner) -> Result<Option<Groups>, ProviderError> {
        Err(makes_nothing("listed hosts have no groups"))
    }

    async fn ensure_groups(
        &self,
        _owner: &Owner,
        _made: &mut Vec<Resource>,
    ) -> Result<Groups, ProviderError> {
        Err(makes_nothing("listed hosts have no groups"))
    }

    async fn strangers(&self, _owner: &Owner) -> Result<Vec<String>, ProviderError> {
        Ok(Vec::new())
    }

    async fn ensure_image(&self, _run: RunId) -> Result<Image, ProviderError> {
        Err(makes_nothing("listed hosts have no image"))
    }

    async fn find_image(&self) -> Result<Option<Image>, ProviderError> {
        Err(makes_nothing("listed hosts have no image"))
    }

    async fn find(&self, _slot: &Slot) -> Result<Option<Machine>, ProviderError> {
        Err(makes_nothing("listed hosts are not looked for"))
    }

    async fn launch(&self, _launch: &Launch) -> Result<Machine, ProviderError> {
        Err(makes_nothing("listed hosts are not launched"))
    }

    async fn outdated(&self, _slot: &Slot) -> Result<Vec<Resource>, ProviderError> {
        Ok(Vec::new())
    }

    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError> {
        Ok(Condition::Running(instance.clone()))
    }

    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError> {
        Ok(match self.host(instance) {
            Some(host) => HostKeys::Known(vec![host.host_key.clone()], None),
            None => HostKeys::NotYet("it is not in the list".into()),
        })
    }

    async fn owned(&self, _owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        Ok(Vec::new())
    }

    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError> {
        Ok(Vec::new())
    }

    async fn delete(&self, _resource: &Resource) -> Result<(), ProviderError> {
        Ok(())
    }
}
