//! Which slaves a cluster has, once some were added, removed, or have joined it by themselves.

use mesosflow_workflow::ItemKey;
use serde::Deserialize as _;
use serde_json::Value;

use super::{ClusterSpec, Instance, Member, Role};

impl ClusterSpec {
    /// The slaves, in the order of their numbers.
    pub fn members(&self) -> Vec<Member> {
        match &self.members {
            Some(members) => members.clone(),
            None => (1..=self.slaves).map(Member::launched).collect(),
        }
    }

    /// The same cluster with these slaves.
    #[must_use]
    pub fn with_members(mut self, mut members: Vec<Member>) -> Self {
        members.sort_by_key(|member| member.index);
        self.slaves = u16::try_from(members.len()).unwrap_or(u16::MAX);
        let is_plain = members
            .iter()
            .cloned()
            .eq((1..=self.slaves).map(Member::launched));
        self.members = (!is_plain).then_some(members);
        self
    }

    /// The numbers of a role's machines that mesosflow launches.
    pub fn places(&self, role: Role) -> Vec<u16> {
        match role {
            Role::Master => (1..=self.masters).collect(),
            Role::Zookeeper => (1..=self.zookeepers()).collect(),
            Role::Slave => {
                let launched = self
                    .members()
                    .into_iter()
                    .filter(|member| member.joined.is_none());
                launched.map(|member| member.index).collect()
            }
        }
    }

    /// The instance type of a role's machine with that number, where that is another one than the role's.
    pub fn own_type(&self, role: Role, index: u16) -> Option<&str> {
        let is_it = |member: &&Member| role == Role::Slave && member.index == index;
        let member = self.members.iter().flatten().find(is_it);
        member.and_then(|member| member.machine_type.as_deref())
    }

    /// The machines that joined by themselves and were adopted.
    pub fn adopted(&self) -> impl Iterator<Item = &Instance> {
        let members = self.members.iter().flatten();
        members.filter_map(|member| member.joined.as_ref())
    }

    /// Whether the machine of that id is one of them.
    pub fn is_adopted(&self, id: &str) -> bool {
        self.adopted().any(|machine| machine.id == id)
    }

    /// Whether a node of that name is one of the cluster's.
    pub fn has_node(&self, name: &ItemKey) -> bool {
        let of_slave = format!("{}-{}-", self.cluster, Role::Slave);
        let index = name.as_str().strip_prefix(&of_slave);
        match index.and_then(|index| index.parse::<u16>().ok()) {
            // Asked for each of many: nothing is copied for it.
            Some(index) => match &self.members {
                Some(members) => members.iter().any(|member| member.index == index),
                None => (1..=self.slaves).contains(&index),
            },
            None => true,
        }
    }

    /// The spec of the cluster within the spec of a run: that of a deploy is the cluster's, any other one has it as `cluster`.
    ///
    /// # Errors
    /// Another version of the program wrote it, in a way that this one cannot read.
    pub fn within(spec: &Value) -> Result<Self, serde_json::Error> {
        match spec.get("cluster") {
            Some(cluster @ Value::Object(_)) => Self::deserialize(cluster),
            _ => Self::deserialize(spec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes(spec: &ClusterSpec) -> Vec<u16> {
        spec.places(Role::Slave)
    }

    #[test]
    fn a_cluster_as_it_was_asked_for_has_no_list() {
        let spec = ClusterSpec::default();
        assert_eq!(indexes(&spec), [1, 2]);
        let more = spec.clone().with_members((1..=3).map(Member::launched).collect());
        assert_eq!((more.slaves, &more.members), (3, &None));
        assert!(more.has_node(&"demo-slave-3".into()));
    }

    #[test]
    fn a_slave_of_another_type_is_one_by_its_number() {
        let of_type = Member {
            machine_type: Some("m5.xlarge".to_owned()),
            ..Member::launched(2)
        };
        let spec = ClusterSpec::default().with_members(vec![Member::launched(1), of_type]);
        assert_eq!(indexes(&spec), [1, 2]);
        assert_eq!(spec.own_type(Role::Slave, 2), Some("m5.xlarge"));
        assert_eq!(
            (spec.own_type(Role::Slave, 1), spec.own_type(Role::Master, 2)),
            (None, None)
        );
    }

    #[test]
    fn numbers_are_kept() {
        let spec = ClusterSpec::default().with_members(vec![Member::launched(4), Member::launched(2)]);
        assert_eq!((spec.slaves, indexes(&spec)), (2, vec![2, 4]));
        assert!(spec.has_node(&"demo-slave-4".into()) && spec.has_node(&"demo-master-1".into()));
        assert!(!spec.has_node(&"demo-slave-1".into()) && !spec.has_node(&"demo-slave-3".into()));
        let json = serde_json::to_value(&spec).unwrap();
        assert_eq!(ClusterSpec::within(&json).unwrap(), spec);
        assert_eq!(
            ClusterSpec::within(&serde_json::json!({"cluster": json, "other": 1})).unwrap(),
            spec
        );
    }
}
