//! Where mesosflow keeps its files: the XDG folders, unless the user says otherwise.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use mesosflow_workflow::RunId;

use crate::error::CliError;

const NAME: &str = "mesosflow";

/// The folder of mesosflow's data; none where the home folder is unknown.
pub(crate) fn data() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join(NAME))
}

/// Commands that are about one run.
const OF_A_RUN: [&str; 3] = ["resume", "replay", "destroy"];

/// `text` with the run in each command line of this program that it has in backticks and that is about a run: what knows no
/// run, as a step, says "`mesosflow resume`" or "`mesosflow resume RUN …`", which typed as it stands would be no command, or
/// another run's.
pub(crate) fn naming(run: RunId, text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(place, part)| {
        let mut words = part.split(' ');
        let is_of_a_run = place % 2 == 1
            && words.next() == Some(NAME)
            && words.next().is_some_and(|word| OF_A_RUN.contains(&word));
        if !is_of_a_run {
            return part.to_owned();
        }
        let command: Vec<_> = part.split(' ').take(2).collect();
        let rest: Vec<_> = match words.next() {
            Some("RUN") | None => Vec::new(),
            Some(flag) if flag.starts_with("--") => vec![flag],
            Some(_) => return part.to_owned(),
        };
        let id = run.to_string();
        let all = command.into_iter().chain([id.as_str()]).chain(rest).chain(words);
        all.collect::<Vec<_>>().join(" ")
    });
    parts.collect::<Vec<_>>().join("`")
}

/// The journal, and what lies beside it.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    journal: PathBuf,
    is_default: bool,
}

impl Places {
    /// The places for the journal that the user named, or the default one.
    pub(crate) fn new(named: Option<&Path>) -> Result<Self, CliError> {
        let default = etcetera::choose_base_strategy()
            .ok()
            .and_then(|base| Some(base.state_dir()?.join(NAME).join("journal.sqlite")));
        match (named, default) {
            (Some(path), _) if path.as_os_str().is_empty() => {
                Err(CliError::usage("the journal's path is empty")
                    .hint("name a file with --journal, or leave it out"))
            }
            (Some(path), default) => Ok(Self {
                journal: path.to_owned(),
                is_default: default.is_some_and(|default| default == path),
            }),
            (None, Some(default)) => Ok(Self {
                journal: default,
                is_default: true,
            }),
            (None, None) => Err(
                CliError::usage("cannot tell the home folder, where the journal would be")
                    .hint("set HOME, or name a journal with --journal"),
            ),
        }
    }

    /// The journal's file.
    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// The folder of a run: its keys, known hosts and log.
    pub(crate) fn run_dir(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// The folders of all runs. The same by whatever name the journal is called.
    pub(crate) fn runs(&self) -> PathBuf {
        let absolute = || std::path::absolute(&self.journal).unwrap_or_else(|_| self.journal.clone());
        let journal = self.journal.canonicalize().unwrap_or_else(|_| absolute());
        journal.parent().unwrap_or(Path::new("/")).join("runs")
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
        let parts = text.split('`').enumerate().map(|(place, part)| {
            let is_command = place % 2 == 1 && part.starts_with(&format!("{NAME} "));
            match is_command && !part.contains(" --journal ") {
                true => format!("{part} --journal {journal}"),
                false => part.to_owned(),
            }
        });
        parts.collect::<Vec<_>>().join("`")
    }

    /// A command line of this program that works on the same journal.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let journal = self.journal.to_string_lossy();
        let mut all = vec![NAME];
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
        let places = Places::new(Some(Path::new("/tmp/my journal"))).unwrap();
        assert_eq!(
            places.command(&["resume", "01jd3k"]),
            "mesosflow resume 01jd3k --journal '/tmp/my journal'"
        );
        let default = Places {
            journal: "/x".into(),
            is_default: true,
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
    fn a_hint_of_a_run_names_it_in_each_command_that_wants_it() {
        let run = RunId::generate();
        let text = "`mesosflow resume` goes on, `mesosflow replay --from hdfs-format --yes` formats, `mesosflow resume RUN \
                    --take-over` takes it, `mesosflow destroy` ends; `mesosflow list`, `mesosflow resume 01jd` and mesosflow resume";
        assert_eq!(
            naming(run, text),
            format!(
                "`mesosflow resume {run}` goes on, `mesosflow replay {run} --from hdfs-format --yes` formats, `mesosflow resume {run} \
                 --take-over` takes it, `mesosflow destroy {run}` ends; `mesosflow list`, `mesosflow resume 01jd` and mesosflow resume"
            )
        );
    }

    #[test]
    fn a_runs_folder_lies_beside_the_journal_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(Some(&folder.path().join("j.sqlite"))).unwrap();
        let run = RunId::generate();
        let dir = places.make_run_dir(run).unwrap();
        assert_eq!(dir, folder.path().join("runs").join(run.to_string()));
        assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(Places::new(Some(Path::new(""))).is_err());
    }
}
