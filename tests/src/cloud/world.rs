//! The cloud as it is: asked past the front and its faults.

use std::fmt::Debug;
use std::future::Future;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_ec2::types::{
    ArchitectureValues, AttributeBooleanValue, Filter, HttpTokensState, InstanceAttributeName,
    InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceType, IpPermission, IpRange,
    ResourceType, Tag, TagSpecification,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::runtime::Handle;

use super::instance::{Group, Instance, Rule, Tags, Volume, tags};
use crate::bench::REGION;

/// Where machines are.
const ZONE: &str = "us-east-1a";
const TAG_RUN: &str = "mesosflow:run";

/// The cloud's own view. Every question waits for its answer.
#[derive(Debug, Clone)]
pub struct World {
    client: Client,
    runtime: Handle,
}

/// A network for instances: they get addresses of that range, and none outside of it.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// As `vpc-…`.
    pub vpc: String,
    /// As `subnet-…`.
    pub id: String,
    /// Its range.
    pub cidr: String,
}

impl World {
    pub(super) fn new(moto: &str, runtime: Handle) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(moto)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .build();
        let client = Client::from_conf(config);
        Self { client, runtime }
    }

    /// The whole API, for what has no word here; see [`World::wait`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for an answer, be it an error.
    pub fn wait_for<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Waits for an answer.
    ///
    /// # Panics
    /// It is an error.
    #[track_caller]
    pub fn wait<T, E: Debug>(&self, call: impl Future<Output = Result<T, E>>) -> T {
        match self.wait_for(call) {
            Ok(answer) => answer,
            Err(error) => panic!("the stand-in for AWS: {error:?}"),
        }
    }

    /// Every machine, terminated ones too.
    #[track_caller]
    pub fn all_instances(&self) -> Vec<Instance> {
        let found = self.wait(
            self.client
                .describe_instances()
                .into_paginator()
                .items()
                .send()
                .try_collect(),
        );
        let instances = found.iter().flat_map(|reservation| reservation.instances());
        let mut all: Vec<_> = instances.map(Instance::new).collect();
        all.sort_by(|a, b| (a.tag("Name"), &a.id).cmp(&(b.tag("Name"), &b.id)));
        all
    }

    /// Every machine that runs or is about to, in the order of their names.
    #[track_caller]
    pub fn alive_instances(&self) -> Vec<Instance> {
        let mut all = self.all_instances();
        all.retain(Instance::is_alive);
        all
    }

    /// One machine.
    ///
    /// # Panics
    /// There is none of that id.
    #[track_caller]
    pub fn instance(&self, id: &str) -> Instance {
        match self
            .all_instances()
            .into_iter()
            .find(|instance| instance.id == id)
        {
            Some(instance) => instance,
            None => panic!("no instance {id}"),
        }
    }

    /// The groups whose names begin so, with their rules.
    #[track_caller]
    pub fn groups(&self, prefix: &str) -> Vec<Group> {
        let found = self.wait(
            self.client
                .describe_security_groups()
                .into_paginator()
                .items()
                .send()
                .try_collect(),
        );
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let is_named = |name: Option<&str>| name.is_some_and(|name| name.starts_with(prefix));
        let found = found.iter().filter(|group| is_named(group.group_name()));
        let mut groups: Vec<_> = found
            .map(|group| Group {
                id: text(group.group_id()),
                name: text(group.group_name()),
                vpc: text(group.vpc_id()),
                rules: self.rules(group.group_id().unwrap_or_default()),
                tags: tags(group.tags()),
            })
            .collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        groups
    }

    /// What a group lets in.
    #[track_caller]
    fn rules(&self, group: &str) -> Vec<Rule> {
        let filter = Filter::builder().name("group-id").values(group).build();
        let call = self.client.describe_security_group_rules().filters(filter);
        let found = self.wait(call.into_paginator().items().send().try_collect());
        let ingress = found.iter().filter(|rule| rule.is_egress() != Some(true));
        let mut rules: Vec<_> = ingress.map(Rule::new).collect();
        rules.sort_by(|a, b| (&a.what, &a.from, &a.id).cmp(&(&b.what, &b.from, &b.id)));
        rules
    }

    /// All volumes.
    #[track_caller]
    pub fn volumes(&self) -> Vec<Volume> {
        let found = self.wait(
            self.client
                .describe_volumes()
                .into_paginator()
                .items()
                .send()
                .try_collect(),
        );
        found.iter().map(Volume::new).collect()
    }

    /// Spot requests: id, state and tags.
    #[track_caller]
    pub fn spot_requests(&self) -> Vec<(String, String, Tags)> {
        let call = self.client.describe_spot_instance_requests();
        let found = self.wait(call.into_paginator().items().send().try_collect());
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let request = |request: &aws_sdk_ec2::types::SpotInstanceRequest| {
            let state = request.state().map(|state| state.as_str());
            (
                text(request.spot_instance_request_id()),
                text(state),
                tags(request.tags()),
            )
        };
        found.iter().map(request).collect()
    }

    /// Key pairs: name, public key and tags.
    #[track_caller]
    pub fn key_pairs(&self) -> Vec<(String, String, Tags)> {
        let found = self.wait(self.client.describe_key_pairs().include_public_key(true).send());
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let pairs = found.key_pairs().iter();
        pairs
            .map(|pair| {
                (
                    text(pair.key_name()),
                    text(pair.public_key()).trim().to_owned(),
                    tags(pair.tags()),
                )
            })
            .collect()
    }

    /// All that carries a run's tag and still exists, each as `instance i-…`; machines until they are terminated.
    #[track_caller]
    pub fn left(&self, run: &str) -> Vec<String> {
        let is_of = |tags: &Tags| tags.get(TAG_RUN).is_some_and(|found| found == run);
        let mut left = Vec::new();
        let mut add = |kind: &str, id: &str| left.push(format!("{kind} {id}"));
        for instance in self.all_instances() {
            if is_of(&instance.tags) && instance.state != "terminated" {
                add("instance", &instance.id);
            }
        }
        for volume in self.volumes().iter().filter(|volume| is_of(&volume.tags)) {
            add("volume", &volume.id);
        }
        for group in self.groups("") {
            if is_of(&group.tags) {
                add("group", &group.id);
            }
            for rule in group.rules.iter().filter(|rule| is_of(&rule.tags)) {
                add("rule", &rule.id);
            }
        }
        for (id, state, tags) in self.spot_requests() {
            if is_of(&tags) && matches!(state.as_str(), "open" | "active") {
                add("spot request", &id);
            }
        }
        for (name, _, _) in self.key_pairs().iter().filter(|(_, _, tags)| is_of(tags)) {
            add("key pair", name);
        }
        left
    }

    /// An image of the account's own. Moto forgets all about it but the name: in its answers, it has no architecture.
    #[track_caller]
    pub fn register_image(&self, name: &str) -> String {
        let call = self
            .client
            .register_image()
            .name(name)
            .architecture(ArchitectureValues::X8664)
            .root_device_name("/dev/xvda");
        self.wait(call.send()).image_id().unwrap_or_default().to_owned()
    }

    /// A network of exactly that range, as a private one: instances get no address outside. Always in the same zone: not
    /// every zone has every type of machine.
    #[track_caller]
    pub fn make_subnet(&self, cidr: &str) -> Subnet {
        let made = self.wait(self.client.create_vpc().cidr_block(cidr).send());
        let vpc = made
            .vpc()
            .and_then(|vpc| vpc.vpc_id())
            .unwrap_or_default()
            .to_owned();
        let made = self.wait(
            self.client
                .create_subnet()
                .vpc_id(&vpc)
                .cidr_block(cidr)
                .availability_zone(ZONE)
                .send(),
        );
        let id = made.subnet().and_then(|subnet| subnet.subnet_id());
        let id = id.unwrap_or_default().to_owned();
        let no = AttributeBooleanValue::builder().value(false).build();
        let call = self.client.modify_subnet_attribute().subnet_id(&id);
        self.wait(call.map_public_ip_on_launch(no).send());
        let cidr = cidr.to_owned();
        Subnet { vpc, id, cidr }
    }

    /// Somebody else starts a machine.
    #[track_caller]
    pub(super) fn launch(
        &self,
        image: &str,
        user_data: &str,
        tags: &[(&str, &str)],
        group: &str,
        subnet: &str,
    ) -> Instance {
        let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
        let specification = TagSpecification::builder()
            .resource_type(ResourceType::Instance)
            .set_tags(Some(tags.iter().map(tag).collect()));
        let specification = Some(vec![specification.build()]).filter(|_| !tags.is_empty());
        let options = InstanceMetadataOptionsRequest::builder()
            .http_tokens(HttpTokensState::Required)
            .instance_metadata_tags(InstanceMetadataTagsState::Enabled);
        let call = self
            .client
            .run_instances()
            .image_id(image)
            .min_count(1)
            .max_count(1);
        let call = call
            .instance_type(InstanceType::M5Large)
            .subnet_id(subnet)
            .security_group_ids(group)
            .user_data(STANDARD.encode(user_data))
            .metadata_options(options.build())
            .set_tag_specifications(specification);
        let launched = self.wait(call.send());
        let instance = launched.instances().first();
        let id = instance.and_then(|instance| instance.instance_id());
        self.instance(id.unwrap_or_default())
    }

    /// Somebody else puts a tag on something, or changes its value.
    #[track_caller]
    pub fn tag(&self, id: &str, key: &str, value: &str) {
        let tag = Tag::builder().key(key).value(value).build();
        self.wait(self.client.create_tags().resources(id).tags(tag).send());
    }

    /// Whether a machine sees its tags in its metadata, from now on.
    #[track_caller]
    pub fn show_tags(&self, id: &str, is_shown: bool) {
        let state = match is_shown {
            true => InstanceMetadataTagsState::Enabled,
            false => InstanceMetadataTagsState::Disabled,
        };
        let call = self.client.modify_instance_metadata_options().instance_id(id);
        // What is not named moto forgets.
        let call = call
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1);
        self.wait(call.instance_metadata_tags(state).send());
    }

    /// Somebody else terminates a machine.
    #[track_caller]
    pub fn terminate(&self, id: &str) {
        self.wait(self.client.terminate_instances().instance_ids(id).send());
    }

    /// Somebody else's group, in a network or in the account's default one.
    #[track_caller]
    pub fn add_group(&self, name: &str, vpc: Option<&str>) -> String {
        let call = self
            .client
            .create_security_group()
            .group_name(name)
            .description("somebody else's");
        let made = self.wait(call.set_vpc_id(vpc.map(str::to_owned)).send());
        made.group_id().unwrap_or_default().to_owned()
    }

    /// Somebody else lets TCP into a group, to one port, from a range of addresses.
    #[track_caller]
    pub fn add_rule(&self, group: &str, port: i32, cidr: &str) {
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(port)
            .to_port(port)
            .ip_ranges(IpRange::builder().cidr_ip(cidr).build())
            .build();
        let call = self.client.authorize_security_group_ingress().group_id(group);
        self.wait(call.ip_permissions(permission).send());
    }

    /// How many disks of its own a type of machine has.
    #[track_caller]
    pub fn stores(&self, kind: &str) -> usize {
        let call = self
            .client
            .describe_instance_types()
            .instance_types(InstanceType::from(kind));
        let found = self.wait(call.send());
        let types = found.instance_types().iter();
        let disks = types
            .filter_map(|kind| kind.instance_storage_info())
            .flat_map(|storage| storage.disks());
        disks.filter_map(|disk| usize::try_from(disk.count()?).ok()).sum()
    }

    /// What an instance was given at its launch.
    #[track_caller]
    pub fn user_data(&self, id: &str) -> Vec<u8> {
        let call = self.client.describe_instance_attribute().instance_id(id);
        let found = self.wait(call.attribute(InstanceAttributeName::UserData).send());
        let coded = found
            .user_data()
            .and_then(|data| data.value())
            .unwrap_or_default();
        STANDARD.decode(coded).expect("user data in base64")
    }
}
