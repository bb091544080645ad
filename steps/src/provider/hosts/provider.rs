//! What the provider answers to the steps.

use async_trait::async_trait;
use mesosflow_workflow::{ErrorClass, Resource};

use super::login::{Host, Logins, Trouble, failed, taken};
use super::marks::{self, Held};
use crate::cluster::{ClusterSpec, Instance, MesosSource, Node, ProviderKind};
use crate::key::ClusterKey;
use crate::provider::{
    Answer, Condition, Deletion, HostKeys, Launcher, Owner, Provider, ProviderError, Stranger, Tagged,
};
use crate::remote::{Pool, RemoteError};

/// Why steps that make something are skipped.
pub const LISTED: &str = "the hosts are yours, and listed in the configuration";
/// The kind of what is left on a host: the line of the cluster's key, and the mark.
const KEY_KIND: &str = "authorized-key";

/// The machines of a list.
pub struct HostsProvider {
    cluster: String,
    mesos: MesosSource,
    hosts: Vec<Host>,
    has_firewall: bool,
    logins: Logins,
    /// The cluster's public key; empty before there is a run, and where it is lost and nobody knows it.
    line: String,
}

impl HostsProvider {
    /// Takes the list of a spec, and the cluster's key where there is a run. With a lost one, the user's opens the hosts.
    ///
    /// # Errors
    /// The spec names no key to log in with.
    pub fn open(spec: &ClusterSpec, key: Option<&ClusterKey>) -> Result<Self, ProviderError> {
        let unusable = |answer: String| ProviderError {
            doing: "the keys to log in with cannot be used".into(),
            class: ErrorClass::Operator,
            hint: None,
            source: Answer(answer),
        };
        let identity = spec.hosts.identity_file.as_ref();
        let identity = identity.ok_or_else(|| unusable("`hosts.identity_file` is missing".into()))?;
        Ok(Self {
            cluster: spec.cluster.clone(),
            mesos: spec.mesos.source,
            hosts: spec
                .listed()
                .into_iter()
                .map(|(instance, host)| Host::new(instance, host))
                .collect(),
            has_firewall: spec.hosts.has_firewall(),
            line: key.map(|own| own.public().to_owned()).unwrap_or_default(),
            logins: Logins {
                own: key.filter(|own| !own.is_lost()).map(|own| Pool::new(own.path())),
                identity: Pool::new(identity),
            },
        })
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Whether a host is the one whose Mesos all get, since nobody has named another.
    pub(super) fn gives_mesos(&self, host: &Host) -> bool {
        self.mesos == MesosSource::None && host.instance.is_first_master()
    }

    /// Whether the hosts get a firewall.
    pub(super) const fn has_firewall(&self) -> bool {
        self.has_firewall
    }

    pub(super) const fn logins(&self) -> &Logins {
        &self.logins
    }

    fn host(&self, address: &str) -> Result<&Host, ProviderError> {
        let found = self.hosts.iter().find(|host| host.instance.id == address);
        found.ok_or_else(|| not_listed(&format!("{address} is none of the listed hosts")))
    }
}

/// What stands in the journal for what is left on a host.
fn resource(host: &Host, run: impl std::fmt::Display) -> Resource {
    Resource {
        kind: KEY_KIND.into(),
        id: format!("{run}@{}", host.instance.id),
        name: host.instance.name.clone(),
    }
}

fn not_listed(doing: &str) -> ProviderError {
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

    /// The machines are there, and nothing makes others.
    fn launcher(&self) -> Option<&dyn Launcher> {
        None
    }

    async fn strangers(&self, owner: &Owner) -> Result<Vec<Stranger>, ProviderError> {
        let ours = Held::by(owner);
        let found = self
            .on_each(|host| async move {
                let entry = self.logins.enter(host).await?;
                let held = marks::look(&entry.session, "").await?.owner;
                Ok((host, held))
            })
            .await?;
        Ok(found
            .into_iter()
            .filter_map(|(host, held)| {
                let held = held.filter(|held| *held != ours)?;
                Some(Stranger {
                    name: host.instance.name.clone(),
                    id: host.instance.id.clone(),
                    owner: Some(held.to_string()),
                    ..Stranger::default()
                })
            })
            .collect())
    }

    async fn condition(&self, instance: &Instance) -> Result<Condition, ProviderError> {
        // Nobody but its own SSH server can tell, and that is asked next.
        Ok(Condition::running_alone(instance))
    }

    /// Its power is its owner's affair.
    async fn stop(&self, _instance: &Instance) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn start(&self, _instance: &Instance) -> Result<(), ProviderError> {
        Ok(())
    }

    fn starting(&self, instance: &Instance, _: &Condition) -> String {
        format!("start host {}", instance.id)
    }

    async fn host_keys(&self, instance: &Instance) -> Result<HostKeys, ProviderError> {
        let host = self.host(&instance.id)?;
        Ok(HostKeys::Known(host.target.host_keys.clone(), None))
    }

    async fn admit(&self, owner: &Owner, node: &Node) -> Result<Option<Resource>, ProviderError> {
        let host = self.host(&node.id)?;
        let doing = format!("cannot let the cluster's key in on {}", node.name);
        let failed = |error: RemoteError| failed(&doing, error);
        let entry = self.logins.enter(host).await.map_err(failed)?;
        let line = (!entry.by_own_key).then_some(self.line.as_str());
        if let Some(held) = marks::admit(&entry.session, owner, line).await.map_err(failed)? {
            return Err(super::login::failed(&doing, taken(&held)));
        }
        if let (false, Some(own)) = (entry.by_own_key, &self.logins.own) {
            let opened = own.session(&host.target).await;
            opened.map_err(|error| match error {
                RemoteError::AuthRefused { .. } => super::login::failed(&doing, not_believed(node)),
                other => failed(other),
            })?;
        }
        self.logins.leave(host);
        Ok(Some(resource(host, owner.run)))
    }

    fn asked(&self) -> String {
        format!(
            "each of {} listed hosts for its mark and the cluster's key",
            self.hosts.len()
        )
    }

    /// A host that cannot be asked counts as one that has something: it keeps nobody from cleaning the others, and is
    /// named in the end.
    async fn owned(&self, owner: &Owner) -> Result<Vec<Resource>, ProviderError> {
        let ours = Held::by(owner);
        let ours = &ours;
        let found = self
            .on_each(|host| async move {
                let look = async {
                    let entry = self.logins.enter(host).await?;
                    marks::look(&entry.session, &self.line).await
                };
                let is_ours = match look.await {
                    Ok(marks) => marks.has_key || marks.owner.as_ref() == Some(ours),
                    Err(error) => {
                        tracing::warn!(node = %host.instance.name, %error, "cannot be asked what it has of the run");
                        true
                    }
                };
                Ok::<_, Trouble>(is_ours.then(|| resource(host, owner.run)))
            })
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn tagged(&self) -> Result<Vec<Tagged>, ProviderError> {
        let found = self
            .on_each(|host| async move {
                let entry = self.logins.enter(host).await?;
                let held = marks::look(&entry.session, "").await?.owner;
                Ok(held.map(|held| Tagged {
                    provider: ProviderKind::Hosts,
                    place: None,
                    kind: KEY_KIND.into(),
                    id: resource(host, &held.run).id,
                    name: host.instance.name.clone(),
                    cluster: held.cluster,
                    run: held.run,
                    // Its fence tells, and better.
                    driver: None,
                    // What the mark says of it is for people.
                    made_by: None,
                    made_at: None,
                }))
            })
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn delete(&self, resource: &Resource) -> Result<Deletion, ProviderError> {
        let doing = format!("cannot give {} back", resource.name);
        let unknown = || {
            not_listed(&format!(
                "{doing}: {} is nothing that was left on a host",
                resource.id
            ))
        };
        let (run, address) = resource.id.split_once('@').ok_or_else(unknown)?;
        let owner = Owner {
            cluster: self.cluster.clone(),
            run: run.parse().map_err(|_| unknown())?,
            driver: None,
            made_by: None,
        };
        let host = self.host(address)?;
        let leave = async {
            let entry = self.logins.enter(host).await?;
            marks::leave(&entry.session, &owner, &self.line).await
        };
        leave.await.map_err(|error| failed(&doing, error))?;
        Ok(Deletion::Gone)
    }
}

/// The line is in the file, and the server does not open.
fn not_believed(node: &Node) -> Trouble {
    Trouble::new(
        format!(
            "its line is in ~{}/.ssh/authorized_keys, and the SSH server does not take it",
            node.user
        ),
        "see that `AuthorizedKeysFile` in sshd_config names that file, and that nobody but its owner may write to it and \
         to the folders above it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::HostSpec;
    use crate::cluster::Role;

    fn spec() -> ClusterSpec {
        let host = |name: Option<&str>, role, address: &str, private: Option<&str>| HostSpec {
            name: name.map(str::to_owned),
            role,
            address: address.parse().unwrap(),
            private_address: private.map(|text| text.parse().unwrap()),
            user: "admin".into(),
            port: 2201,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q"
                .parse()
                .unwrap(),
        };
        let mut spec = ClusterSpec::default();
        spec.hosts.identity_file = Some("/nowhere/key".into());
        spec.hosts.nodes = vec![
            host(None, Role::Slave, "192.0.2.1", None),
            host(Some("rack1-a"), Role::Master, "192.0.2.2", Some("10.0.0.2")),
            host(None, Role::Slave, "192.0.2.3", None),
        ];
        spec
    }

    #[test]
    fn hosts_are_numbered_within_their_roles_and_named_after_them() {
        let spec = spec();
        let found: Vec<_> = spec.listed().into_iter().map(|(instance, _)| instance).collect();
        let names: Vec<_> = found.iter().map(|instance| instance.name.as_str()).collect();
        assert_eq!(names, ["demo-slave-1", "rack1-a", "demo-slave-2"]);
        assert_eq!(
            (found[0].public_ip, found[0].private_ip),
            (None, "192.0.2.1".parse().unwrap())
        );
        assert_eq!(
            (found[1].public_ip, found[1].private_ip),
            (Some("192.0.2.2".parse().unwrap()), "10.0.0.2".parse().unwrap())
        );
    }

    #[test]
    fn a_resource_says_which_runs_key_is_on_which_host() {
        let spec = spec();
        let provider = HostsProvider::open(&spec, None).unwrap();
        let made = resource(&provider.hosts[1], "01jd3k00000000000000000001");
        assert_eq!(made.id, "01jd3k00000000000000000001@192.0.2.2");
        assert_eq!(
            (made.kind.as_str(), made.name.as_str()),
            ("authorized-key", "rack1-a")
        );
        assert_eq!(provider.hosts[1].target.to_string(), "admin@192.0.2.2:2201");
    }

    #[test]
    fn hosts_are_there_and_nothing_makes_others() {
        let provider = HostsProvider::open(&spec(), None).unwrap();
        assert!(provider.launcher().is_none());
    }

    #[tokio::test]
    async fn what_is_not_in_the_list_is_refused_without_being_looked_for() {
        let provider = HostsProvider::open(&spec(), None).unwrap();
        for id in ["01jd3k00000000000000000001@198.51.100.1", "i-1", "x@192.0.2.1"] {
            let resource = Resource {
                kind: KEY_KIND.into(),
                id: id.into(),
                name: "x".into(),
            };
            let error = provider.delete(&resource).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Permanent, "{id}");
        }
    }
}
