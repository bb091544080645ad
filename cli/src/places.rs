//! Where mesosflow keeps its files: the XDG folders, unless the user says otherwise.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use mesosflow_workflow::{ClusterId, RunId};

use crate::error::CliError;
use crate::hints::{self, PROGRAM};

/// The folder of mesosflow's data; none where the home folder is unknown.
pub(crate) fn data() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join(PROGRAM))
}

/// The journal, and what lies beside it.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    journal: PathBuf,
    is_default: bool,
    on_network: bool,
}

impl Places {
    /// The places for the journal that the user named, or the default one; `on_network` where the user vouches for one on a
    /// network file system.
    pub(crate) fn new(named: Option<&Path>, on_network: bool) -> Result<Self, CliError> {
        let default = etcetera::choose_base_strategy()
            .ok()
            .and_then(|base| Some(base.state_dir()?.join(PROGRAM).join("journal.sqlite")));
        match (named, default) {
            (Some(path), _) if path.as_os_str().is_empty() => {
                Err(CliError::usage("the journal's path is empty")
                    .hint("name a file with --journal, or leave it out"))
            }
            (Some(path), default) => Ok(Self {
                journal: path.to_owned(),
                is_default: default.is_some_and(|default| default == path),
                on_network,
            }),
            (None, Some(default)) => Ok(Self {
                journal: default,
                is_default: true,
                on_network,
            }),
            (None, None) => Err(
                CliError::usage("cannot tell the home folder, where the journal would be")
                    .hint("set HOME, or name a journal with --journal"),
            ),
        }
    }

    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Whether the user vouches for a journal on a network file system.
    pub(crate) const fn is_on_network(&self) -> bool {
        self.on_network
    }

    /// The folder of a run: its log.
    pub(crate) fn run_dir(&self, run: RunId) -> PathBuf {
        self.beside("runs").join(run.to_string())
    }

    /// The folder of a cluster: its key, the pinned host keys, and what else outlives its runs. See [`crate::belongings`].
    pub(crate) fn cluster_dir(&self, cluster: ClusterId) -> PathBuf {
        self.beside("clusters").join(cluster.to_string())
    }

    /// What lies beside the journal. The same by whatever name the journal is called.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        let absolute = || std::path::absolute(&self.journal).unwrap_or_else(|_| self.journal.clone());
        let journal = self.journal.canonicalize().unwrap_or_else(|_| absolute());
        journal.parent().unwrap_or(Path::new("/")).join(name)
    }

    /// Makes the folder of a run, for its owner only.
    pub(crate) fn make_run_dir(&self, run: RunId) -> io::Result<PathBuf> {
        let dir = self.run_dir(run);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(dir)
    }

    /// `text` with this journal in each command line of this program that it has in backticks.
    pub(crate) fn named_in(&self, text: &str) -> String {
        if self.is_default {
            return text.to_owned();
        }
        let journal = self.journal.to_string_lossy();
        let journal = shlex::try_quote(&journal).unwrap_or(journal.as_ref().into());
        hints::on_journal(&journal, text)
    }

    /// A command line of this program that works on the same journal.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let journal = self.journal.to_string_lossy();
        let mut all = vec![PROGRAM];
        all.extend(words);
        if !self.is_default {
            all.extend(["--journal", &journal]);
        }
        let quoted: Vec<_> = all
            .iter()
            .map(|word| shlex::try_quote(word).map_or(word.to_owned().into(), |q| q))
            .collect();
        quoted.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_commands_journal_is_named_only_where_it_is_not_the_default() {
        let places = Places::new(Some(Path::new("/tmp/my journal")), false).unwrap();
        assert_eq!(
            places.command(&["resume", "01jd3k"]),
            "mesosflow resume 01jd3k --journal '/tmp/my journal'"
        );
        let default = Places {
            journal: "/x".into(),
            is_default: true,
            on_network: false,
        };
        assert_eq!(default.command(&["resume", "01jd3k"]), "mesosflow resume 01jd3k");
        let hint = "see `mesosflow list` and `x`, or `mesosflow resume y --journal z`";
        assert_eq!(
            places.named_in(hint),
            "see `mesosflow list --journal '/tmp/my journal'` and `x`, or `mesosflow resume y --journal z`"
        );
        assert_eq!(default.named_in(hint), hint);
    }

    #[test]
    fn a_runs_folder_lies_beside_the_journal_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(Some(&folder.path().join("j.sqlite")), false).unwrap();
        let run = RunId::generate();
        let dir = places.make_run_dir(run).unwrap();
        assert_eq!(dir, folder.path().join("runs").join(run.to_string()));
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(Places::new(Some(Path::new("")), false).is_err());
    }
}
