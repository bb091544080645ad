//! What an EC2 spec must be before anything is touched.

use super::validate::wrong;
use super::{AWS_ENDPOINT, ClusterSpec, LATEST, SpecError, VolumeSpec};
use crate::system::System;

/// EBS volume types, with the sizes that each can have, GiB (EBS user guide, "Amazon EBS volume types").
const VOLUMES: [(&str, u32, u32); 7] = [
    ("gp3", 1, 65_536),
    ("gp2", 1, 16_384),
    ("io1", 4, 16_384),
    ("io2", 4, 65_536),
    ("st1", 125, 16_384),
    ("sc1", 125, 16_384),
    ("standard", 1, 1_024),
];
/// Tags of a thing that EC2 takes, less mesosflow's own.
const MOST_TAGS: usize = 50 - 15;
/// The most characters of a tag's key and of its value ("Tag restrictions" in the EC2 user guide).
const KEY_LENGTH: usize = 128;
pub(crate) const TAG_VALUE_LENGTH: usize = 256;

impl ClusterSpec {
    /// Checks the `[ec2]` table as far as it can be without asking AWS. On success, what works but should be known.
    pub(super) fn validate_ec2(&self) -> Result<Vec<String>, SpecError> {
        let ec2 = &self.ec2;
        let mut warnings = Vec::new();
        if ec2.admin_cidr.is_empty() {
            return wrong(
                "ec2.admin_cidr",
                "is missing: nobody could reach the cluster, and nothing is open to everybody by itself",
                "name from where SSH and web interfaces may be reached: --admin-cidr 203.0.113.7/32, your own address",
            );
        }
        warnings.extend(ec2.open_to_everybody());
        if ec2.ami == LATEST {
            if self.os.parse::<System>().is_err() {
                let known: Vec<_> = System::ALL.iter().map(|system| system.as_str()).collect();
                return wrong(
                    "os",
                    format!("is {:?}, of which no images are known", self.os),
                    &format!(
                        "use one of {}, or name an image with --ami ami-…",
                        known.join(", ")
                    ),
                );
            }
        } else if !is_id(&ec2.ami, "ami-") {
            return wrong(
                "ec2.ami",
                format!("is {:?}, which is no image", ec2.ami),
                "give an id such as ami-0123456789abcdef0, or `latest` for the newest image of the system that --os names",
            );
        }
        for (field, value, prefix) in [
            ("ec2.vpc", &ec2.vpc, "vpc-"),
            ("ec2.subnet", &ec2.subnet, "subnet-"),
        ] {
            if value.as_deref().is_some_and(|id| !is_id(id, prefix)) {
                return wrong(
                    field,
                    format!("is {:?}", value.as_deref().unwrap_or_default()),
                    &format!("give an id such as {prefix}0123456789abcdef0"),
                );
            }
        }
        for (field, value) in [
            ("ec2.instance_type", &ec2.instance_type),
            ("ec2.master_instance_type", &ec2.master_instance_type),
            ("ec2.zookeeper_instance_type", &ec2.zookeeper_instance_type),
        ] {
            if !value.contains('.') || value.contains(char::is_whitespace) {
                return wrong(
                    field,
                    format!("is {value:?}, which is no instance type"),
                    "use one such as m5.large",
                );
            }
        }
        for (field, url) in [
            ("ec2.endpoint_url", &ec2.endpoint_url),
            ("ec2.sts_endpoint_url", &ec2.sts_endpoint_url),
        ] {
            let is_url = |url: &str| url.starts_with("http://") || url.starts_with("https://");
            if let Some(other) = url.as_deref().filter(|url| *url != AWS_ENDPOINT && !is_url(url)) {
                return wrong(
                    field,
                    format!("is {other:?}, which is no URL"),
                    "give `http://…` or `https://…`; `aws` for AWS' own, whatever the environment names",
                );
            }
        }
        self.validate_spot()?;
        ec2.volume.validate()?;
        self.validate_root_disk()?;
        self.validate_user_data()?;
        self.validate_tags()?;
        for (field, seconds) in [
            ("ec2.boot_limit_s", ec2.boot_limit_s),
            ("ec2.api_timeout_s", ec2.api_timeout_s),
        ] {
            if seconds == 0 {
                return wrong(
                    field,
                    "is 0: nothing is that fast",
                    "leave it out, or give seconds",
                );
            }
        }
        Ok(warnings)
    }

    fn validate_spot(&self) -> Result<(), SpecError> {
        let Some(price) = &self.ec2.spot_price else {
            return Ok(());
        };
        // As the API takes it: a decimal number in USD.
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = match price.split_once('.') {
            Some((whole, part)) => digits(whole) && digits(part),
            None => digits(price),
        };
        if !is_number || price.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
            return wrong(
                "ec2.spot_price",
                format!("is {price:?}, which is no price"),
                "give the most that an hour of one slave may cost, in USD, such as 0.05",
            );
        }
        Ok(())
    }

    fn validate_tags(&self) -> Result<(), SpecError> {
        let tags = &self.ec2.tags;
        if tags.len() > MOST_TAGS {
            return wrong(
                "ec2.tags",
                format!("has {}", tags.len()),
                "EC2 takes fifty, fifteen of which are mesosflow's",
            );
        }
        for (key, value) in tags {
            if key.starts_with("mesosflow:") || key.starts_with("aws:") {
                return wrong(
                    "ec2.tags",
                    format!("names `{key}`"),
                    "`mesosflow:` and `aws:` are taken",
                );
            }
            if !is_shown_to_machines(key) {
                return wrong(
                    "ec2.tags",
                    format!("names {key:?}, which EC2 shows to no machine: it would refuse to launch any"),
                    "machines see their tags in their metadata, where a key has only letters (A to Z), digits and + - = . , _ : @, \
                     and is none of `.`, `..` and `_index`: write it otherwise, `cost-center` for one",
                );
            }
            for (what, text, most) in [("a key", key, KEY_LENGTH), ("a value", value, TAG_VALUE_LENGTH)] {
                let length = text.chars().count();
                if length > most {
                    return wrong(
                        "ec2.tags",
                        format!("has {what} of {length} characters, of `{key}`"),
                        &format!("EC2 takes {what} of {most} at most: shorten it"),
                    );
                }
            }
        }
        Ok(())
    }

    fn validate_user_data(&self) -> Result<(), SpecError> {
        let Some(path) = &self.ec2.user_data else {
            return Ok(());
        };
        match std::fs::read_to_string(path) {
            Ok(text)
                if text.trim_start().starts_with("#cloud-config") || text.trim_start().starts_with("#!") =>
            {
                Ok(())
            }
            Ok(_) => wrong(
                "ec2.user_data",
                format!(
                    "is {}, which begins neither with #cloud-config nor with #!",
                    path.display()
                ),
                "cloud-init would not know what to do with it",
            ),
            Err(error) => wrong(
                "ec2.user_data",
                format!("is {}, which cannot be read: {error}", path.display()),
                "name a file",
            ),
        }
    }
}

impl VolumeSpec {
    fn validate(&self) -> Result<(), SpecError> {
        let Some((kind, least, most)) = VOLUMES.into_iter().find(|(kind, ..)| *kind == self.kind) else {
            let known: Vec<_> = VOLUMES.iter().map(|(kind, ..)| *kind).collect();
            return wrong(
                "ec2.volume.type",
                format!("is {:?}", self.kind),
                &format!("use one of {}", known.join(", ")),
            );
        };
        if self.size_gb != 0 && !(least..=most).contains(&self.size_gb) {
            return wrong(
                "ec2.volume.size_gb",
                format!("is {}", self.size_gb),
                &format!("a volume of type {kind} has {least} to {most} GiB; 0 for none"),
            );
        }
        Ok(())
    }
}

/// Whether a tag of that key can be in a machine's own metadata; EC2 refuses others on a machine that is shown its tags ("View
/// tags for your EC2 instances using instance metadata" in the EC2 user guide).
pub(crate) fn is_shown_to_machines(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-=.,_:@".contains(&byte);
    !key.is_empty() && key.bytes().all(is_allowed) && !matches!(key, "." | ".." | "_index")
}

/// Whether it has the form of an AWS id: the prefix, then 8 or 17 hexadecimal digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Ec2Spec, ProviderKind};

    fn spec(change: impl FnOnce(&mut Ec2Spec)) -> ClusterSpec {
        let mut spec = ClusterSpec {
            provider: ProviderKind::Ec2,
            ..ClusterSpec::default()
        };
        spec.ec2.admin_cidr = vec!["203.0.113.7/32".parse().unwrap()];
        change(&mut spec.ec2);
        spec
    }

    #[test]
    fn nothing_is_open_that_was_not_named_and_everybody_is_warned_about() {
        let error = spec(|ec2| ec2.admin_cidr.clear()).validate().unwrap_err();
        assert_eq!(error.field, "ec2.admin_cidr");
        assert_eq!(spec(|_| ()).validate().unwrap(), Vec::<String>::new());
        let warnings = spec(|ec2| ec2.admin_cidr.push("0.0.0.0/0".parse().unwrap()))
            .validate()
            .unwrap();
        assert!(warnings[0].contains("0.0.0.0/0: everybody"), "{warnings:?}");
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_field() {
        let field = |change: fn(&mut Ec2Spec)| spec(change).validate().unwrap_err().field;
        assert_eq!(field(|ec2| ec2.ami = "newest".into()), "ec2.ami");
        assert_eq!(field(|ec2| ec2.ami = "ami-xyz".into()), "ec2.ami");
        assert_eq!(field(|ec2| ec2.vpc = Some("my-vpc".into())), "ec2.vpc");
        assert_eq!(
            field(|ec2| ec2.subnet = Some("vpc-12345678".into())),
            "ec2.subnet"
        );
        assert_eq!(
            field(|ec2| ec2.instance_type = "large".into()),
            "ec2.instance_type"
        );
        for price in ["", "free", "0", "0.0", "-1", "1e3", "0,05", "."] {
            let error = spec(|ec2| ec2.spot_price = Some(price.into()))
                .validate()
                .unwrap_err();
            assert_eq!(error.field, "ec2.spot_price", "{price:?}");
        }
        assert_eq!(field(|ec2| ec2.volume.kind = "gp9".into()), "ec2.volume.type");
        assert_eq!(
            field(|ec2| ec2.volume = VolumeSpec {
                size_gb: 10,
                kind: "st1".into(),
                encrypted: true
            }),
            "ec2.volume.size_gb"
        );
        assert_eq!(
            field(|ec2| ec2.user_data = Some("/nowhere/at/all".into())),
            "ec2.user_data"
        );
        assert_eq!(
            field(|ec2| drop(ec2.tags.insert("mesosflow:run".into(), "x".into()))),
            "ec2.tags"
        );
        for key in [
            "",
            "cost center",
            "a/b",
            "größe",
            ".",
            "..",
            "_index",
            "a\nb",
            "aws:x",
        ] {
            let tagged = spec(|ec2| drop(ec2.tags.insert(key.into(), "x".into())));
            let error = tagged.validate().unwrap_err();
            assert_eq!(error.field, "ec2.tags", "{key:?}");
        }
        let tagged = |key: &str, value: &str| {
            spec(|ec2| drop(ec2.tags.insert(key.into(), value.into())))
                .validate()
                .is_ok()
        };
        assert!(tagged("Cost-Center_1+2=3.4,5:6@x", "any value / of ours"));
        assert!(tagged(&"k".repeat(128), &"v".repeat(256)));
        assert!(!tagged(&"k".repeat(129), "v"));
        assert!(!tagged("k", &"v".repeat(257)));
        let mut unknown = spec(|_| ());
        unknown.os = "plan9".into();
        assert_eq!(unknown.validate().unwrap_err().field, "os");
        unknown.ec2.ami = "ami-0123456789abcdef0".into();
        assert!(
            unknown.validate().is_ok(),
            "an image by its id may be of any system"
        );
    }
}
