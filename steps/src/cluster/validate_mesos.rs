//! What the `[mesos]` table and the URLs of a spec must be before anything is touched.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::secrets::secret_in_flag;
use super::urls::{is_plain, secret_in};
use super::validate::{is_sha256, wrong};
use super::{ClusterSpec, MesosSource, MesosSpec, SpecError, Tarball, flags};

/// Whether a node's boot script takes it for a flag (`steps/roles/mesos/role/30-believed.sh`).
fn is_flag(flag: &str) -> bool {
    let Some(rest) = flag.strip_prefix("--") else {
        return false;
    };
    let name = rest.split_once('=').map_or(rest, |(name, _)| name);
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(is_of_name);
    is_name && flag.len() <= 4000 && !flag.chars().any(|c| c.is_ascii_control())
}

/// The way that keeps a password out of journal, logs and nodes.
const NETRC: &str = "put it into a netrc file of mode 0600 and name that in `mesos.netrc`, or name an environment variable that \
                     holds the same in `mesos.netrc_env`; what is presigned fetch yourself, and name the file";

impl ClusterSpec {
    /// Refuses credentials in URLs: they would stand in the journal, in events, and in the logs of the nodes.
    pub(super) fn validate_urls(&self) -> Result<(), SpecError> {
        let of_mesos = [
            ("mesos.url", &self.mesos.url),
            ("mesos.repository", &self.mesos.repository),
        ];
        for (field, url) in of_mesos {
            if let Some(what) = url.as_deref().and_then(secret_in) {
                return wrong(
                    field,
                    format!("holds {what}, which the journal would keep"),
                    NETRC,
                );
            }
        }
        let others = [
            (
                "archive_url",
                &self.archive_url,
                "name a place that asks for no password: the archive is a public one, and its SHA-256 is checked",
            ),
            (
                "ec2.endpoint_url",
                &self.ec2.endpoint_url,
                "credentials are given as for every AWS program, never in the endpoint",
            ),
            (
                "ec2.sts_endpoint_url",
                &self.ec2.sts_endpoint_url,
                "credentials are given as for every AWS program, never in the endpoint",
            ),
        ];
        for (field, url, hint) in others {
            if let Some(what) = url.as_deref().and_then(secret_in) {
                return wrong(field, format!("holds {what}, which the journal would keep"), hint);
            }
        }
        Ok(())
    }
}

impl MesosSpec {
    pub(super) fn validate(&self) -> Result<(), SpecError> {
        match self.source {
            MesosSource::None => {}
            MesosSource::Tarball => self.validate_tarball()?,
            MesosSource::Git => self.validate_repository()?,
        }
        self.validate_netrc()?;
        self.validate_flags()?;
        if let Some(sha256) = &self.sha256
            && !is_sha256(sha256)
        {
            return wrong(
                "mesos.sha256",
                "is not 64 hexadecimal digits",
                "give what `sha256sum` prints for the tarball",
            );
        }
        for (field, flags) in [
            ("mesos.master_flags", &self.master_flags),
            ("mesos.agent_flags", &self.agent_flags),
        ] {
            if let Some(bad) = flags.iter().find(|flag| !is_flag(flag)) {
                return wrong(
                    field,
                    format!("holds {bad:?}, which is no flag of Mesos'"),
                    "write `--name=value`, `--name` or `--no-name`: the name in lower case, without line ends and other control \
                     characters, at most 4000 bytes; what is longer is a file, named as `--name=file:///path`",
                );
            }
        }
        for (field, all, name, why) in [
            (
                "mesos.master_flags",
                &self.master_flags,
                "quorum",
                "the number of masters",
            ),
            (
                "mesos.master_flags",
                &self.master_flags,
                "zk",
                "the cluster's ZooKeepers",
            ),
            (
                "mesos.agent_flags",
                &self.agent_flags,
                "master",
                "the cluster's masters",
            ),
        ] {
            let is_it = |given: &&String| flags(std::slice::from_ref(*given)).any(|flag| flag.name == name);
            if let Some(given) = all.iter().find(is_it) {
                return wrong(
                    field,
                    format!("holds `{given}`, which follows from {why}"),
                    "leave it out: the nodes find it at each boot",
                );
            }
        }
        for package in &self.packages {
            // Debian policy 5.6.1: lower-case letters, digits, plus, minus, full stop, beginning with one of the first two.
            let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
            if !package.bytes().all(known) || !package.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return wrong(
                    "mesos.packages",
                    format!("holds `{package}`, which is no package name"),
                    "use names of the nodes' packages",
                );
            }
        }
        Ok(())
    }

    /// Refuses credentials in flags before anything else tells a flag back.
    fn validate_flags(&self) -> Result<(), SpecError> {
        for (field, flags) in [
            ("mesos.configure_flags", &self.configure_flags),
            ("mesos.master_flags", &self.master_flags),
            ("mesos.agent_flags", &self.agent_flags),
        ] {
            if let Some(what) = flags.iter().find_map(|flag| secret_in_flag(flag)) {
                return wrong(
                    field,
                    format!("holds {what}, which the journal and the nodes' units would keep"),
                    "put it into a file on the nodes (on the image, by `user_data`, by hand) that root alone may read, and name \
                     that by its path: `--credential=/etc/mesos/credential`",
                );
            }
        }
        Ok(())
    }

    fn validate_tarball(&self) -> Result<(), SpecError> {
        let Some(url) = &self.url else {
            return wrong(
                "mesos.url",
                "is missing",
                "name the tarball: a path, or an http(s):// URL",
            );
        };
        if let Tarball::Here(path) = Tarball::named(url)
            && !path.is_file()
        {
            return wrong(
                "mesos.url",
                format!("is not a file: {url}"),
                "name an existing tarball, or an http(s):// URL",
            );
        }
        if is_plain(url) && self.sha256.is_none() {
            return wrong(
                "mesos.url",
                "is an http:// URL, and anybody on the way could put another tarball in its place",
                "give its `sha256`, or an https:// URL",
            );
        }
        Ok(())
    }

    fn validate_repository(&self) -> Result<(), SpecError> {
        let Some(repository) = &self.repository else {
            return wrong(
                "mesos.repository",
                "is missing",
                "name the git repository to build from",
            );
        };
        let Some(branch) = &self.branch else {
            return wrong("mesos.branch", "is missing", "name the branch or tag to build");
        };
        // git would take it for an option.
        for (field, value) in [("mesos.repository", repository), ("mesos.branch", branch)] {
            if value.starts_with('-') {
                return wrong(field, "begins with a hyphen", "name a repository and a branch");
            }
        }
        if is_plain(repository) && !is_commit(branch) {
            return wrong(
                "mesos.repository",
                "is fetched over a line on which anybody could put another Mesos in its place",
                "give an https:// URL, or the full number of a commit as `branch`",
            );
        }
        Ok(())
    }

    /// Passwords go to whom they are for, over a line that nobody else reads.
    fn validate_netrc(&self) -> Result<(), SpecError> {
        let field = match (&self.netrc, &self.netrc_env) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => {
                return wrong(
                    "mesos.netrc_env",
                    "is given beside `mesos.netrc`",
                    "leave one of them out",
                );
            }
            (Some(_), None) => "mesos.netrc",
            (None, Some(_)) => "mesos.netrc_env",
        };
        let from = match self.source {
            MesosSource::None => None,
            MesosSource::Tarball => self.url.as_deref(),
            MesosSource::Git => self.repository.as_deref(),
        };
        if !from.is_some_and(|from| from.starts_with("https://")) {
            return wrong(
                field,
                "is of use for an https:// URL only",
                "leave it out, or fetch Mesos from such a URL",
            );
        }
        if let Some(path) = &self.netrc {
            return validate_file(path);
        }
        match self.netrc_env.as_deref().and_then(std::env::var_os) {
            Some(text) if !text.is_empty() => Ok(()),
            _ => wrong(
                field,
                "names an environment variable that is not set",
                "set it to what a netrc file would hold: `machine HOST login NAME password SECRET`",
            ),
        }
    }
}

fn validate_file(path: &Path) -> Result<(), SpecError> {
    let field = "mesos.netrc";
    let mode = match std::fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(data) if data.is_file() => data.permissions().mode(),
        Ok(_) => {
            return wrong(
                field,
                format!("is no file: {}", path.display()),
                "name a netrc file",
            );
        }
        Err(error) => {
            let problem = format!("is {}, which cannot be read: {error}", path.display());
            return wrong(field, problem, "name a netrc file");
        }
    };
    if mode & 0o077 != 0 {
        return wrong(
            field,
            format!("is {}, which others may read", path.display()),
            &format!("chmod 600 {}", path.display()),
        );
    }
    Ok(())
}

/// Whether it is the full number of a commit, which names its content: SHA-1 or SHA-256, hex.
fn is_commit(branch: &str) -> bool {
    matches!(branch.len(), 40 | 64) && branch.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tarball(url: &str) -> ClusterSpec {
        let mut spec = ClusterSpec::default();
        spec.mesos.source = MesosSource::Tarball;
        spec.mesos.url = Some(url.to_owned());
        spec
    }

    fn git(repository: &str, branch: &str) -> ClusterSpec {
        let mut spec = ClusterSpec::default();
        spec.mesos.source = MesosSource::Git;
        (spec.mesos.repository, spec.mesos.branch) = (Some(repository.to_owned()), Some(branch.to_owned()));
        spec
    }

    #[test]
    fn credentials_in_any_url_are_refused_without_being_told() {
        let secret = "https://me:s3cret@example.org/x";
        let archive = ClusterSpec {
            archive_url: Some(secret.to_owned()),
            ..ClusterSpec::default()
        };
        let mut endpoint = ClusterSpec::default();
        endpoint.ec2.endpoint_url = Some(secret.to_owned());
        for (spec, field) in [
            (tarball(secret), "mesos.url"),
            (tarball("HTTPS://me:s3cret@example.org/x"), "mesos.url"),
            (git(secret, "main"), "mesos.repository"),
            (archive, "archive_url"),
            (endpoint, "ec2.endpoint_url"),
        ] {
            let error = spec.validate().unwrap_err();
            assert_eq!(error.field, field);
            assert!(!format!("{error} {}", error.hint).contains("s3cret"), "{error}");
        }
        assert!(
            tarball(secret)
                .validate()
                .unwrap_err()
                .hint
                .contains("mesos.netrc")
        );
    }

    #[test]
    fn flags_that_follow_from_the_cluster_are_refused() {
        for (is_master, flag, taken) in [
            (true, "--quorum=9", false),
            (true, "--quorum_size=9", true),
            (true, "--zk=zk://a:2181/mesos", false),
            (false, "--master=a:5050", false),
            (false, "--quorum=9", true),
        ] {
            let mut spec = ClusterSpec::default();
            let flags = match is_master {
                true => &mut spec.mesos.master_flags,
                false => &mut spec.mesos.agent_flags,
            };
            flags.push(flag.to_owned());
            assert_eq!(spec.mesos.validate().is_ok(), taken, "{flag}");
        }
    }

    #[test]
    fn credentials_in_flags_are_refused_without_being_told() {
        type Flags = fn(&mut MesosSpec) -> &mut Vec<String>;
        let fields: [(&str, Flags); 3] = [
            ("mesos.configure_flags", |mesos| &mut mesos.configure_flags),
            ("mesos.master_flags", |mesos| &mut mesos.master_flags),
            ("mesos.agent_flags", |mesos| &mut mesos.agent_flags),
        ];
        for (field, flags) in fields {
            // The second is no plain flag either, and not told for that.
            for secret in ["--credential=me:s3cret", "credential='s3cret'"] {
                let mut spec = ClusterSpec::default();
                flags(&mut spec.mesos).push(secret.to_owned());
                let error = spec.validate().unwrap_err();
                assert_eq!(error.field, field);
                let told = format!("{error} {}", error.hint);
                assert!(!told.contains("s3cret") && told.contains("by its path"), "{told}");
            }
            let mut spec = ClusterSpec::default();
            flags(&mut spec.mesos).push("--credential=/etc/mesos/credential".to_owned());
            assert!(spec.validate().is_ok());
        }
        let error = tarball("https:me:s3cret@example.org/x").validate().unwrap_err();
        assert!(!format!("{error} {}", error.hint).contains("s3cret"), "{error}");
    }

    #[test]
    fn what_comes_over_a_plain_line_has_to_be_known_before() {
        let mut spec = tarball("http://example.org/mesos.tar.gz");
        assert_eq!(spec.validate().unwrap_err().field, "mesos.url");
        spec.mesos.sha256 = Some("a".repeat(64));
        assert!(spec.validate().is_ok());
        assert!(tarball("https://example.org/mesos.tar.gz").validate().is_ok());
        let plain = "http://example.org/mesos.git";
        assert_eq!(
            git(plain, "main").validate().unwrap_err().field,
            "mesos.repository"
        );
        assert_eq!(
            git(plain, &"a".repeat(39)).validate().unwrap_err().field,
            "mesos.repository"
        );
        assert!(git(plain, &"a".repeat(40)).validate().is_ok());
        assert!(git("git@example.org:mesos.git", "main").validate().is_ok());
    }

    #[test]
    fn a_netrc_is_private_and_for_https_alone() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "machine example.org login me password x").unwrap();
        let with = |mut spec: ClusterSpec| {
            spec.mesos.netrc = Some(file.path().to_owned());
            spec
        };
        let https = "https://example.org/mesos.tar.gz";
        assert!(with(tarball(https)).validate().is_ok());
        let mut plain = with(tarball("http://example.org/mesos.tar.gz"));
        plain.mesos.sha256 = Some("a".repeat(64));
        assert_eq!(plain.validate().unwrap_err().field, "mesos.netrc");
        let mut both = with(tarball(https));
        both.mesos.netrc_env = Some("NETRC".into());
        assert_eq!(both.validate().unwrap_err().field, "mesos.netrc_env");
        let mut unset = tarball(https);
        unset.mesos.netrc_env = Some("MESOSFLOW_TEST_IS_NOT_SET".into());
        assert_eq!(unset.validate().unwrap_err().field, "mesos.netrc_env");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = with(tarball(https)).validate().unwrap_err();
        assert!(error.hint.starts_with("chmod 600"), "{error:?}");
    }
}
