//! Flags of the EC2 provider: where its API is, and what its machines are to be like.

use std::path::PathBuf;

use clap::Args;

use super::value::{cidr, set, set_option, word};
use crate::wiring::{Ec2Spec, HostKeySource, IpNet};

/// Where the EC2 API is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// The AWS region; by default that of the environment or the profile
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The endpoint of the API, where it is not AWS' own (also AWS_ENDPOINT_URL)
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// What EC2's machines are to be like.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Ec2Args {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The VPC; by default the subnet's, or the default VPC
    #[arg(long, value_name = "ID")]
    vpc: Option<String>,
    /// The subnet of all machines
    #[arg(long, value_name = "ID")]
    subnet: Option<String>,
    /// The availability zone, where no subnet is named
    #[arg(long, short, value_name = "NAME")]
    zone: Option<String>,
    /// From where SSH and the web interfaces may be reached; may be given several times. There is no default
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub(crate) admin_cidr: Vec<IpNet>,
    /// The image: its id, or `latest` for the newest of the system that --os names
    #[arg(long, value_name = "ID")]
    pub(crate) ami: Option<String>,
    /// Who logs in, where the image does not tell
    #[arg(long, value_name = "NAME")]
    login_user: Option<String>,
    /// Instance type of the slaves
    #[arg(long, short = 't', value_name = "TYPE", visible_alias = "slave-instance-type")]
    instance_type: Option<String>,
    /// Instance type of the masters
    #[arg(long, value_name = "TYPE")]
    master_instance_type: Option<String>,
    /// Instance type of the ZooKeepers
    #[arg(long, value_name = "TYPE")]
    zookeeper_instance_type: Option<String>,
    /// A key pair of the account whose owner may log in too
    #[arg(long, short, value_name = "NAME")]
    key_pair: Option<String>,
    /// The IAM instance profile of every machine
    #[arg(long, value_name = "NAME")]
    iam_profile: Option<String>,
    /// A file that cloud-init gets beside mesosflow's own user data
    #[arg(long, value_name = "FILE")]
    pub(crate) user_data: Option<PathBuf>,
    /// Whether machines get a public address; by default as the subnet does it
    #[arg(long, value_name = "BOOL")]
    public_address: Option<bool>,
    /// Size of the root disk in GiB; by default what a machine has to hold: 50 and more without instance stores
    #[arg(long, value_name = "GIB")]
    root_vol_size: Option<u32>,
    /// Size in GiB of the EBS volume for the persistent HDFS, on masters and slaves; 0 for none
    #[arg(long, value_name = "GIB", visible_alias = "ebs-size")]
    ebs_vol_size: Option<u32>,
    /// Type of that volume
    #[arg(long, value_name = "TYPE", visible_alias = "ebs-type")]
    ebs_vol_type: Option<String>,
    /// Whether that volume is encrypted
    #[arg(long, value_name = "BOOL")]
    ebs_encrypted: Option<bool>,
    /// Slaves as spot instances that cost at most this much an hour, USD
    #[arg(long, value_name = "USD")]
    spot_price: Option<String>,
    /// How host keys get known: from the console, or handed over in user data
    #[arg(long, value_name = "WAY", value_parser = word::<HostKeySource>(), conflicts_with = "accept_new_host_keys")]
    host_keys: Option<HostKeySource>,
    /// Take whatever host key a machine shows first: somebody in between could show another
    #[arg(long)]
    accept_new_host_keys: bool,
}

impl PlaceArgs {
    /// Whether any of them is there.
    pub(crate) const fn is_given(&self) -> bool {
        self.region.is_some() || self.endpoint_url.is_some() || self.profile.is_some()
    }

    /// Lays the flags over the spec.
    pub(crate) fn overlay(&self, spec: &mut Ec2Spec) {
        set_option(&mut spec.region, self.region.as_ref());
        set_option(&mut spec.endpoint_url, self.endpoint_url.as_ref());
        set_option(&mut spec.profile, self.profile.as_ref());
    }
}

impl Ec2Args {
    /// Lays the flags over the spec. Paths start at `cwd`.
    pub(crate) fn overlay(&self, spec: &mut Ec2Spec, cwd: &std::path::Path) {
        self.place.overlay(spec);
        set_option(&mut spec.vpc, self.vpc.as_ref());
        set_option(&mut spec.subnet, self.subnet.as_ref());
        set_option(&mut spec.zone, self.zone.as_ref());
        if !self.admin_cidr.is_empty() {
            spec.admin_cidr.clone_from(&self.admin_cidr);
        }
        set(&mut spec.ami, self.ami.as_ref());
        set_option(&mut spec.login_user, self.login_user.as_ref());
        set(&mut spec.instance_type, self.instance_type.as_ref());
        set(&mut spec.master_instance_type, self.master_instance_type.as_ref());
        set(
            &mut spec.zookeeper_instance_type,
            self.zookeeper_instance_type.as_ref(),
        );
        set_option(&mut spec.key_pair, self.key_pair.as_ref());
        set_option(&mut spec.iam_profile, self.iam_profile.as_ref());
        set_option(
            &mut spec.user_data,
            self.user_data.as_ref().map(|path| cwd.join(path)).as_ref(),
        );
        set_option(&mut spec.public_address, self.public_address.as_ref());
        set_option(&mut spec.root_volume_gb, self.root_vol_size.as_ref());
        set(&mut spec.volume.size_gb, self.ebs_vol_size.as_ref());
        set(&mut spec.volume.kind, self.ebs_vol_type.as_ref());
        set(&mut spec.volume.encrypted, self.ebs_encrypted.as_ref());
        set_option(&mut spec.spot_price, self.spot_price.as_ref());
        set(&mut spec.host_keys, self.host_keys.as_ref());
        if self.accept_new_host_keys {
            spec.host_keys = HostKeySource::AcceptNew;
        }
    }

    /// Whether any of them was given.
    pub(crate) fn is_given(&self) -> bool {
        let mut with = Ec2Spec::default();
        self.overlay(&mut with, std::path::Path::new("/"));
        with != Ec2Spec::default()
    }
}
