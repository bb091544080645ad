//! What the service knows of a machine, by paths as EC2 has them.

use super::super::instance::Instance;
use crate::bench::REGION;

/// Below `meta-data`, in order: the items and the folders (with a slash) of a folder.
const FOLDERS: [(&str, &[&str]); 4] = [
    (
        "",
        &[
            "ami-id",
            "hostname",
            "instance-id",
            "instance-type",
            "local-hostname",
            "local-ipv4",
            "placement/",
            "public-hostname",
            "public-ipv4",
            "tags/",
        ],
    ),
    ("placement", &["availability-zone", "region"]),
    ("tags", &["instance/"]),
    ("tags/instance", &[]),
];

/// What is at a path below `meta-data`, without slashes at its ends; none where there is nothing.
pub(super) fn at(path: &str, instance: &Instance, address: &str) -> Option<String> {
    if let Some((_, items)) = FOLDERS.iter().find(|(folder, _)| *folder == path) {
        return match path {
            "tags/instance" => instance.sees_tags.then(|| {
                let keys: Vec<_> = instance.tags.keys().map(String::as_str).collect();
                keys.join("\n")
            }),
            "tags" if !instance.sees_tags => None,
            "" => {
                let is_there = |item: &&&str| item.ends_with('/') || at(item, instance, address).is_some();
                let there: Vec<_> = items.iter().filter(is_there).copied().collect();
                let there = there
                    .into_iter()
                    .filter(|item| *item != "tags/" || instance.sees_tags);
                Some(there.collect::<Vec<_>>().join("\n"))
            }
            _ => Some(items.join("\n")),
        };
    }
    if let Some(key) = path.strip_prefix("tags/instance/") {
        return instance.tags.get(key).filter(|_| instance.sees_tags).cloned();
    }
    // A machine that has got another address than the cloud knows is named after the one that it has.
    let name = match address == instance.private_ip {
        true => instance.private_name.clone(),
        false => format!("ip-{}.ec2.internal", address.replace('.', "-")),
    };
    match path {
        "ami-id" => Some(instance.image.clone()),
        "instance-id" => Some(instance.id.clone()),
        "instance-type" => Some(instance.kind.clone()),
        "local-ipv4" => Some(address.to_owned()),
        "hostname" | "local-hostname" => Some(name),
        "public-ipv4" => instance.public_ip.clone(),
        "public-hostname" => instance.public_name.clone(),
        "placement/availability-zone" => Some(instance.zone.clone()),
        "placement/region" => Some(REGION.to_owned()),
        _ => None,
    }
}
