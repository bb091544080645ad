//! Command lines of this program within what is told: whoever writes them puts them in backticks, and does not know
//! everything that belongs into them.

use mesosflow_workflow::RunId;

/// The program's name, with which its command lines begin.
pub(crate) const PROGRAM: &str = "mesosflow";

/// Commands that are about one run.
const OF_A_RUN: [&str; 5] = ["resume", "replay", "rollback", "close", "destroy"];

/// `text` with the run in each command line that is about a run: what knows no run, as a step, says "`mesosflow resume`" or
/// "`mesosflow resume RUN …`", which typed as it stands would be no command, or another run's. What is `replayed` is that run too, or the
/// one that made the cluster, where no step of the run can be done by itself: then it has to be ended before.
pub(crate) fn naming(run: RunId, replayed: RunId, text: &str) -> String {
    in_commands(text, |line| {
        let mut words = line.split(' ').skip(1);
        let command = words.next().filter(|word| OF_A_RUN.contains(word))?;
        let rest: Vec<_> = match words.next() {
            Some("RUN") | None => Vec::new(),
            Some(flag) if flag.starts_with("--") => vec![flag],
            Some(_) => return None,
        };
        let (id, first) = match command {
            "replay" if replayed != run => (replayed, format!("{PROGRAM} close {run}`, then `")),
            _ => (run, String::new()),
        };
        let id = id.to_string();
        let all = [PROGRAM, command, &id].into_iter().chain(rest).chain(words);
        Some(first + &all.collect::<Vec<_>>().join(" "))
    })
}

/// `text` with a journal, quoted for the shell, in each command line that names none.
pub(crate) fn on_journal(journal: &str, text: &str) -> String {
    in_commands(text, |line| {
        (!line.contains(" --journal ")).then(|| format!("{line} --journal {journal}"))
    })
}

/// `text` with each command line as `complete` makes it, if it does.
fn in_commands(text: &str, complete: impl Fn(&str) -> Option<String>) -> String {
    let begins = |line: &str| {
        line.strip_prefix(PROGRAM)
            .is_some_and(|rest| rest.starts_with(' '))
    };
    let parts = text.split('`').enumerate().map(|(place, part)| {
        let completed = match place % 2 == 1 && begins(part) {
            true => complete(part),
            false => None,
        };
        completed.unwrap_or_else(|| part.to_owned())
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_of_a_run_names_it_in_each_command_that_wants_it() {
        let run = RunId::generate();
        let text = "`mesosflow resume` goes on, `mesosflow replay --from hdfs-format --yes` formats, `mesosflow resume RUN \
                    --take-over` takes it, `mesosflow destroy` ends; `mesosflow list`, `mesosflow resume 01jd` and mesosflow resume";
        assert_eq!(
            naming(run, run, text),
            format!(
                "`mesosflow resume {run}` goes on, `mesosflow replay {run} --from hdfs-format --yes` formats, `mesosflow resume {run} \
                 --take-over` takes it, `mesosflow destroy {run}` ends; `mesosflow list`, `mesosflow resume 01jd` and mesosflow resume"
            )
        );
    }

    #[test]
    fn a_replay_of_what_made_the_cluster_comes_after_the_end_of_a_run_that_has_none() {
        let (run, founder) = (RunId::generate(), RunId::generate());
        let text = "`mesosflow resume`; or all of it by `mesosflow replay --from hdfs-format`, or `mesosflow rollback`";
        let named = naming(run, founder, text);
        assert_eq!(
            on_journal("j", &named),
            format!(
                "`mesosflow resume {run} --journal j`; or all of it by `mesosflow close {run} --journal j`, then \
                 `mesosflow replay {founder} --from hdfs-format --journal j`, or `mesosflow rollback {run} --journal j`"
            )
        );
    }

    #[test]
    fn a_journal_is_named_in_each_command_that_names_none() {
        let hint =
            "see `mesosflow list` and `x`, or `mesosflow resume y --journal z`; `mesosflowd`, `mesosflow`";
        assert_eq!(
            on_journal("'/tmp/my journal'", hint),
            "see `mesosflow list --journal '/tmp/my journal'` and `x`, or `mesosflow resume y --journal z`; `mesosflowd`, `mesosflow`"
        );
    }
}
