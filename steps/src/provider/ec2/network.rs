//! Where in the network the machines go: a VPC, and one subnet for all of them, since HDFS' traffic between zones is billed.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{LocationType, Subnet};
use ipnet::IpNet;
use mesosflow_workflow::ErrorClass;

use super::api::Api;
use super::failure::Failure;
use super::tags::filter;
use crate::cluster::{ClusterSpec, Ec2Spec};
use crate::provider::{Answer, ProviderError};

/// Where the machines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) vpc: String,
    pub(super) subnet: String,
    /// The subnet's addresses.
    pub(super) range: Option<IpNet>,
}

fn range(subnet: &Subnet) -> Option<IpNet> {
    subnet.cidr_block()?.parse().ok()
}

/// The zone of a subnet; none where there is no such subnet any more, which the launch itself will say.
pub(super) async fn zone_of(api: &Api, subnet: &str) -> Result<Option<String>, Failure> {
    let call = api.reads().describe_subnets().subnet_ids(subnet);
    match api.read("DescribeSubnets", || call.clone().send()).await {
        Ok(found) => Ok(found
            .subnets()
            .first()
            .and_then(|subnet| subnet.availability_zone().map(str::to_owned))),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The network that the spec means.
pub(super) async fn find(api: &Api, spec: &ClusterSpec) -> Result<Network, ProviderError> {
    let ec2 = &spec.ec2;
    if let Some(id) = &ec2.subnet {
        return named(api, ec2, id).await;
    }
    let vpc = match &ec2.vpc {
        Some(vpc) => vpc.clone(),
        None => default_vpc(api).await?,
    };
    let mut subnets = subnets(api, &vpc).await?;
    if let Some(zone) = &ec2.zone {
        subnets.retain(|subnet| subnet.availability_zone() == Some(zone));
    }
    let types = types(spec);
    let mut zones = zones_offering(api, &types).await?;
    // Nobody is put into a Local or a Wavelength Zone without asking for it: they have other prices and fewer disks.
    if ec2.zone.is_none() {
        let ordinary = ordinary_zones(api).await?;
        zones.retain(|zone| ordinary.contains(zone));
    }
    subnets.retain(|subnet| {
        subnet
            .availability_zone()
            .is_some_and(|zone| zones.contains(zone))
    });
    // In the default VPC each zone has one subnet that is meant for whoever names none.
    subnets.sort_by_key(|subnet| {
        let zone = subnet.availability_zone().unwrap_or_default().to_owned();
        let id = subnet.subnet_id().unwrap_or_default().to_owned();
        (!subnet.default_for_az().unwrap_or_default(), zone, id)
    });
    let found = subnets.first();
    match found.and_then(Subnet::subnet_id) {
        Some(subnet) => Ok(Network {
            vpc,
            subnet: subnet.to_owned(),
            range: found.and_then(range),
        }),
        None => Err(refused(
            format!("VPC {vpc} has no subnet for these machines"),
            match &ec2.zone {
                Some(zone) => format!("none in {zone}, in a zone that offers {}", types.join(" and ")),
                None => format!("none in a zone that offers {}", types.join(" and ")),
            },
            "name a subnet with --subnet, another --zone, or other instance types",
        )),
    }
}

/// Every instance type that the cluster needs.
pub(super) fn types(spec: &ClusterSpec) -> Vec<String> {
    let types: BTreeSet<_> = spec
        .roles()
        .into_iter()
        .map(|role| spec.ec2.type_of(role).to_owned())
        .collect();
    types.into_iter().collect()
}

async fn named(api: &Api, ec2: &Ec2Spec, id: &str) -> Result<Network, ProviderError> {
    let call = api.reads().describe_subnets().subnet_ids(id);
    let found = api.read("DescribeSubnets", || call.clone().send()).await?;
    let subnet = found.subnets().first();
    let vpc = subnet.and_then(Subnet::vpc_id).unwrap_or_default().to_owned();
    let wrong = |what: String| {
        Err(refused(
            format!("subnet {id} is not where it was said to be"),
            what,
            "leave out --vpc and --zone: the subnet has them",
        ))
    };
    if ec2.vpc.as_ref().is_some_and(|asked| *asked != vpc) {
        return wrong(format!("it is in {vpc}"));
    }
    let zone = subnet.and_then(Subnet::availability_zone).unwrap_or_default();
    if ec2.zone.as_deref().is_some_and(|asked| asked != zone) {
        return wrong(format!("it is in {zone}"));
    }
    Ok(Network {
        vpc,
        subnet: id.to_owned(),
        range: subnet.and_then(range),
    })
}

async fn default_vpc(api: &Api) -> Result<String, ProviderError> {
    let call = api
        .reads()
        .describe_vpcs()
        .filters(filter("is-default", &["true"]));
    let found = api.read("DescribeVpcs", || call.clone().send()).await?;
    let vpc = found.vpcs().first().and_then(|vpc| vpc.vpc_id());
    vpc.map(str::to_owned).ok_or_else(|| {
        refused(
            format!("the account has no default VPC in {}", api.region()),
            "no VPC is marked as the default".into(),
            "name a subnet with --subnet, or a VPC with --vpc",
        )
    })
}

async fn subnets(api: &Api, vpc: &str) -> Result<Vec<Subnet>, Failure> {
    let call = api.reads().describe_subnets().filters(filter("vpc-id", &[vpc]));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    api.read("DescribeSubnets", pages).await
}

/// The zones in which every one of the types is to be had.
async fn zones_offering(api: &Api, types: &[String]) -> Result<BTreeSet<String>, Failure> {
    let names: Vec<_> = types.iter().map(String::as_str).collect();
    let call = api
        .reads()
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(filter("instance-type", &names));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let offered = api.read("DescribeInstanceTypeOfferings", pages).await?;
    let mut zones: Option<BTreeSet<String>> = None;
    for name in names {
        let of_type = offered
            .iter()
            .filter(|offer| offer.instance_type().is_some_and(|found| found.as_str() == name))
            .filter_map(|offer| offer.location().map(str::to_owned))
            .collect();
        zones = Some(match zones {
            None => of_type,
            Some(all) => all.intersection(&of_type).cloned().collect(),
        });
    }
    Ok(zones.unwrap_or_default())
}

/// The region's availability zones, without the Local and Wavelength Zones that the account has opted in to.
async fn ordinary_zones(api: &Api) -> Result<BTreeSet<String>, Failure> {
    let call = api.reads().describe_availability_zones();
    let found = api
        .read("DescribeAvailabilityZones", || call.clone().send())
        .await?;
    let ordinary = found
        .availability_zones()
        .iter()
        .filter(|zone| zone.zone_type().is_none_or(|kind| kind == "availability-zone"));
    Ok(ordinary
        .filter_map(|zone| zone.zone_name().map(str::to_owned))
        .collect())
}

/// Something in the account is not as the spec needs it; nothing was touched.
pub(super) fn refused(doing: String, answer: String, hint: &str) -> ProviderError {
    ProviderError {
        doing,
        class: ErrorClass::Permanent,
        hint: Some(hint.to_owned()),
        source: Answer(answer),
    }
}
