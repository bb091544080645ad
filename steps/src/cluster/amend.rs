//! What may be given anew for a cluster that exists: from where its administrators come.

use ipnet::IpNet;
use mesosflow_workflow::StepId;

use super::{ClusterSpec, Ec2Spec, ProviderKind, SpecError};

/// The value's place in the spec.
pub const ADMIN_CIDR: &str = "ec2.admin_cidr";
/// The step that sees to it.
pub const ADMITS: StepId = StepId::from_static("security-groups");

impl ClusterSpec {
    /// The same cluster with other administrators' addresses; what should be known of them.
    ///
    /// # Errors
    /// Nothing at this provider lets addresses in or keeps them out.
    pub fn readmitting(mut self, admins: Vec<IpNet>) -> Result<(Self, Vec<String>), SpecError> {
        if self.provider != ProviderKind::Ec2 {
            return Err(SpecError {
                field: ADMIN_CIDR,
                problem: format!("is of no use to provider `{}`", self.provider),
                hint: "leave out --admin-cidr".into(),
            });
        }
        self.ec2.admin_cidr = admins;
        let warnings = self.ec2.open_to_everybody();
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
        let pointer = format!("/{}", ADMIN_CIDR.replace('.', "/"));
        let value = serde_json::to_value(&amended).unwrap();
        assert_eq!(value.pointer(&pointer), Some(&serde_json::json!(admins)));
        assert!(crate::catalogue().iter().any(|step| step.id == ADMITS));

        let everybody = vec!["::/0".parse().unwrap()];
        assert_eq!(ec2.readmitting(everybody).unwrap().1.len(), 1);
        let local = ClusterSpec::default().readmitting(admins).unwrap_err();
        assert!(local.to_string().contains("of no use"), "{local}");
    }
}
