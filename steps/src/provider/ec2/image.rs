//! Images: named by id, or the newest of a system; and whether the types of machines can run them.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    EbsEncryptionSupport, EphemeralNvmeSupport, Image as Ami, ImageState, InstanceType, InstanceTypeInfo,
};

use super::api::Api;
use super::network::refused;
use super::tags::filter;
use crate::cluster::{ClusterSpec, LATEST, MachineType, Role};
use crate::provider::{Image, ProviderError};
use crate::system::{System, UnknownSystem};

/// Who logs in to an image of which nobody knows its own user: cloud-init makes that user, with the cluster's key.
pub(super) const OWN_USER: &str = "mesosflow";

/// Partitions of AWS that have nothing in common, accounts neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partition {
    Commercial,
    China,
    GovCloud,
}

impl Partition {
    fn of(region: &str) -> Self {
        match region {
            _ if region.starts_with("cn-") => Self::China,
            _ if region.starts_with("us-gov-") => Self::GovCloud,
            _ => Self::Commercial,
        }
    }
}

/// Amazon's images have it as the alias of their owner, whichever of its accounts that is in a partition or a new region.
const AMAZON: &str = "amazon";

/// The owner of a system's images, an account or an alias (Debian's wiki, "Cloud/AmazonEC2Image"; Ubuntu's "Finding images"
/// for AWS, with an account for each partition). None where nobody is known to publish them.
const fn publisher(system: System, partition: Partition) -> Option<&'static str> {
    match (system, partition) {
        (System::Debian12, Partition::Commercial) => Some("136693071363"),
        (System::Debian12, _) => None,
        (System::Ubuntu2204 | System::Ubuntu2404, Partition::Commercial) => Some("099720109477"),
        (System::Ubuntu2204 | System::Ubuntu2404, Partition::China) => Some("837727238323"),
        (System::Ubuntu2204 | System::Ubuntu2404, Partition::GovCloud) => Some("513442679011"),
        (System::AmazonLinux2023, _) => Some(AMAZON),
    }
}

/// How a system's images are called, for an architecture in EC2's word. `*` stands for anything.
fn name_pattern(system: System, architecture: &str) -> String {
    let debian_word = match architecture {
        "x86_64" => "amd64",
        other => other,
    };
    match system {
        System::Debian12 => format!("debian-12-{debian_word}-*"),
        System::Ubuntu2204 => format!("ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-{debian_word}-server-*"),
        System::Ubuntu2404 => format!("ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-{debian_word}-server-*"),
        System::AmazonLinux2023 => format!("al2023-ami-2023.*-{architecture}"),
    }
}

/// The user that a system's images make.
const fn login_user(system: System) -> &'static str {
    match system {
        System::Debian12 => "admin",
        System::Ubuntu2204 | System::Ubuntu2404 => "ubuntu",
        System::AmazonLinux2023 => "ec2-user",
    }
}

/// The image that the spec means, if there is one, seen to run on every type of machine.
pub(super) async fn find(api: &Api, spec: &ClusterSpec) -> Result<Option<Image>, ProviderError> {
    let types = machine_types(api, spec).await?;
    let (ami, user) = if spec.ec2.ami == LATEST {
        let system: System = spec.os.parse().map_err(|unknown: UnknownSystem| {
            refused(
                "`latest` needs a known system".into(),
                unknown.to_string(),
                "name an image with --ami",
            )
        })?;
        let Some(ami) = newest(api, system, &common_architecture(&types)?).await? else {
            return Ok(None);
        };
        (ami, login_user(system).to_owned())
    } else {
        let Some(ami) = named(api, &spec.ec2.ami).await? else {
            return Ok(None);
        };
        let user = user_of(&ami, Partition::of(api.region()));
        (ami, user)
    };
    usable(&ami, &types)?;
    if spec.ec2.root_encrypted {
        encryptable(&types)?;
    }
    let root_device = ami.root_device_name().map(str::to_owned);
    let root_gb = ami
        .block_device_mappings()
        .iter()
        .find(|mapping| mapping.device_name() == root_device.as_deref())
        .and_then(|mapping| mapping.ebs()?.volume_size())
        .and_then(|size| u32::try_from(size).ok());
    let machine_types = types.iter().map(|(role, info)| (*role, machine_type(info)));
    Ok(Some(Image {
        id: ami.image_id().unwrap_or_default().to_owned(),
        name: ami.name().unwrap_or_default().to_owned(),
        architecture: architecture(&ami).to_owned(),
        root_device,
        login_user: spec.ec2.login_user.clone().unwrap_or(user),
        root_gb,
        machine_types: machine_types.collect(),
    }))
}

/// The type of each role, as the API describes it.
async fn machine_types(
    api: &Api,
    spec: &ClusterSpec,
) -> Result<BTreeMap<Role, InstanceTypeInfo>, ProviderError> {
    let names = super::network::types(spec);
    let types = names.iter().map(|name| InstanceType::from(name.as_str()));
    let call = api
        .reads()
        .describe_instance_types()
        .set_instance_types(Some(types.collect()));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let infos = api.read("DescribeInstanceTypes", pages).await?;
    let mut found = BTreeMap::new();
    for role in spec.roles() {
        let name = spec.ec2.type_of(role);
        let info = infos
            .iter()
            .find(|info| info.instance_type().is_some_and(|found| found.as_str() == name));
        let Some(info) = info else {
            return Err(refused(
                format!("there is no instance type {name} in {}", api.region()),
                "the API does not know it".into(),
                "choose another --instance-type or --region",
            ));
        };
        found.insert(role, info.clone());
    }
    Ok(found)
}

fn machine_type(info: &InstanceTypeInfo) -> MachineType {
    let storage = info.instance_storage_info();
    let disks = storage.map_or(&[][..], |storage| storage.disks());
    let count: i32 = disks.iter().filter_map(|disk| disk.count()).sum();
    let nvme = storage.and_then(|storage| storage.nvme_support());
    MachineType {
        name: info
            .instance_type()
            .map_or_else(String::new, |name| name.as_str().to_owned()),
        ephemeral_disks: usize::try_from(count).unwrap_or_default(),
        nvme: matches!(
            nvme,
            Some(EphemeralNvmeSupport::Required | EphemeralNvmeSupport::Supported)
        ),
    }
}

/// Refuses types of machines whose disks cannot be encrypted: the first generations.
fn encryptable(types: &BTreeMap<Role, InstanceTypeInfo>) -> Result<(), ProviderError> {
    let cannot = types.iter().find(|(_, info)| {
        let support = info.ebs_info().and_then(|ebs| ebs.encryption_support());
        support == Some(&EbsEncryptionSupport::Unsupported)
    });
    cannot.map_or(Ok(()), |(role, info)| {
        let name = info.instance_type().map_or("the type", |name| name.as_str());
        Err(refused(
            format!("the root disk of {name} ({role}) cannot be encrypted"),
            "the type has no encrypted disks".into(),
            "choose another type, or set `root_encrypted = false` under `[ec2]`",
        ))
    })
}

fn architectures(info: &InstanceTypeInfo) -> Vec<&str> {
    let supported = info
        .processor_info()
        .map_or(&[][..], |processor| processor.supported_architectures());
    supported
        .iter()
        .map(|architecture| architecture.as_str())
        .collect()
}

/// The architecture that one image can have for all of the types.
fn common_architecture(types: &BTreeMap<Role, InstanceTypeInfo>) -> Result<String, ProviderError> {
    for architecture in ["x86_64", "arm64"] {
        if types
            .values()
            .all(|info| architectures(info).contains(&architecture))
        {
            return Ok(architecture.to_owned());
        }
    }
    let said: Vec<_> = types
        .iter()
        .map(|(role, info)| format!("{role}: {}", architectures(info).join(" or ")))
        .collect();
    Err(refused(
        "one image cannot run on all of the instance types".into(),
        said.join(", "),
        "choose types of one architecture",
    ))
}

/// The newest image of a system; by name where two are of the same moment.
async fn newest(api: &Api, system: System, architecture: &str) -> Result<Option<Ami>, ProviderError> {
    let Some(publisher) = publisher(system, Partition::of(api.region())) else {
        return Err(refused(
            format!("no publisher of {system} is known in {}", api.region()),
            "accounts differ between AWS' partitions".into(),
            "name an image with --ami ami-…, or another system with --os ubuntu24.04 or al2023",
        ));
    };
    let call = api
        .reads()
        .describe_images()
        .owners(publisher)
        .filters(filter("name", &[&name_pattern(system, architecture)]))
        .filters(filter("architecture", &[architecture]))
        .filters(filter("state", &["available"]));
    let found = api.read("DescribeImages", || call.clone().send()).await?;
    let mut images = found.images().to_vec();
    images.sort_by_key(|ami| {
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        (text(ami.creation_date()), text(ami.name()))
    });
    Ok(images.pop())
}

async fn named(api: &Api, id: &str) -> Result<Option<Ami>, ProviderError> {
    let call = api.reads().describe_images().image_ids(id);
    match api.read("DescribeImages", || call.clone().send()).await {
        Ok(found) => Ok(found.images().first().cloned()),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn architecture(ami: &Ami) -> &str {
    ami.architecture()
        .map_or("", |architecture| architecture.as_str())
}

/// The user that an image's publisher is known to make, or one of mesosflow's own.
fn user_of(ami: &Ami, partition: Partition) -> String {
    let owners = [ami.owner_id(), ami.image_owner_alias()];
    let name = ami.name().unwrap_or_default();
    let is_named = |word: &str| name.to_ascii_lowercase().starts_with(word);
    let is_its = |system: &System| {
        let named = match system {
            System::Debian12 => is_named("debian-"),
            System::Ubuntu2204 | System::Ubuntu2404 => is_named("ubuntu/images/"),
            System::AmazonLinux2023 => is_named("al2023-ami-") || is_named("amzn2-ami-"),
        };
        let publisher = publisher(*system, partition);
        publisher.is_some() && owners.contains(&publisher) && named
    };
    System::ALL
        .into_iter()
        .find(is_its)
        .map_or(OWN_USER, login_user)
        .to_owned()
}

fn usable(ami: &Ami, types: &BTreeMap<Role, InstanceTypeInfo>) -> Result<(), ProviderError> {
    let id = ami.image_id().unwrap_or_default();
    let wrong = |what: String, hint: &str| Err(refused(format!("image {id} cannot be used"), what, hint));
    if ami.state().is_some_and(|state| *state != ImageState::Available) {
        let state = ami.state().map_or("", |state| state.as_str());
        return wrong(format!("it is {state}"), "name another image with --ami");
    }
    // The API says `windows`, its own description of itself `Windows`.
    let platform = ami.platform().map_or("", |platform| platform.as_str());
    if platform.eq_ignore_ascii_case("windows") {
        return wrong(
            "it is a Windows image".into(),
            "name an image of a Linux system with cloud-init",
        );
    }
    for (role, info) in types {
        if !architectures(info).contains(&architecture(ami)) {
            let machine = info.instance_type().map_or("", |name| name.as_str());
            return wrong(
                format!(
                    "it is for {}, and {machine} ({role}) runs {}",
                    architecture(ami),
                    architectures(info).join(" or ")
                ),
                "choose an image and instance types of one architecture",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        ArchitectureType, ArchitectureValues, DiskInfo, InstanceStorageInfo, ProcessorInfo,
    };

    use super::*;

    fn info(name: &str, architectures: &[&str], disks: i32, nvme: EphemeralNvmeSupport) -> InstanceTypeInfo {
        let supported = architectures
            .iter()
            .map(|word| ArchitectureType::from(*word))
            .collect();
        let processor = ProcessorInfo::builder()
            .set_supported_architectures(Some(supported))
            .build();
        let mut info = InstanceTypeInfo::builder()
            .instance_type(InstanceType::from(name))
            .processor_info(processor);
        if disks > 0 {
            let disk = DiskInfo::builder().count(disks).build();
            info = info.instance_storage_info(
                InstanceStorageInfo::builder()
                    .disks(disk)
                    .nvme_support(nvme)
                    .build(),
            );
        }
        info.build()
    }

    #[test]
    fn each_system_has_its_own_images() {
        assert_eq!(name_pattern(System::Debian12, "x86_64"), "debian-12-amd64-*");
        assert_eq!(
            name_pattern(System::AmazonLinux2023, "arm64"),
            "al2023-ami-2023.*-arm64"
        );
    }

    /// The accounts of one partition do not exist in another.
    #[test]
    fn each_partition_has_its_own_publishers() {
        for (region, ubuntu, debian) in [
            ("eu-central-1", "099720109477", Some("136693071363")),
            ("cn-north-1", "837727238323", None),
            ("us-gov-west-1", "513442679011", None),
        ] {
            let partition = Partition::of(region);
            assert_eq!(publisher(System::Ubuntu2404, partition), Some(ubuntu), "{region}");
            assert_eq!(publisher(System::Debian12, partition), debian, "{region}");
            assert_eq!(
                publisher(System::AmazonLinux2023, partition),
                Some("amazon"),
                "{region}"
            );
        }
    }

    #[test]
    fn the_user_of_an_image_is_known_by_its_publisher_or_the_publishers_alias() {
        let debian = Ami::builder()
            .owner_id("136693071363")
            .name("debian-12-amd64-20250101-1");
        assert_eq!(user_of(&debian.build(), Partition::Commercial), "admin");
        let image = |name: &str, owner: &str, alias: Option<&str>| {
            let image = Ami::builder().name(name).owner_id(owner);
            image.set_image_owner_alias(alias.map(str::to_owned)).build()
        };
        let amazon = image("al2023-ami-2023.1-x86_64", "911749844047", Some("amazon"));
        for partition in [Partition::Commercial, Partition::GovCloud, Partition::China] {
            assert_eq!(user_of(&amazon, partition), "ec2-user");
        }
        // Anybody may call an image so.
        let copied = image("al2023-ami-2023.1-x86_64", "123456789012", None);
        assert_eq!(user_of(&copied, Partition::Commercial), OWN_USER);
        let ubuntu = image("ubuntu/images/hvm-ssd/x", "837727238323", None);
        assert_eq!(user_of(&ubuntu, Partition::China), "ubuntu");
        assert_eq!(user_of(&ubuntu, Partition::Commercial), OWN_USER);
    }

    #[test]
    fn disks_are_counted_and_known_by_their_kind() {
        let nitro = machine_type(&info(
            "m5d.4xlarge",
            &["x86_64"],
            2,
            EphemeralNvmeSupport::Required,
        ));
        assert_eq!((nitro.ephemeral_disks, nitro.nvme), (2, true));
        let xen = machine_type(&info(
            "m3.2xlarge",
            &["x86_64"],
            2,
            EphemeralNvmeSupport::Unsupported,
        ));
        assert_eq!((xen.ephemeral_disks, xen.nvme), (2, false));
        let without = machine_type(&info("m5.large", &["x86_64"], 0, EphemeralNvmeSupport::Required));
        assert_eq!((without.ephemeral_disks, without.nvme), (0, false));
    }

    #[test]
    fn an_image_of_another_architecture_is_refused_with_the_type_that_cannot_run_it() {
        let ami = Ami::builder()
            .image_id("ami-1")
            .state(ImageState::Available)
            .architecture(ArchitectureValues::Arm64)
            .build();
        let types = BTreeMap::from([
            (
                Role::Master,
                info("m6g.large", &["arm64"], 0, EphemeralNvmeSupport::Required),
            ),
            (
                Role::Slave,
                info("m5.large", &["x86_64"], 0, EphemeralNvmeSupport::Required),
            ),
        ]);
        let error = usable(&ami, &types).unwrap_err();
        assert_eq!(
            error.source.to_string(),
            "it is for arm64, and m5.large (slave) runs x86_64"
        );
        let error = common_architecture(&types).unwrap_err();
        assert!(
            error.source.to_string().contains("master: arm64"),
            "{}",
            error.source
        );
    }
}
