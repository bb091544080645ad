//! The systems whose stock images are known: their packages, and what has to be done beside installing them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What tells a machine that has its packages from one of a stock image.
pub(crate) const INSTALLED: &[&str] = &[
    "rsync",
    "java",
    "curl",
    "tar",
    "gzip",
    "flock",
    "mkfs.ext4",
    "mkfs.xfs",
    "haproxy",
    "apachectl",
    "exportfs",
];

/// What every system of Debian's family calls alike. The lists follow `steps/image/packages.list`, which has the reasons.
macro_rules! debian_family {
    ($($further:literal),* $(,)?) => {
        &[
            "rsync",
            "sudo",
            "curl",
            "ca-certificates",
            "openjdk-17-jre-headless",
            "python3",
            "libsasl2-2",
            "libsasl2-modules",
            "zlib1g",
            "haproxy",
            "apache2",
            "nfs-kernel-server",
            "nfs-common",
            "rpcbind",
            "libnfs-utils",
            "xfsprogs",
            "e2fsprogs",
            "procps",
            "psmisc",
            "iproute2",
            "netcat-openbsd",
            $($further),*
        ]
    };
}

/// The name of libsvn, and of what else Mesos links against, differs with the width of `time_t`. Apache, curl and
/// Subversion depend on the right ones. No nfs-ganesha: Ubuntu's kernels for EC2 serve NFS.
const UBUNTU: &[&str] = debian_family!["subversion"];
const DEBIAN_12: &[&str] = debian_family![
    "libzookeeper-java",
    // For a kernel that comes without NFS.
    "nfs-ganesha",
    "nfs-ganesha-vfs",
    "libapr1",
    "libaprutil1",
    "libcurl4",
    "libsvn1",
    "sshfs"
];
/// No `curl`: it conflicts with `curl-minimal`, which is there and enough. And nothing that may be missing there, since dnf
/// then installs nothing at all: a Mesos that authenticates needs `cyrus-sasl-md5` under `mesos.packages`.
const AMAZON_LINUX_2023: &[&str] = &[
    "rsync",
    "sudo",
    "ca-certificates",
    "java-17-amazon-corretto-headless",
    "python3",
    "tar",
    "gzip",
    "findutils",
    "diffutils",
    "util-linux",
    "apr",
    "apr-util",
    "cyrus-sasl-lib",
    "subversion-libs",
    "zlib",
    "haproxy",
    "httpd",
    "nfs-utils",
    "rpcbind",
    "xfsprogs",
    "e2fsprogs",
    "procps-ng",
    "psmisc",
    "iproute",
    "hostname",
    "nmap-ncat",
];

/// Servers that start by themselves once they are installed. NFS' own are among them: a node that exports starts them.
const SERVERS: &[&str] = &[
    "haproxy.service",
    "nfs-ganesha.service",
    "nfs-ganesha-lock.service",
    "nfs-server.service",
    "rpcbind.socket",
    "rpcbind.service",
];
const SERVERS_DEBIAN: &[&str] = &["apache2.service", "apache-htcacheclean.service", "rsync.service"];
const SERVERS_AMAZON: &[&str] = &["httpd.service", "rsyncd.service"];

/// An operating system whose stock image mesosflow knows how to complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum System {
    /// Debian 12, bookworm.
    Debian12,
    /// Ubuntu 22.04, jammy.
    Ubuntu2204,
    /// Ubuntu 24.04, noble.
    Ubuntu2404,
    /// Amazon Linux 2023.
    AmazonLinux2023,
}

/// A word for no known system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no system that is known: debian12, ubuntu22.04, ubuntu24.04, al2023")]
pub struct UnknownSystem(String);

impl System {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Debian12,
        Self::Ubuntu2204,
        Self::Ubuntu2404,
        Self::AmazonLinux2023,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debian12 => "debian12",
            Self::Ubuntu2204 => "ubuntu22.04",
            Self::Ubuntu2404 => "ubuntu24.04",
            Self::AmazonLinux2023 => "al2023",
        }
    }

    /// The packages that a node needs beside a stock image, by the system's own names.
    ///
    /// Ubuntu gets no package of ZooKeeper: 22.04 has 3.4, and 24.04's is none of those that were tried. The server of the
    /// archive is taken there.
    pub const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Debian12 => DEBIAN_12,
            Self::Ubuntu2204 | Self::Ubuntu2404 => UBUNTU,
            Self::AmazonLinux2023 => AMAZON_LINUX_2023,
        }
    }

    /// Lines of a shell for after the packages: servers that the system starts on installation are stopped
    /// and stay off, for a node starts only what mesosflow starts. Each may be run again, and none fails.
    pub fn boot_commands(self) -> Vec<String> {
        let own = match self {
            Self::Debian12 | Self::Ubuntu2204 | Self::Ubuntu2404 => SERVERS_DEBIAN,
            Self::AmazonLinux2023 => SERVERS_AMAZON,
        };
        // One at a time: systemctl does nothing at all where one of several units does not exist.
        own.iter()
            .chain(SERVERS)
            .map(|unit| format!("systemctl disable --now {unit} >/dev/null 2>&1 || true"))
            .collect()
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for System {
    type Err = UnknownSystem;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_lowercase().as_str() {
            "debian12" | "debian-12" | "bookworm" => Ok(Self::Debian12),
            "ubuntu22.04" | "ubuntu-22.04" | "ubuntu2204" | "jammy" => Ok(Self::Ubuntu2204),
            "ubuntu24.04" | "ubuntu-24.04" | "ubuntu2404" | "noble" => Ok(Self::Ubuntu2404),
            // The last as /etc/os-release has it.
            "al2023" | "amazon-linux-2023" | "amazonlinux2023" | "amzn2023" => Ok(Self::AmazonLinux2023),
            _ => Err(UnknownSystem(word.to_owned())),
        }
    }
}

impl TryFrom<String> for System {
    type Error = UnknownSystem;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl From<System> for String {
    fn from(system: System) -> Self {
        system.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_has_its_word_and_its_other_names() {
        for system in System::ALL {
            assert_eq!(system.as_str().parse(), Ok(system));
        }
        for (word, system) in [
            ("Debian-12", System::Debian12),
            ("ubuntu-22.04", System::Ubuntu2204),
            ("jammy", System::Ubuntu2204),
            ("amzn2023", System::AmazonLinux2023),
            ("noble", System::Ubuntu2404),
            ("amazon-linux-2023", System::AmazonLinux2023),
        ] {
            assert_eq!(word.parse(), Ok(system));
        }
        assert!("amazon64".parse::<System>().is_err());
    }

    #[test]
    fn names_of_packages_need_no_quoting_and_stand_once() {
        for system in System::ALL {
            let mut packages = system.packages().to_vec();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+');
            assert!(
                packages.iter().all(|package| package.chars().all(plain)),
                "{packages:?}"
            );
            packages.sort_unstable();
            let count = packages.len();
            packages.dedup();
            assert_eq!(packages.len(), count, "{system} names a package twice");
        }
    }

    /// Debian's list leaves out what a container needs and a stock image has; what it names is on mesosflow's image too.
    #[test]
    fn debians_packages_are_those_of_the_image() {
        let image = include_str!("../image/packages.list");
        let named: Vec<_> = image.lines().filter(|line| !line.starts_with('#')).collect();
        for package in System::Debian12.packages() {
            assert!(named.contains(package), "{package}");
        }
    }

    #[test]
    fn a_boot_command_never_fails() {
        for line in System::ALL.into_iter().flat_map(System::boot_commands) {
            let status = std::process::Command::new("/bin/sh")
                // No such program at all is the worst that can be.
                .env("PATH", "/nowhere")
                .args(["-euc", &line])
                .status();
            assert!(status.unwrap().success(), "{line}");
        }
    }
}
