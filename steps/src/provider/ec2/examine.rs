//! What the credentials, the account and the region have and lack for a cluster. Nothing is made: what would make something is asked
//! with `DryRun`, by the very request that a launch sends.

use std::collections::BTreeMap;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_ec2::types::{
    InstanceMetadataTagsState, IpPermission, ResourceType, SecurityGroup, Tag, UserIdGroupPair,
};
use mesosflow_workflow::{EffectKey, Generation, RunId, StepId};

use super::api::{self, Api};
use super::failure::{Failure, Stage};
use super::network::{self, Network};
use super::tags::{self, Tags, filter};
use super::{image, launch};
use crate::cluster::ClusterSpec;
use crate::provider::{Groups, Image, Launch, Need, Order, Owner, ProviderError, Slot};

/// What says that the caller may, and that nothing was done.
const MAY: &str = "DryRunOperation";
/// What says that the caller may not.
const MAY_NOT: &[&str] = &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"];
const POLICY: &str =
    "give it to the user or role: docs/iam-policy.json is a policy with all that mesosflow needs";

/// Looks from the outermost to the innermost: what lies behind something that is lacking cannot be looked at.
pub async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    let config = api::load(&spec.ec2).await;
    // Neither needs the other to be looked at.
    let (region, credentials) = (api::region(&config), credentials(&config).await);
    let has_credentials = credentials.ok;
    let region = match region {
        Ok(region) => region,
        Err(error) => return vec![Need::of("AWS region", &error), credentials],
    };
    let mut all = vec![Need::fine("AWS region", &region), credentials];
    if !has_credentials {
        return all;
    }
    all.push(account(&config, spec, &region).await);
    let api = match Api::open(&spec.ec2).await {
        Ok(api) => api,
        Err(error) => {
            all.push(Need::of("EC2", &error));
            return all;
        }
    };
    let zones = api.reads().describe_availability_zones();
    match api
        .read_once("DescribeAvailabilityZones", || zones.clone().send())
        .await
    {
        Ok(found) => all.push(Need::fine(
            "EC2",
            format!(
                "answers in {region}, which has {} zones",
                found.availability_zones().len()
            ),
        )),
        // It was reached and understood; what may not be looked at is told below.
        Err(failure) if failure.is(MAY_NOT) => all.push(Need::fine("EC2", format!("answers in {region}"))),
        Err(failure) => {
            all.push(Need::of("EC2", &ProviderError::from(failure)));
            return all;
        }
    }
    all.extend(looks(&api).await);
    let network = network::find(&api, spec).await;
    all.push(told("network", &network, |network: &Network| {
        format!(
            "{} in {}: every instance type is offered there",
            network.subnet, network.vpc
        )
    }));
    let image = image::existing(&api, spec).await;
    all.push(told("image", &image, |image: &Image| {
        format!(
            "{} ({}, {}), on which {} logs in",
            image.id, image.name, image.architecture, image.login_user
        )
    }));
    if let (Ok(network), Ok(image)) = (&network, &image) {
        all.extend(launches(&api, spec, network, image).await);
    }
    if let Ok(network) = &network {
        all.push(makes_groups(&api, spec, network).await);
    }
    all.extend(changes(&api).await);
    all
}

fn told<T>(what: &str, found: &Result<T, ProviderError>, detail: impl Fn(&T) -> String) -> Need {
    match found {
        Ok(found) => Need::fine(what, detail(found)),
        Err(error) => Need::of(what, error),
    }
}

/// Which source of the chain has them, and never what they are.
async fn credentials(config: &aws_config::SdkConfig) -> Need {
    let what = "AWS credentials";
    let hint = "give credentials as for every AWS program: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile \
                (`aws configure`, `aws sso login`, AWS_PROFILE), or the role of the instance that this runs on";
    let Some(chain) = config.credentials_provider() else {
        return Need::lacking(what, "there is no source for any", hint);
    };
    match chain.provide_credentials().await {
        Ok(found) => {
            let source = source(&format!("{found:?}"));
            let until = found.expiry().and_then(|at| jiff::Timestamp::try_from(at).ok());
            let until = until.map_or_else(String::new, |at| {
                format!(", until {}", at.strftime("%Y-%m-%d %H:%M UTC"))
            });
            Need::fine(what, format!("from {source}{until}"))
        }
        Err(error) => {
            let mut text = error.to_string();
            let mut deeper = std::error::Error::source(&error);
            while let Some(cause) = deeper {
                text = format!("{text}: {cause}");
                deeper = cause.source();
            }
            Need::lacking(what, text, hint)
        }
    }
}

/// The source, which credentials name to whoever debugs them and to nobody else.
fn source(debugged: &str) -> String {
    let named = debugged
        .split_once("provider_name: \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match named.map_or("", |(name, _)| name) {
        "" => "the SDK's standard chain".to_owned(),
        "EnvironmentVariable" => "the environment (AWS_ACCESS_KEY_ID)".to_owned(),
        "ProfileFile" => "a profile of the AWS configuration".to_owned(),
        "SSO" => "single sign-on (`aws sso login`)".to_owned(),
        "IMDS" | "IMDSv2" => "the role of the instance that this runs on".to_owned(),
        "EcsContainer" => "the container's role".to_owned(),
        "WebIdentityToken" => "a web identity token".to_owned(),
        "CredentialProcess" => "the profile's `credential_process`".to_owned(),
        other => other.to_owned(),
    }
}

/// Whose they are, and that the account is the recorded one is not asked: there is no run yet.
async fn account(config: &aws_config::SdkConfig, spec: &ClusterSpec, region: &str) -> Need {
    let what = "AWS account";
    match api::account_of(config, &spec.ec2, region).await {
        Ok(Some(account)) => Need::fine(what, account),
        Ok(None) => Need::fine(
            what,
            "not known: EC2's endpoint is a stand-in's, and no STS was named (`sts_endpoint_url`); nothing will keep a run from \
             another account's credentials",
        ),
        Err(error) => Need::of(what, &error),
    }
}

/// Whether everything may be looked at that is looked at: one call of each kind, which shows nothing. What a network and an image are
/// looked up by is told with them.
async fn looks(api: &Api) -> Vec<Need> {
    let none = || filter("tag:mesosflow:run", &["none"]);
    let reads = api.reads();
    let groups = reads.describe_security_groups().filters(none());
    let rules = reads.describe_security_group_rules().filters(none());
    let instances = reads.describe_instances().filters(none());
    let volumes = reads.describe_volumes().filters(none());
    let requests = reads.describe_spot_instance_requests().filters(none());
    let asked = [
        (
            "DescribeSecurityGroups",
            api.read("DescribeSecurityGroups", || groups.clone().send())
                .await
                .map(drop),
        ),
        (
            "DescribeSecurityGroupRules",
            api.read("DescribeSecurityGroupRules", || rules.clone().send())
                .await
                .map(drop),
        ),
        (
            "DescribeInstances",
            api.read("DescribeInstances", || instances.clone().send())
                .await
                .map(drop),
        ),
        (
            "DescribeVolumes",
            api.read("DescribeVolumes", || volumes.clone().send())
                .await
                .map(drop),
        ),
        (
            "DescribeSpotInstanceRequests",
            api.read("DescribeSpotInstanceRequests", || requests.clone().send())
                .await
                .map(drop),
        ),
    ];
    let finding = |(operation, asked): (&str, Result<(), Failure>)| match asked {
        Ok(()) => Need::fine(permission(operation), "allowed"),
        Err(failure) if failure.is(MAY_NOT) => missing(operation, &failure),
        Err(failure) => Need::of(permission(operation), &ProviderError::from(failure)),
    };
    asked.into_iter().map(finding).collect()
}

fn permission(operation: &str) -> String {
    format!("ec2:{operation}")
}

fn missing(operation: &str, failure: &Failure) -> Need {
    let detail = format!("the permission is missing: {failure}");
    Need::lacking(permission(operation), detail, POLICY)
}

/// What came of a request that was only asked for.
fn dry<T>(operation: &str, of: &str, asked: Result<T, Failure>) -> Need {
    let what = match of {
        "" => permission(operation),
        of => format!("{} ({of})", permission(operation)),
    };
    match asked {
        Err(failure) if failure.is(&[MAY]) => Need::fine(what, "allowed"),
        Err(failure) if failure.is(MAY_NOT) => Need {
            what,
            ..missing(operation, &failure)
        },
        Err(failure) if matches!(failure.stage, Stage::Refused(_)) => {
            let hint = ProviderError::from(failure.clone()).hint;
            let finding = Need::failed(what, format!("EC2 would refuse it: {failure}"));
            Need { hint, ..finding }
        }
        Err(failure) => Need::of(what, &ProviderError::from(failure)),
        Ok(_) => Need::lacking(
            what,
            "this endpoint took `DryRun` for the real call, and has made something",
            "see what it has made: what it offers is not EC2's API",
        ),
    }
}

/// The launch of each type of machine, as it would be sent.
async fn launches(api: &Api, spec: &ClusterSpec, network: &Network, image: &Image) -> Vec<Need> {
    let groups = Groups {
        by_role: BTreeMap::new(),
        rules: String::new(),
        subnet: Some(network.subnet.clone()),
        range: network.range,
        foreign: Vec::new(),
    };
    let mut all = Vec::new();
    let mut asked = Vec::new();
    for role in spec.roles() {
        let order = Order::new(spec, role, &groups, image);
        let kind = match &order.spot_price {
            Some(_) => format!("{}, spot", order.machine_type),
            None => order.machine_type.clone(),
        };
        if asked.contains(&kind) {
            continue;
        }
        let owner = nobody(spec);
        let slot = Slot {
            run: owner.run,
            owner,
            generation: Generation::FIRST,
            round: 0,
            role,
            index: 1,
        };
        let step = StepId::from_static("doctor");
        let launch = Launch {
            effect_key: EffectKey::derive(slot.owner.run, slot.generation, &step, None, 0),
            slot,
            image: image.id.clone(),
            group: String::new(),
            order: Some(order.clone()),
            address: None,
            authorized_key: String::new(),
            shows_by: None,
        };
        let request = launch::request(
            api,
            &spec.ec2,
            &launch,
            &order,
            launch.effect_key.as_str(),
            "",
            None,
        );
        let request = request.dry_run(true);
        let outcome = api.write("RunInstances", || request.clone().send()).await;
        all.push(dry("RunInstances", &kind, outcome));
        asked.push(kind);
    }
    all
}

/// Whose what is only asked for would be.
fn nobody(spec: &ClusterSpec) -> Owner {
    Owner {
        cluster: spec.cluster.clone(),
        run: RunId::generate(),
        driver: None,
        made_by: None,
    }
}

async fn makes_groups(api: &Api, spec: &ClusterSpec, network: &Network) -> Need {
    let owner = nobody(spec);
    // A name that no group of a cluster has.
    let name = format!("mesosflow-doctor-{}", owner.run);
    let request = api
        .writes()
        .create_security_group()
        .group_name(&name)
        .description("asked for, and not made")
        .vpc_id(&network.vpc)
        .tag_specifications(Tags::of_owner(&owner, &name, &spec.ec2.tags).on(ResourceType::SecurityGroup))
        .dry_run(true);
    let outcome = api.write("CreateSecurityGroup", || request.clone().send()).await;
    dry("CreateSecurityGroup", "", outcome)
}

/// What is only allowed on things that carry mesosflow's tags can only be asked of one.
async fn changes(api: &Api) -> Vec<Need> {
    let groups = api.reads().describe_security_groups().filters(tags::of_any_run());
    let groups = api.read("DescribeSecurityGroups", || groups.clone().send()).await;
    let group = groups.ok().and_then(|found| {
        found
            .security_groups()
            .first()
            .and_then(SecurityGroup::group_id)
            .map(str::to_owned)
    });
    let instances = api
        .reads()
        .describe_instances()
        .filters(tags::of_any_run())
        .filters(filter("instance-state-name", &["pending", "running", "stopped"]));
    let instances = api.read("DescribeInstances", || instances.clone().send()).await;
    let instance = instances.ok().and_then(|found| {
        let mut instances = found
            .reservations()
            .iter()
            .flat_map(|reservation| reservation.instances());
        instances
            .next()
            .and_then(|instance| instance.instance_id().map(str::to_owned))
    });
    let unknown = |operation: &str, what: &str| {
        let detail = format!("not known: it is asked about {what} with mesosflow's tags, and there is none");
        Need::fine(permission(operation), detail)
    };
    let mut all = Vec::new();
    all.push(match &group {
        None => unknown("AuthorizeSecurityGroupIngress", "a security group"),
        Some(group) => {
            let request = api
                .writes()
                .authorize_security_group_ingress()
                .group_id(group)
                .ip_permissions(nothing_new(group))
                .dry_run(true);
            let outcome = api
                .write("AuthorizeSecurityGroupIngress", || request.clone().send())
                .await;
            dry("AuthorizeSecurityGroupIngress", group, outcome)
        }
    });
    for operation in OnInstance::ALL {
        all.push(match &instance {
            None => unknown(operation.name(), "an instance"),
            Some(instance) => dry(operation.name(), instance, operation.ask(api, instance).await),
        });
    }
    all
}

/// What is done to an instance that exists.
#[derive(Debug, Clone, Copy)]
enum OnInstance {
    Tag,
    ShowTags,
    Stop,
    Start,
    Terminate,
}

impl OnInstance {
    const ALL: [Self; 5] = [
        Self::Tag,
        Self::ShowTags,
        Self::Stop,
        Self::Start,
        Self::Terminate,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Tag => "CreateTags",
            Self::ShowTags => "ModifyInstanceMetadataOptions",
            Self::Stop => "StopInstances",
            Self::Start => "StartInstances",
            Self::Terminate => "TerminateInstances",
        }
    }

    /// Asks whether it may be done to an instance, and does nothing to it.
    async fn ask(self, api: &Api, instance: &str) -> Result<(), Failure> {
        let (name, writes) = (self.name(), api.writes());
        match self {
            Self::Tag => {
                let tag = Tag::builder().key(tags::DRIVER).value("doctor").build();
                let call = writes.create_tags().resources(instance).tags(tag).dry_run(true);
                api.write(name, || call.clone().send()).await.map(drop)
            }
            Self::ShowTags => {
                let call = writes.modify_instance_metadata_options().instance_id(instance);
                let call = call.instance_metadata_tags(InstanceMetadataTagsState::Enabled);
                let call = call.dry_run(true);
                api.write(name, || call.clone().send()).await.map(drop)
            }
            Self::Stop => {
                let call = writes.stop_instances().instance_ids(instance).dry_run(true);
                api.write(name, || call.clone().send()).await.map(drop)
            }
            Self::Start => {
                let call = writes.start_instances().instance_ids(instance).dry_run(true);
                api.write(name, || call.clone().send()).await.map(drop)
            }
            Self::Terminate => {
                let call = writes.terminate_instances().instance_ids(instance).dry_run(true);
                api.write(name, || call.clone().send()).await.map(drop)
            }
        }
    }
}

/// A rule that lets a group's machines reach one another, which its group has already.
fn nothing_new(group: &str) -> IpPermission {
    let pair = UserIdGroupPair::builder().group_id(group).build();
    IpPermission::builder()
        .ip_protocol("-1")
        .user_id_group_pairs(pair)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ec2::failure::Effect;

    fn refused(code: &str) -> Result<(), Failure> {
        Err(Failure {
            operation: "RunInstances",
            region: "us-east-1".into(),
            effect: Effect::Write,
            stage: Stage::Refused(412),
            code: code.into(),
            message: "so it is".into(),
            request_id: None,
        })
    }

    #[test]
    fn what_is_only_asked_for_is_allowed_missing_or_refused() {
        let may = dry("RunInstances", "m5.large", refused(MAY));
        assert_eq!((may.ok, may.what.as_str()), (true, "ec2:RunInstances (m5.large)"));
        let may_not = dry("RunInstances", "", refused("UnauthorizedOperation"));
        assert!(
            !may_not.ok && may_not.detail.contains("permission is missing"),
            "{may_not:?}"
        );
        assert!(may_not.hint.unwrap().contains("iam-policy.json"));
        let quota = dry("RunInstances", "", refused("VcpuLimitExceeded"));
        assert!(!quota.ok && quota.hint.unwrap().contains("quota"));
        let made = dry("RunInstances", "", Ok(()));
        assert!(!made.ok && made.detail.contains("has made something"));
    }

    #[test]
    fn credentials_are_told_by_their_source_alone() {
        let found = aws_credential_types::Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            None,
            "EnvironmentVariable",
        );
        let told = source(&format!("{found:?}"));
        assert_eq!(told, "the environment (AWS_ACCESS_KEY_ID)");
        assert_eq!(source(""), "the SDK's standard chain");
    }
}
