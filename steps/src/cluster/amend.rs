//! What may be given anew for a cluster that exists: from where its administrators come.

use ipnet::IpNet;
use mesosflow_workflow::StepId;

use super::{ClusterSpec, Ec2Spec, ProviderKind, SpecError};

const GROUPS: StepId = StepId::from_static("security-groups");
const FIREWALL: [StepId; 2] = [
    StepId::from_static("setup-master"),
    StepId::from_static("setup-nodes"),
];

impl ClusterSpec {
    /// Where the spec has the administrators' addresses, and the steps that see to them: security groups on EC2, on listed hosts
    /// the firewall, which is a part of a node's set-up.
    pub fn admission(&self) -> (&'static str, Vec<StepId>) {
        match self.of_hosts() {
            Some(_) => ("hosts.admin_cidr", FIREWALL.into()),
            None => ("ec2.admin_cidr", vec![GROUPS]),
        }
    }

    /// The administrators' addresses, where something goes by them.
    pub fn admins(&self) -> &[IpNet] {
        match (self.of_ec2(), self.of_hosts()) {
            (Some(ec2), _) => &ec2.admin_cidr,
            (_, Some(hosts)) => &hosts.admin_cidr,
            (None, None) => &[],
        }
    }

    /// The same cluster with what another run of it was told anew.
    #[must_use]
    pub fn told_like(mut self, newer: &Self) -> Self {
        self.ec2.admin_cidr.clone_from(&newer.ec2.admin_cidr);
        self.hosts.admin_cidr.clone_from(&newer.hosts.admin_cidr);
        self
    }

    /// The same cluster with other administrators' addresses; what should be known of them.
    ///
    /// # Errors
    /// Nothing at this provider lets addresses in or keeps them out.
    pub fn readmitting(mut self, admins: Vec<IpNet>) -> Result<(Self, Vec<String>), SpecError> {
        let refused = |problem: String| SpecError {
            field: self.admission().0,
            problem,
            hint: "leave out --admin-cidr".into(),
        };
        let warnings = match self.provider {
            ProviderKind::Ec2 => {
                self.ec2.admin_cidr = admins;
                self.ec2.open_to_everybody()
            }
            ProviderKind::Hosts if self.hosts.has_firewall() => {
                self.hosts.admin_cidr = admins;
                Vec::new()
            }
            ProviderKind::Hosts => {
                return Err(refused(
                    "is of no use where mesosflow lays down no firewall".into(),
                ));
            }
            ProviderKind::Local => {
                return Err(refused(format!("is of no use to provider `{}`", self.provider)));
            }
        };
        Ok((self, warnings))
    }
}

impl Ec2Spec {
    /// A warning for each range that lets everybody in.
    pub(super) fn open_to_everybody(&self) -> Vec<String> {
        let open = self.admin_cidr.iter().filter(|cidr| cidr.prefix_len() == 0);
        open.map(|cidr| {
            format!(
                "SSH and every web interface of the cluster, which ask for no password, will be open to {cidr}: everybody"
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::FirewallChoice;
    use super::*;

    #[test]
    fn where_administrators_come_from_is_a_value_of_the_spec_and_its_step_one_of_the_catalogue() {
        let admins: Vec<IpNet> = vec!["198.51.100.9/32".parse().unwrap()];
        let ec2 = ClusterSpec {
            provider: ProviderKind::Ec2,
            ..ClusterSpec::default()
        };
        let (amended, warnings) = ec2.clone().readmitting(admins.clone()).unwrap();
        assert!(warnings.is_empty());
        let hosts = ClusterSpec {
            provider: ProviderKind::Hosts,
            ..ClusterSpec::default()
        };
        assert!(hosts.clone().readmitting(admins.clone()).is_err(), "no firewall");
        let mut walled = hosts;
        walled.hosts.firewall = Some(FirewallChoice::Nftables);
        let (walled, _) = walled.readmitting(admins.clone()).unwrap();
        for amended in [amended, walled] {
            let (field, steps) = amended.admission();
            let pointer = format!("/{}", field.replace('.', "/"));
            let value = serde_json::to_value(&amended).unwrap();
            assert_eq!(value.pointer(&pointer), Some(&serde_json::json!(admins)));
            for step in steps {
                assert!(crate::catalogue().iter().any(|entry| entry.id == step), "{step}");
            }
        }

        let everybody = vec!["::/0".parse().unwrap()];
        assert_eq!(ec2.readmitting(everybody).unwrap().1.len(), 1);
        let local = ClusterSpec::default().readmitting(admins).unwrap_err();
        assert!(local.to_string().contains("of no use"), "{local}");
    }
}
