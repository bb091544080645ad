//! The three security groups: found by name, made with their tags, given every rule that they lack.
//!
//! A group of that name which somebody else made is used as it is: what it lacks is added, rule by rule, each recorded as a
//! resource of its own and taken away by `destroy`; what else it lets in is left and reported. While somebody else's
//! machines live in it, it is not touched at all.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, SecurityGroup};
use mesosflow_workflow::{ErrorClass, Resource};
use tokio::time::Instant;

use super::api::Api;
use super::failure::Failure;
use super::network::{self, Network};
use super::rules::{self, Rule};
use super::tags::{self, Tags, filter};
use crate::cluster::{ClusterSpec, Role};
use crate::provider::ec2_facts::group_name;
use crate::provider::{Answer, Groups, Owner, ProviderError};

/// Kinds of resources, in the journal's words.
pub(super) const GROUP: &str = "security-group";
pub(super) const RULE: &str = "security-group-rule";

const ROLES: [Role; 3] = [Role::Master, Role::Slave, Role::Zookeeper];
/// How long a group may take until every part of EC2 knows it, and the pause between two looks.
const SHOWS_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What AWS' pages show beside each rule.
const REASON: &str = "mesosflow";

/// The groups as they are.
pub(super) struct Found {
    network: Network,
    by_role: BTreeMap<Role, SecurityGroup>,
}

/// Looks for the groups in the VPC that the spec means.
pub(super) async fn look(api: &Api, spec: &ClusterSpec, owner: &Owner) -> Result<Found, ProviderError> {
    look_in(api, owner, network::find(api, spec).await?).await
}

async fn look_in(api: &Api, owner: &Owner, network: Network) -> Result<Found, ProviderError> {
    let names = ROLES.map(|role| group_name(&owner.cluster, role));
    let call = api
        .reads()
        .describe_security_groups()
        .filters(filter("vpc-id", &[&network.vpc]))
        .filters(filter("group-name", &names.each_ref().map(String::as_str)));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let mut groups: Vec<SecurityGroup> = api.read("DescribeSecurityGroups", pages).await?;
    let mut by_role = BTreeMap::new();
    for (role, name) in ROLES.iter().zip(&names) {
        if let Some(index) = groups.iter().position(|group| group.group_name() == Some(name)) {
            by_role.insert(*role, groups.swap_remove(index));
        }
    }
    Ok(Found { network, by_role })
}

impl Found {
    /// The same look once more.
    pub(super) async fn again(self, api: &Api, owner: &Owner) -> Result<Self, ProviderError> {
        look_in(api, owner, self.network).await
    }

    /// The id of the slaves', if there is one.
    pub(super) fn of_slaves(&self) -> Option<&str> {
        self.by_role.get(&Role::Slave)?.group_id()
    }

    /// The ids of those that exist.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.by_role
            .values()
            .filter_map(SecurityGroup::group_id)
            .collect()
    }

    /// What each of them lacks of its rules; none where one of them is missing.
    fn missing(&self, spec: &ClusterSpec) -> Option<Vec<(Role, Rule)>> {
        let ids = self.ids();
        (ids.len() == ROLES.len()).then(|| {
            let lacking = self.by_role.iter().flat_map(|(role, group)| {
                let has = rules::existing(group.ip_permissions());
                let wanted = rules::wanted(*role, &ids, &spec.ec2.admin_cidr);
                wanted
                    .into_iter()
                    .filter(move |rule| !rule.is_in(&has))
                    .map(|rule| (*role, rule))
            });
            lacking.collect()
        })
    }

    /// The groups, if they are there with every rule; those in `occupied` need not have them (yet).
    pub(super) fn complete(&self, spec: &ClusterSpec, occupied: &[Role]) -> Option<Groups> {
        let missing = self.missing(spec)?;
        missing
            .iter()
            .all(|(role, _)| occupied.contains(role))
            .then(|| self.groups(spec, occupied))
    }

    /// The roles whose group is not the run's own, by its tag.
    pub(super) fn foreign(&self, owner: &Owner) -> Vec<Role> {
        let run = owner.run.to_string();
        let is_foreign = |(role, group): (&Role, &SecurityGroup)| {
            (tags::value(group.tags(), tags::RUN) != Some(&*run)).then_some(*role)
        };
        self.by_role.iter().filter_map(is_foreign).collect()
    }

    fn groups(&self, spec: &ClusterSpec, occupied: &[Role]) -> Groups {
        let ids = self.ids();
        let foreign = self.by_role.iter().flat_map(|(role, group)| {
            let wanted = rules::wanted(*role, &ids, &spec.ec2.admin_cidr);
            let name = group_name(&spec.cluster, *role);
            rules::existing(group.ip_permissions())
                .into_iter()
                .filter(move |rule| !wanted.iter().any(|wanted| rule.is(wanted)))
                .map(move |rule| format!("{name}: {rule}"))
        });
        let foreign = foreign.collect();
        let admins: Vec<_> = spec.ec2.admin_cidr.iter().map(ToString::to_string).collect();
        let mut said = format!(
            "the cluster's machines reach one another; SSH and web interfaces from {}",
            admins.join(", ")
        );
        for role in occupied {
            said.push_str(&format!(
                "; {} is not touched while somebody else's machines are in it",
                group_name(&spec.cluster, *role)
            ));
        }
        let id =
            |(role, group): (&Role, &SecurityGroup)| (*role, group.group_id().unwrap_or_default().to_owned());
        Groups {
            by_role: self.by_role.iter().map(id).collect(),
            rules: said,
            subnet: Some(self.network.subnet.clone()),
            range: self.network.range,
            foreign,
        }
    }
}

/// Makes the groups that are missing. What it makes is in `made` at once.
pub(super) async fn make(
    api: &Api,
    spec: &ClusterSpec,
    owner: &Owner,
    found: &Found,
    made: &mut Vec<Resource>,
) -> Result<(), ProviderError> {
    for role in ROLES.into_iter().filter(|role| !found.by_role.contains_key(role)) {
        let name = group_name(&owner.cluster, role);
        let tags = Tags::of_owner(owner, &name, &spec.ec2.tags)
            .made_by(owner)
            .with(tags::ROLE, role.as_str());
        let call = api
            .writes()
            .create_security_group()
            .group_name(&name)
            .description(format!("mesosflow cluster {}: {role}", owner.cluster))
            .vpc_id(&found.network.vpc)
            .tag_specifications(tags.on(ResourceType::SecurityGroup));
        match api.write("CreateSecurityGroup", || call.clone().send()).await {
            Ok(created) => made.push(Resource {
                kind: GROUP.into(),
                id: created.group_id.unwrap_or_default(),
                name,
            }),
            // An earlier call whose answer was lost; the next look finds it.
            Err(failure) if failure.is(&["InvalidGroup.Duplicate"]) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}

/// Adds the rules that are missing, but in the groups of `occupied`. A rule in a group that is not the run's own is a
/// resource of its own.
pub(super) async fn complete(
    api: &Api,
    spec: &ClusterSpec,
    owner: &Owner,
    found: &Found,
    occupied: &[Role],
    made: &mut Vec<Resource>,
) -> Result<(), ProviderError> {
    let foreign = found.foreign(owner);
    let mut missing = found.missing(spec).unwrap_or_default();
    missing.retain(|(role, _)| !occupied.contains(role));
    for (role, rule) in missing {
        let Some(group) = found.by_role.get(&role).and_then(SecurityGroup::group_id) else {
            continue;
        };
        let name = format!("{}: {rule}", group_name(&owner.cluster, role));
        let tags = Tags::of_owner(owner, &name, &spec.ec2.tags).made_by(owner);
        let call = api
            .writes()
            .authorize_security_group_ingress()
            .group_id(group)
            .ip_permissions(rule.permission(REASON))
            .tag_specifications(tags.on(ResourceType::SecurityGroupRule));
        match api
            .write("AuthorizeSecurityGroupIngress", || call.clone().send())
            .await
        {
            Ok(added) if foreign.contains(&role) => {
                let ids = added
                    .security_group_rules()
                    .iter()
                    .filter_map(|rule| rule.security_group_rule_id());
                made.extend(ids.map(|id| Resource {
                    kind: RULE.into(),
                    id: id.to_owned(),
                    name: name.clone(),
                }));
            }
            Ok(_) => {}
            Err(failure) if failure.is(&["InvalidPermission.Duplicate"]) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}

/// Rules for addresses that the run once added to these groups and that are not wanted any more, by their group. What somebody
/// else has added carries no tag of the run's.
pub(super) async fn obsolete(
    api: &Api,
    spec: &ClusterSpec,
    owner: &Owner,
    found: &Found,
    occupied: &[Role],
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let ids = found.ids();
    let mut obsolete: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tagged in tagged_rules(api, tags::of_run(owner.run)).await? {
        let is_its = |(_, group): &(&Role, &SecurityGroup)| group.group_id() == tagged.group_id();
        let Some((role, _)) = found.by_role.iter().find(is_its) else {
            continue;
        };
        let wanted = rules::wanted(*role, &ids, &spec.ec2.admin_cidr);
        let is_wanted =
            rules::of_addresses(&tagged).is_none_or(|rule| wanted.iter().any(|wanted| rule.is(wanted)));
        if let (false, false, Some(group), Some(id)) = (
            is_wanted,
            occupied.contains(role),
            tagged.group_id(),
            tagged.security_group_rule_id(),
        ) {
            obsolete.entry(group.to_owned()).or_default().push(id.to_owned());
        }
    }
    Ok(obsolete)
}

/// Takes away what is [`obsolete`].
pub(super) async fn shut(
    api: &Api,
    spec: &ClusterSpec,
    owner: &Owner,
    found: &Found,
    occupied: &[Role],
) -> Result<(), ProviderError> {
    for (group, rules) in obsolete(api, spec, owner, found, occupied).await? {
        let call = api.writes().revoke_security_group_ingress().group_id(group);
        let call = call.set_security_group_rule_ids(Some(rules));
        match api
            .write("RevokeSecurityGroupIngress", || call.clone().send())
            .await
        {
            Ok(_) => {}
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}

/// The roles whose group EC2 does not show any more.
pub(super) async fn lost(api: &Api, groups: &Groups) -> Result<Vec<Role>, Failure> {
    let ids: Vec<_> = groups.by_role.values().map(String::as_str).collect();
    // By a filter: an id that does not exist is no error then, and one look is enough for all.
    let call = api
        .reads()
        .describe_security_groups()
        .filters(filter("group-id", &ids));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let found: Vec<SecurityGroup> = api.read("DescribeSecurityGroups", pages).await?;
    let is_lost = |id: &str| !found.iter().any(|group| group.group_id() == Some(id));
    let roles = groups.by_role.iter();
    Ok(roles
        .filter(|(_, id)| is_lost(id))
        .map(|(role, _)| *role)
        .collect())
}

/// What a refused launch into a group comes to: one that was just made is known everywhere within seconds, and what nobody shows
/// after that is gone.
pub(super) async fn unknown(api: &Api, group: &str, refused: Failure) -> ProviderError {
    let give_up = Instant::now() + SHOWS_WITHIN;
    let one = Groups {
        by_role: [(Role::Master, group.to_owned())].into(),
        rules: String::new(),
        subnet: None,
        range: None,
        foreign: Vec::new(),
    };
    loop {
        match lost(api, &one).await {
            Ok(lost) if !lost.is_empty() => {}
            Ok(_) => return refused.into(),
            Err(failure) => return failure.into(),
        }
        if Instant::now() >= give_up {
            return ProviderError {
                doing: format!("security group {group} is gone"),
                class: ErrorClass::Permanent,
                hint: Some("`mesosflow resume` makes it anew, and launches into it".into()),
                source: Answer(refused.to_string()),
            };
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A rule with its tags, as a look by tags shows it.
pub(super) async fn tagged_rules(
    api: &Api,
    tag: aws_sdk_ec2::types::Filter,
) -> Result<Vec<aws_sdk_ec2::types::SecurityGroupRule>, Failure> {
    let call = api.reads().describe_security_group_rules().filters(tag);
    let pages = || call.clone().into_paginator().items().send().try_collect();
    api.read("DescribeSecurityGroupRules", pages).await
}

/// The groups with these tags.
pub(super) async fn tagged_groups(
    api: &Api,
    tag: aws_sdk_ec2::types::Filter,
) -> Result<Vec<SecurityGroup>, Failure> {
    let call = api.reads().describe_security_groups().filters(tag);
    let pages = || call.clone().into_paginator().items().send().try_collect();
    api.read("DescribeSecurityGroups", pages).await
}
