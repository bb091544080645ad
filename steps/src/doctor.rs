//! What a run would need that is not there, looked at before there is one: all of it, and not the first that is missing. Makes nothing.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::cluster::urls::shown;
use crate::cluster::{ClusterSpec, MesosSource, MesosSpec, SoftwareSpec, Tarball};
use crate::provider::{self, Need};

/// Where Mesos comes from, and all that the provider can tell.
pub async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    let own = spec.mesos.clone();
    let mesos = tokio::task::spawn_blocking(move || mesos(&own)).await;
    let mut all: Vec<_> = mesos.into_iter().collect();
    let chosen = [("Hadoop", spec.hadoop.clone()), ("Spark", spec.spark.software())];
    let chosen = tokio::task::spawn_blocking(|| chosen.map(|(what, of)| software(what, &of))).await;
    all.extend(chosen.into_iter().flatten().flatten());
    all.extend(provider::examine(spec).await);
    all
}

/// What is known here of the Mesos that would be deployed.
fn mesos(mesos: &MesosSpec) -> Need {
    let what = "Mesos";
    let url = mesos.url.as_deref().unwrap_or_default();
    match mesos.source {
        MesosSource::None => Need::fine(what, "what the nodes have under /root/mesos"),
        MesosSource::Git => match &mesos.repository {
            None => Need::lacking(
                what,
                "no repository is named to build it from",
                "name one: --mesos-repository URL, or `repository` under `[mesos]`",
            ),
            Some(repository) => Need::fine(
                what,
                format!(
                    "built from {} ({}) on the first master, which has to reach it; that is not looked at from here",
                    shown(repository),
                    mesos.branch.as_deref().unwrap_or("its default branch")
                ),
            ),
        },
        MesosSource::Tarball => tarball(what, Tarball::named(url), mesos.sha256.as_deref(), OF_MESOS),
    }
}

/// What is known here of a Hadoop or Spark that was chosen.
fn software(what: &'static str, of: &SoftwareSpec) -> Option<Need> {
    let hint = "name an existing tarball of Apache's: `url` under `[hadoop]` or `[spark]`";
    Some(tarball(what, of.tarball()?, of.sha256.as_deref(), hint))
}

const OF_MESOS: &str =
    "name an existing tarball of what `make install` gave: --mesos-url FILE, or `url` under `[mesos]`";

/// A tarball: one of this machine can be read whole, is compressed as one may be, and is the one that was meant.
fn tarball(what: &'static str, tarball: Tarball<'_>, sha256: Option<&str>, hint: &str) -> Need {
    let path = match tarball {
        Tarball::Here(path) => path,
        Tarball::At(url) => {
            let detail =
                "fetched by the first master, which has to reach it; that is not looked at from here";
            return Need::fine(what, format!("{}, {detail}", shown(url)));
        }
    };
    let shown = shown(&path.to_string_lossy());
    // What is read without an end, or waits for somebody to write, is no file.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Need::lacking(what, format!("{shown} is no file"), hint);
    }
    let (digest, bytes, begins) = match read(path) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Need::lacking(what, format!("{shown} is not there"), hint);
        }
        Err(error) => return Need::lacking(what, format!("{shown} cannot be read: {error}"), hint),
    };
    if !is_archive(&begins) {
        return Need::lacking(what, format!("{shown} is no tarball ({bytes} bytes)"), hint);
    }
    match sha256 {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&digest) => Need::lacking(
            what,
            format!("{shown} has the SHA-256 {digest}, and {wanted} is asked for"),
            "get the right one, or correct `sha256`",
        ),
        Some(_) => Need::fine(what, format!("{shown}, {} MiB, with its SHA-256", bytes >> 20)),
        None => Need::fine(what, format!("{shown}, {} MiB", bytes >> 20)),
    }
}

/// The SHA-256 of a file, its size, and how it begins.
fn read(path: &Path) -> std::io::Result<(String, u64, Vec<u8>)> {
    let mut file = std::fs::File::open(path)?;
    let (mut digest, mut bytes, mut begins) = (Sha256::new(), 0, Vec::new());
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((hex::encode(digest.finalize()), bytes, begins)),
            length => {
                let read = &piece[..length];
                if begins.len() < 512 {
                    begins.extend_from_slice(&read[..length.min(512)]);
                }
                digest.update(read);
                bytes += length as u64;
            }
        }
    }
}

/// Whether something begins as what `tar -x` takes: gzip, xz, bzip2, zstd, or a plain archive.
fn is_archive(begins: &[u8]) -> bool {
    let compressed: [&[u8]; 4] = [b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd"];
    compressed.iter().any(|magic| begins.starts_with(magic))
        || begins.get(257..262).is_some_and(|word| word == b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tarball_is_looked_at_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesos.tar.gz");
        let look = |sha256: Option<&str>| tarball("Mesos", Tarball::Here(&path), sha256, OF_MESOS);
        assert!(look(None).detail.contains("is not there"));
        std::fs::write(&path, "<html>not found</html>").unwrap();
        let page = look(None);
        assert!(
            !page.ok && page.detail.contains("no tarball") && page.hint.is_some(),
            "{page:?}"
        );
        std::fs::write(&path, b"\x1f\x8b and so on").unwrap();
        assert!(look(None).ok);
        let digest = hex::encode(Sha256::digest(b"\x1f\x8b and so on"));
        assert!(look(Some(&digest.to_uppercase())).ok);
        let other = look(Some(&"0".repeat(64)));
        assert!(!other.ok && other.detail.contains(&digest), "{other:?}");
        assert!(
            !tarball("Mesos", Tarball::Here(folder.path()), None, OF_MESOS).ok,
            "a folder"
        );
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_not_claimed() {
        for (source, url) in [
            (MesosSource::None, ""),
            (MesosSource::Tarball, "https://example.org/mesos.tar.gz"),
            (MesosSource::Git, "https://example.org/mesos.git"),
        ] {
            let found = mesos(&of(source, url));
            assert!(found.ok, "{found:?}");
        }
        let none = MesosSpec {
            repository: None,
            ..of(MesosSource::Git, "")
        };
        assert!(!mesos(&none).ok);
    }

    fn of(source: MesosSource, url: &str) -> MesosSpec {
        MesosSpec {
            source,
            url: Some(url.to_owned()),
            repository: Some(url.to_owned()),
            ..MesosSpec::default()
        }
    }

    /// The spec was refused for it, and is looked at all the same.
    #[test]
    fn a_secret_in_a_url_is_not_shown() {
        for (source, url) in [
            (MesosSource::Tarball, "https://u:HIDDEN@example.org/m.tar.gz"),
            (
                MesosSource::Tarball,
                "https://b.s3.amazonaws.com/m.tgz?X-Amz-Signature=HIDDEN",
            ),
            (MesosSource::Tarball, "u:HIDDEN@example.org/m.tar.gz"),
            (MesosSource::Git, "https://me:HIDDEN@example.org/m.git"),
        ] {
            let found = mesos(&of(source, url));
            let said = format!("{found:?}");
            assert!(!said.contains("HIDDEN") && said.contains("not shown"), "{said}");
        }
    }
}
