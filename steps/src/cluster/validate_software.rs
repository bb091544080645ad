//! What the `[hadoop]` table and the source in `[spark]` must be before anything is touched.

use super::urls::secret_in;
use super::validate::{is_sha256, wrong};
use super::{ClusterSpec, SoftwareSource, SoftwareSpec, SpecError, Tarball};
use crate::file_digest;

/// The names of the keys.
struct Fields {
    source: &'static str,
    url: &'static str,
    sha256: &'static str,
}

impl Fields {
    const HADOOP: Self = Self {
        source: "hadoop.source",
        url: "hadoop.url",
        sha256: "hadoop.sha256",
    };
    const SPARK: Self = Self {
        source: "spark.source",
        url: "spark.url",
        sha256: "spark.sha256",
    };

    /// Takes the digest of a tarball of this machine, so that it stays the same one; refuses another than was said.
    fn settle(&self, software: &mut SoftwareSpec) -> Result<(), SpecError> {
        let Some(Tarball::Here(path)) = software.tarball() else {
            return Ok(());
        };
        if !path.is_file() {
            return wrong(
                self.url,
                format!("is not a file: {}", path.display()),
                "name an existing tarball, or an http(s):// URL",
            );
        }
        let (_, digest) = file_digest::of(path).map_err(|error| SpecError {
            field: self.url,
            problem: format!("cannot be read: {}: {error}", path.display()),
            hint: "name a tarball that you may read".to_owned(),
        })?;
        match &software.sha256 {
            Some(said) if !said.eq_ignore_ascii_case(&digest) => wrong(
                self.sha256,
                format!("is not that of {}, which is {digest}", path.display()),
                "get the right tarball, or correct it",
            ),
            _ => {
                software.sha256 = Some(digest);
                Ok(())
            }
        }
    }

    fn validate(&self, software: &SoftwareSpec) -> Result<(), SpecError> {
        if software.source != SoftwareSource::Url {
            let given = [(self.url, &software.url), (self.sha256, &software.sha256)];
            return match given.into_iter().find(|(_, value)| value.is_some()) {
                None => Ok(()),
                Some((field, _)) => wrong(
                    field,
                    format!(
                        "is given, and `{}` is `{}`",
                        self.source,
                        software.source.as_str()
                    ),
                    "say `source = \"url\"` beside it, or leave it out",
                ),
            };
        }
        let Some(url) = &software.url else {
            return wrong(
                self.url,
                "is missing",
                "name the tarball: a path, or an http(s):// URL",
            );
        };
        if let Some(what) = secret_in(url) {
            return wrong(
                self.url,
                format!("holds {what}, which the journal would keep"),
                "fetch it yourself, and name the file",
            );
        }
        if let Some(Tarball::At(url)) = software.tarball() {
            if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return wrong(self.url, "holds white space", "write %20 for it");
            }
            if software.sha256.is_none() {
                return wrong(
                    self.sha256,
                    "is missing: what is at an address can change, and nodes that come later would get another one",
                    "give what `sha256sum` prints for the tarball (Apache publishes its SHA-512), or name a file of this machine",
                );
            }
        }
        match &software.sha256 {
            Some(sha256) if !is_sha256(sha256) => wrong(
                self.sha256,
                "is not 64 hexadecimal digits",
                "give what `sha256sum` prints for the tarball (Apache publishes its SHA-512)",
            ),
            _ => Ok(()),
        }
    }
}

impl ClusterSpec {
    pub(super) fn validate_software(&self) -> Result<(), SpecError> {
        Fields::HADOOP.validate(&self.hadoop)?;
        Fields::SPARK.validate(&self.spark.software())
    }

    /// Takes the digests of the tarballs that are on this machine, so that whoever reads the spec later gets the same ones or none. What
    /// comes later may do without them: the first master has what was in them.
    ///
    /// # Errors
    /// One cannot be read, or is another than was said.
    pub fn settle_tarballs(&mut self) -> Result<(), SpecError> {
        Fields::HADOOP.settle(&mut self.hadoop)?;
        let mut spark = self.spark.software();
        Fields::SPARK.settle(&mut spark)?;
        self.spark.sha256 = spark.sha256;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tarball_that_is_here_is_that_one_from_then_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hadoop.tar.gz");
        let mut spec = ClusterSpec::default();
        spec.hadoop.source = SoftwareSource::Url;
        spec.hadoop.url = Some(path.display().to_string());
        assert!(spec.validate().is_ok());
        let settle = |spec: &ClusterSpec| {
            let mut spec = spec.clone();
            spec.settle_tarballs().map(|()| spec.hadoop.sha256)
        };
        assert_eq!(settle(&spec).unwrap_err().field, "hadoop.url");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, B.1.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(settle(&spec).unwrap().as_deref(), Some(digest));
        spec.hadoop.sha256 = Some(digest.to_uppercase());
        assert_eq!(settle(&spec).unwrap().as_deref(), Some(digest));
        std::fs::write(&path, "abcd").unwrap();
        assert_eq!(settle(&spec).unwrap_err().field, "hadoop.sha256");
    }

    #[test]
    fn what_cannot_be_is_refused_and_no_secret_is_told() {
        let refused = |source, url: Option<&str>, sha256: Option<&str>| {
            let mut spec = ClusterSpec::default();
            (spec.spark.source, spec.spark.url, spec.spark.sha256) =
                (source, url.map(str::to_owned), sha256.map(str::to_owned));
            spec.validate().err().map(|error| {
                let told = format!("{error} {}", error.hint);
                assert!(!told.contains("s3cret"), "{told}");
                error.field
            })
        };
        let (https, http) = ("https://example.org/s.tgz", "http://example.org/s.tgz");
        let hex = "a".repeat(64);
        for (source, url, sha256, field) in [
            (SoftwareSource::Url, Some(https), None, Some("spark.sha256")),
            (SoftwareSource::Url, Some(https), Some(hex.as_str()), None),
            (SoftwareSource::Url, Some(http), Some(hex.as_str()), None),
            (SoftwareSource::Url, Some(http), None, Some("spark.sha256")),
            (SoftwareSource::Url, None, None, Some("spark.url")),
            (
                SoftwareSource::Url,
                Some(https),
                Some("abc"),
                Some("spark.sha256"),
            ),
            (
                SoftwareSource::Url,
                Some("https://me:s3cret@example.org/s.tgz"),
                None,
                Some("spark.url"),
            ),
            (
                SoftwareSource::Url,
                Some("https://example.org/s park.tgz"),
                None,
                Some("spark.url"),
            ),
            (SoftwareSource::Pypi, Some(https), None, Some("spark.url")),
            (
                SoftwareSource::None,
                None,
                Some(hex.as_str()),
                Some("spark.sha256"),
            ),
            (SoftwareSource::None, None, None, None),
        ] {
            assert_eq!(
                refused(source, url, sha256),
                field,
                "{source:?} {url:?} {sha256:?}"
            );
        }
    }
}
