//! Where Hadoop and Spark come from: the `[hadoop]` table and a part of `[spark]`.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Which way Hadoop or Spark comes to the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoftwareSource {
    /// Out of the archive at PyPI that mesosflow knows, which its own image has laid out already.
    #[default]
    Pypi,
    /// Out of a tarball of Apache's, by path or URL.
    Url,
    /// Nothing is laid out: the nodes have it, under `/root/ephemeral-hdfs` and `/root/persistent-hdfs`, or `/root/spark`.
    None,
}

impl SoftwareSource {
    /// The word for it in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pypi => "pypi",
            Self::Url => "url",
            Self::None => "none",
        }
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where Hadoop or Spark comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftwareSpec {
    /// Which of the ways.
    pub source: SoftwareSource,
    /// `url`: an absolute path on this machine, or an `http(s)://` URL that the first master fetches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `url`: the tarball's SHA-256, hex, by which all nodes have the same one. That of a path is taken when a run begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl SoftwareSpec {
    /// Whether nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Its tarball, where one was chosen.
    pub(crate) fn tarball(&self) -> Option<Tarball<'_>> {
        let url = self
            .url
            .as_deref()
            .filter(|_| self.source == SoftwareSource::Url)?;
        Some(Tarball::named(url))
    }
}

/// Where a tarball is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tarball<'a> {
    /// The first master fetches it.
    At(&'a str),
    /// It is on this machine.
    Here(&'a Path),
}

impl<'a> Tarball<'a> {
    /// What `url` of a spec says.
    pub(crate) fn named(url: &'a str) -> Self {
        match url.starts_with("http://") || url.starts_with("https://") {
            true => Self::At(url),
            false => Self::Here(Path::new(url)),
        }
    }
}
