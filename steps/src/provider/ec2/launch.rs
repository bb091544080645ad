//! Launching: one machine for one place, under a client token that makes EC2 itself refuse a second one.

use std::time::Duration;

use aws_sdk_ec2::operation::run_instances::RunInstancesOutput;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceNetworkInterfaceSpecification,
    InstanceType, MarketType, ResourceType, SpotInstanceType, SpotMarketOptions, VolumeType,
};
use jiff::Timestamp;
use mesosflow_workflow::{EffectKey, ErrorClass};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::api::Api;
use super::failure::{ADDRESS_TAKEN, Failure};
use super::groups;
use super::instances::{Seen, by_tokens};
use super::network::refused;
use super::sight::Sight;
use super::tags::{self, Tags};
use crate::cluster::Ec2Spec;
use crate::provider::ec2_facts::{VOLUME_DEVICE, ephemeral_names};
use crate::provider::{Launch, Order, ProviderError, Slot};

/// EC2's answer to a token whose machine was terminated since.
const TOKEN_SPENT: &str = "IdempotentInstanceTerminated";
/// EC2's answer to a token that was used for another call: the same launch in the words of another version of this program.
const TOKEN_OF_ANOTHER: &str = "IdempotentParameterMismatch";
/// EC2's answers to a group that it does not know, or not yet.
const NO_GROUP: &[&str] = &[
    "InvalidGroup.NotFound",
    "InvalidGroupId.NotFound",
    "InvalidSecurityGroupID.NotFound",
];
/// How long a machine is looked for that may have been launched by that call, where every earlier try was answered, and so brought
/// none: EC2 shows what it has launched within seconds. One that nobody saw answered is looked for by [`Launch::shows_by`].
const SHOWS_WITHIN: Duration = Duration::from_secs(20);
/// How long an address may still be that of a machine which has ended.
const ADDRESS_FREE_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The most characters of a client token ("Ensuring idempotency" in the EC2 API reference).
const TOKEN_LENGTH: usize = 64;
/// Machines of one place that may have been terminated, one after the other, before something is wrong.
const MOST_TOKENS: usize = 16;

/// The client token of a launch: the effect key as it is in the journal, or its digest where it is too long. The machine
/// that takes the place of a terminated one, in the same generation, has the next token.
pub(super) fn token(effect: &EffectKey, number: usize) -> String {
    let named = match number {
        1 => effect.as_str().to_owned(),
        number => format!("{effect}-{number}"),
    };
    if named.len() <= TOKEN_LENGTH {
        return named;
    }
    hex::encode(Sha256::digest(named))
}

/// What a launch is about, beside the spec.
pub(super) struct Ordered<'a> {
    pub(super) launch: &'a Launch,
    /// What the machine is told, as the API takes it.
    pub(super) user_data: &'a str,
    /// Tokens whose machines are gone by now.
    pub(super) spent: &'a [&'a str],
    /// The volume of the place that has outlived an earlier machine.
    pub(super) kept: Option<&'a str>,
}

/// Every token under which a machine may have been launched for these effects.
pub(super) fn tokens(effects: &[EffectKey]) -> Vec<String> {
    let numbered = |effect| (1..=MOST_TOKENS).map(move |number| token(effect, number));
    effects.iter().flat_map(numbered).collect()
}

/// Launches a machine, or gets the one that was launched under the same token.
pub(super) async fn launch(
    api: &Api,
    sight: &Sight,
    spec: &Ec2Spec,
    ordered: &Ordered<'_>,
) -> Result<Seen, ProviderError> {
    let Ordered {
        launch,
        user_data,
        spent,
        kept,
    } = *ordered;
    let Some(order) = &launch.order else {
        return Err(refused(
            format!("{} was not ordered", launch.slot.node_name()),
            "no instance type is known for it".into(),
            "this is a defect: please report it",
        ));
    };
    for number in 1..=MOST_TOKENS {
        let token = token(&launch.effect_key, number);
        if spent.contains(&token.as_str()) {
            continue;
        }
        let anywhere = launch.address.map(|_| Launch {
            address: None,
            ..launch.clone()
        });
        let wanted = request(api, spec, launch, order, &token, user_data, kept);
        let anywhere = anywhere.map(|launch| request(api, spec, &launch, order, &token, user_data, kept));
        let launched = match run(api, &launch.slot, wanted, anywhere).await {
            Ok(launched) => launched,
            Err(failure) if failure.is(&[TOKEN_SPENT]) => continue,
            Err(failure) if failure.is(&[TOKEN_OF_ANOTHER]) => match under(api, sight, &token, launch).await?
            {
                Some(seen) => return Ok(seen),
                // That call came to nothing, for want of capacity say.
                None => continue,
            },
            Err(failure) if failure.is(NO_GROUP) => {
                return Err(groups::unknown(api, &launch.group, failure).await);
            }
            Err(failure) => {
                let what = format!(
                    "{failure} ({}, {})",
                    order.machine_type,
                    order.subnet.as_deref().unwrap_or("no subnet")
                );
                let mut error = ProviderError::from(failure);
                error.source.0 = what;
                return Err(error);
            }
        };
        let machine = launched
            .instances
            .unwrap_or_default()
            .into_iter()
            .next()
            .map(Seen::new);
        match machine {
            // Under this token there was a machine, and EC2 still remembers how it ended.
            Some(seen) if !seen.is_alive() => {}
            Some(seen) => return Ok(seen),
            None => {
                return Err(ProviderError {
                    class: ErrorClass::Ambiguous,
                    ..refused(
                        "EC2 launched nothing".into(),
                        "its answer names no machine".into(),
                        "look again",
                    )
                });
            }
        }
    }
    Err(refused(
        format!("{} ends again and again", launch.slot.node_name()),
        format!("{MOST_TOKENS} launches of it came to nothing, or their machines are terminated"),
        "find out who or what terminates them (CloudTrail), then resume",
    ))
}

/// Launches it as it is wanted, at the address that it is to have if nobody has that; otherwise anywhere. A machine that ended a moment ago gives its own back in the end; an API
/// that breaks where it is asked for one may have launched it all the same, which the token shows.
async fn run(
    api: &Api,
    slot: &Slot,
    wanted: RunInstancesFluentBuilder,
    anywhere: Option<RunInstancesFluentBuilder>,
) -> Result<RunInstancesOutput, Failure> {
    let give_up = Instant::now() + ADDRESS_FREE_WITHIN;
    loop {
        let launched = api.write("RunInstances", || wanted.clone().send()).await;
        let (refused, anywhere) = match (launched, &anywhere) {
            (Err(failure), Some(anywhere)) if failure.is_about_address() => (failure, anywhere),
            (other, _) => return other,
        };
        if refused.is(&[ADDRESS_TAKEN]) && Instant::now() < give_up {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        tracing::warn!(
            target: "mesosflow::progress",
            "{}: it cannot have the address of the machine before it: {refused}: it gets another one",
            slot.node_name()
        );
        return api.write("RunInstances", || anywhere.clone().send()).await;
    }
}

/// The machine that was launched under a token, if it lives.
async fn under(
    api: &Api,
    sight: &Sight,
    token: &str,
    launch: &Launch,
) -> Result<Option<Seen>, ProviderError> {
    let left = launch.shows_by.map(|by| by.duration_since(Timestamp::now()));
    let left = left
        .and_then(|left| Duration::try_from(left).ok())
        .unwrap_or_default();
    let limit = left.max(SHOWS_WITHIN);
    tracing::info!(
        target: "mesosflow::progress",
        "{}: EC2 knows its launch in other words: the machine of that one is looked for, for {} s at most",
        launch.slot.node_name(), limit.as_secs()
    );
    let give_up = Instant::now() + limit;
    loop {
        // A look that begins later than that, and shows none, proves that there is none.
        let is_last = Instant::now() >= give_up;
        let all = sight.look(api).await?;
        let shown = match all.iter().find(|seen| seen.token() == token) {
            Some(seen) => Some(seen.clone()),
            // Its tags may come later than it does.
            None => by_tokens(api, &[token.to_owned()]).await?.pop(),
        };
        if shown.is_some() || is_last {
            return Ok(shown.filter(Seen::is_alive));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is asked of EC2. Without a group it is only to be asked whether it would be done.
pub(super) fn request(
    api: &Api,
    spec: &Ec2Spec,
    launch: &Launch,
    order: &Order,
    token: &str,
    user_data: &str,
    kept: Option<&str>,
) -> RunInstancesFluentBuilder {
    let groups = Some(vec![launch.group.clone()]).filter(|_| !launch.group.is_empty());
    let own = Tags::of_slot(&launch.slot, &spec.tags);
    let mut kinds = vec![ResourceType::Volume, ResourceType::NetworkInterface];
    if order.spot_price.is_some() {
        kinds.push(ResourceType::SpotInstancesRequest);
    }
    let mut marked: Vec<_> = kinds.into_iter().map(|kind| own.on(kind)).collect();
    let of_machine = match kept {
        Some(volume) => own.with(tags::KEPT, volume),
        None => own,
    };
    marked.push(of_machine.on(ResourceType::Instance));
    let profile = spec
        .iam_profile
        .as_ref()
        .map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    // Version 1 of the metadata service would hand the machine's credentials to whatever can make it fetch a URL.
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(HttpTokensState::Required)
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_put_response_hop_limit(1)
        // By its tags it knows its role and its cluster, whatever addresses these have by the time it boots.
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled);
    let call = api
        .writes()
        .run_instances()
        .client_token(token)
        .min_count(1)
        .max_count(1)
        .image_id(&launch.image)
        .instance_type(InstanceType::from(order.machine_type.as_str()))
        .set_key_name(spec.key_pair.clone())
        .set_iam_instance_profile(profile)
        .user_data(user_data)
        .metadata_options(metadata.build())
        .set_block_device_mappings(Some(disks(spec, order, kept.is_some())))
        .set_instance_market_options(order.spot_price.as_deref().map(market))
        .set_tag_specifications(Some(marked));
    let address = launch.address.map(|address| address.to_string());
    match spec.public_address {
        None => call
            .set_subnet_id(order.subnet.clone())
            .set_private_ip_address(address)
            .set_security_group_ids(groups),
        Some(public) => call.network_interfaces(
            InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .set_subnet_id(order.subnet.clone())
                .set_groups(groups)
                .set_private_ip_address(address)
                .associate_public_ip_address(public)
                .build(),
        ),
    }
}

/// The root disk goes with its machine: one that stays behind, as some images want it, would be paid for unseen. The volume of
/// the persistent HDFS stays for the next machine of its place; where there is one already, none is made.
fn disks(spec: &Ec2Spec, order: &Order, has_volume: bool) -> Vec<BlockDeviceMapping> {
    let gigabytes = |size: u32| i32::try_from(size).unwrap_or(i32::MAX);
    let mut mappings = Vec::new();
    if let Some(root) = &order.root_device {
        let disk = EbsBlockDevice::builder()
            .delete_on_termination(true)
            .encrypted(spec.root_encrypted)
            .set_kms_key_id(spec.kms_key.clone().filter(|_| spec.root_encrypted))
            .set_volume_size(order.root_gb.map(gigabytes));
        mappings.push(
            BlockDeviceMapping::builder()
                .device_name(root)
                .ebs(disk.build())
                .build(),
        );
    }
    if order.volume_gb > 0 && !has_volume {
        let disk = EbsBlockDevice::builder()
            .delete_on_termination(false)
            .volume_size(gigabytes(order.volume_gb))
            .volume_type(VolumeType::from(spec.volume.kind.as_str()))
            .encrypted(spec.volume.encrypted)
            .set_kms_key_id(spec.kms_key.clone().filter(|_| spec.volume.encrypted));
        mappings.push(
            BlockDeviceMapping::builder()
                .device_name(VOLUME_DEVICE)
                .ebs(disk.build())
                .build(),
        );
    }
    mappings.extend(
        ephemeral_names()
            .take(order.mapped_disks)
            .enumerate()
            .map(|(number, name)| {
                BlockDeviceMapping::builder()
                    .device_name(name)
                    .virtual_name(format!("ephemeral{number}"))
                    .build()
            }),
    );
    mappings
}

/// A spot instance that is ended, not stopped, when the price rises: its place is filled again by a resume.
fn market(price: &str) -> InstanceMarketOptionsRequest {
    let options = SpotMarketOptions::builder()
        .max_price(price)
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate);
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options.build())
        .build()
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{Generation, ItemKey, StepId};

    use super::*;

    fn effect(item: &str, generation: u32) -> EffectKey {
        let run = "01jd3k00000000000000000abc".parse().unwrap();
        let step = StepId::from_static("launch-slaves");
        EffectKey::derive(run, Generation(generation), &step, Some(&ItemKey::from(item)), 0)
    }

    #[test]
    fn a_token_is_the_effects_name_and_never_too_long() {
        let short = effect("demo-slave-1", 1);
        assert_eq!(token(&short, 1), short.as_str());
        let long = effect(&format!("{}-slave-1000", "a".repeat(40)), 1);
        assert_eq!(token(&long, 1).len(), TOKEN_LENGTH);
        let all = [
            token(&short, 1),
            token(&short, 2),
            token(&effect("demo-slave-1", 2), 1),
            token(&effect("demo-slave-2", 1), 1),
            token(&long, 1),
            token(&long, 2),
        ];
        let once: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(once.len(), all.len(), "{all:?}");
        assert!(
            all.iter()
                .all(|token| token.len() <= TOKEN_LENGTH && token.is_ascii())
        );
    }

    #[test]
    fn the_root_disk_goes_with_its_machine_and_the_volume_stays_for_the_next_one() {
        let mut spec = Ec2Spec::default();
        spec.volume.size_gb = 100;
        let order = Order {
            machine_type: "m3.2xlarge".into(),
            subnet: None,
            login_user: "admin".into(),
            root_device: Some("/dev/xvda".into()),
            root_gb: Some(8),
            mapped_disks: 2,
            volume_gb: 100,
            spot_price: None,
            capacity_limit_s: 60,
        };
        let mappings = disks(&spec, &order, false);
        let names: Vec<_> = mappings
            .iter()
            .filter_map(|mapping| mapping.device_name())
            .collect();
        assert_eq!(names, ["/dev/xvda", "/dev/sdv", "/dev/sdb", "/dev/sdc"]);
        let goes = |number: usize| mappings[number].ebs().unwrap().delete_on_termination();
        assert_eq!((goes(0), goes(1)), (Some(true), Some(false)));
        assert_eq!(mappings[1].ebs().unwrap().encrypted(), Some(true));
        let without = disks(&spec, &order, true);
        assert!(
            without
                .iter()
                .all(|mapping| mapping.device_name() != Some(VOLUME_DEVICE))
        );
        let encrypted = |mappings: &[BlockDeviceMapping]| {
            let disks = mappings.iter().filter_map(|mapping| mapping.ebs());
            let said = disks.map(|disk| {
                (
                    disk.encrypted() == Some(true),
                    disk.kms_key_id().map(str::to_owned),
                )
            });
            said.collect::<Vec<_>>()
        };
        assert_eq!(encrypted(&mappings), [(true, None), (true, None)]);
        spec.kms_key = Some("alias/disks".into());
        spec.root_encrypted = false;
        let key = Some("alias/disks".to_owned());
        assert_eq!(
            encrypted(&disks(&spec, &order, false)),
            [(false, None), (true, key)]
        );
    }
}
