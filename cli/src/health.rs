//! What the last `check` of a cluster came to, kept beside its key: `check.json`, for its owner only.

use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use mesosflow_workflow::ClusterId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wiring::Finding;

const FILE: &str = "check.json";

/// How a cluster was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    /// Whether nothing was bad.
    pub(crate) healthy: bool,
    /// Since when every look came to the same.
    pub(crate) since: Timestamp,
    /// When it was looked at last.
    pub(crate) checked_at: Timestamp,
    /// Machines that had joined it by themselves then, and are none of its record.
    #[serde(default)]
    pub(crate) joined: usize,
}

/// The file.
#[derive(Debug, Serialize)]
struct Kept<'a> {
    cluster: &'a str,
    cluster_id: ClusterId,
    #[serde(flatten)]
    health: &'a Health,
    findings: &'a [Finding],
}

/// What a look at a cluster has found, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Looked {
    #[serde(flatten)]
    pub(crate) health: Health,
    #[serde(default)]
    pub(crate) findings: Vec<KeptFinding>,
}

/// A finding, as `check --json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptFinding {
    pub(crate) what: String,
    #[serde(default)]
    pub(crate) node: Option<String>,
    pub(crate) ok: bool,
    pub(crate) detail: String,
}

impl Looked {
    /// What is kept in a cluster's folder, with all findings; none where nothing readable is.
    pub(crate) fn kept(folder: &Path) -> Option<Self> {
        read(folder)
    }
}

fn read<T: DeserializeOwned>(folder: &Path) -> Option<T> {
    let text = std::fs::read(folder.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Health {
    /// What is kept in a cluster's folder; none where nothing readable is.
    pub(crate) fn kept(folder: &Path) -> Option<Self> {
        read(folder)
    }

    /// How it is now, with regard to what is kept.
    pub(crate) fn after(kept: Option<&Self>, (healthy, joined): (bool, usize), now: Timestamp) -> Self {
        let same = kept.filter(|kept| kept.healthy == healthy);
        Self {
            healthy,
            since: same.map_or(now, |kept| kept.since),
            checked_at: now,
            joined,
        }
    }

    /// Keeps it in the cluster's folder, whole or not at all; where that has gone with the cluster, nothing is kept.
    pub(crate) fn keep(
        &self,
        folder: &Path,
        cluster: &str,
        cluster_id: ClusterId,
        findings: &[Finding],
    ) -> io::Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        let kept = Kept {
            cluster,
            cluster_id,
            health: self,
            findings,
        };
        // 0600 from the beginning.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &kept)?;
        file.write_all(b"\n")?;
        file.persist(folder.join(FILE))
            .map(drop)
            .map_err(|error| error.error)
    }

    /// `healthy since 2026-03-01 09:30:00 UTC`
    pub(crate) fn text(&self) -> String {
        let word = if self.healthy { "healthy" } else { "unhealthy" };
        format!("{word} since {}", self.since.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use mesosflow_workflow::RunId;

    use super::*;
    use crate::wiring::{What, known};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_stays_the_same_does_so_since_it_began() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Health::kept(folder.path()), None);
        let mut kept = None;
        for (now, healthy, since) in [
            (10, true, 10),
            (20, true, 10),
            (30, false, 30),
            (40, false, 30),
            (50, true, 50),
        ] {
            let health = Health::after(kept.as_ref(), (healthy, 2), at(now));
            let outcome = if healthy {
                Ok("fine".into())
            } else {
                Err("broken".into())
            };
            let findings = [known(What::Ssh, Some("demo-slave-1"), outcome)];
            let id = ClusterId::of_run(RunId::generate());
            health.keep(folder.path(), "demo", id, &findings).unwrap();
            kept = Health::kept(folder.path());
            assert_eq!(
                kept,
                Some(Health {
                    healthy,
                    since: at(since),
                    checked_at: at(now),
                    joined: 2,
                })
            );
        }
        let path = folder.path().join(FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(text["findings"][0]["node"], "demo-slave-1", "{text}");
        // What is no file of ours is no health.
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Health::kept(folder.path()), None);
        // A folder that has gone with its cluster is not made again.
        let gone = folder.path().join("gone");
        let health = Health::after(None, (true, 0), at(1));
        health
            .keep(&gone, "demo", ClusterId::of_run(RunId::generate()), &[])
            .unwrap();
        assert!(!gone.exists());
    }
}
