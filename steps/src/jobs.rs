//! The user's own jobs on the first master: each started once under an id of its own, found again by it from any machine that has the
//! cluster's key, outside the fence and in no journal.
//!
//! What was sent along lies in a folder of the job's beside those of [`crate::remote::job`]; the first line of its script says what it is.

use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::RunId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::cluster::Node;
use crate::outside::Outside;
use crate::remote::quote::join;
use crate::remote::{Job, JobEntry, JobId, JobStatus, Piece, RemoteError, Session};
use crate::script::Script;
use crate::spark;

/// How the ids of the user's jobs begin: no other job's does.
const BEGINNING: &str = "job-";
/// The folders of what was sent along; of root's, and as lasting as the root disk.
const SENT: &str = "/var/lib/mesosflow/submitted";
/// For how long a job is looked for that does not answer: a laptop that sleeps longer attaches again.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The jobs that something was sent along for.
const SENT_FOR: &str = r#"[ ! -d "$sent" ] || ls -- "$sent""#;
/// Nobody but root reads what a job brings, which may hold what others are not to know.
const MAKE_ROOM: &str = r#"umask 077; mkdir -p -- "$folder""#;
/// What was sent along, and what it has left on the disks.
const TAKE_AWAY: &str = r#"rm -rf -- "$folder" /mnt/hadoop/mrlocal*/"$id""#;
/// How much of a job's arguments is kept to be shown, bytes: by that it is known again.
const TOLD: usize = 2048;
/// Stands for what is not.
const LEFT_OUT: &str = "…";

/// What a job is, as its user knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The program that runs it: `spark-submit`.
    pub program: String,
    /// The file that it was given, as it was named.
    pub file: String,
    /// The user's own arguments; of long ones the beginning.
    pub args: Vec<String>,
    /// Who submitted it, and from where: `user@host`.
    pub by: String,
}

impl About {
    /// The same with as much of the arguments as is shown of them.
    fn shortened(&self) -> Self {
        let mut room = TOLD;
        let mut args = Vec::new();
        for arg in &self.args {
            let fits = arg.floor_char_boundary(arg.len().min(room));
            room = room.saturating_sub(arg.len().max(1));
            match fits == arg.len() {
                true => args.push(arg.clone()),
                false => args.push(format!("{}{LEFT_OUT}", &arg[..fits])),
            }
            if room == 0 {
                break;
            }
        }
        if args.len() < self.args.len() {
            args.push(LEFT_OUT.to_owned());
        }
        Self { args, ..self.clone() }
    }
}

/// A job that somebody submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// As its node knows it.
    pub entry: JobEntry,
    /// What it is; none where its script was written by another program.
    pub about: Option<About>,
}

/// A job on its way.
#[derive(Debug)]
pub struct Submission {
    id: JobId,
}

impl Submission {
    /// One with a new id.
    pub fn new() -> Self {
        let id = format!("{BEGINNING}{}", RunId::generate());
        match id.parse() {
            Ok(id) => Self { id },
            Err(_) => unreachable!("{id} is a job's id"),
        }
    }

    /// The folder of the node's where its files go.
    pub fn folder(&self) -> String {
        folder(&self.id)
    }

    /// The job that runs `spark-submit` with these words: on Mesos where it can and nobody says where (`is_placed`).
    ///
    /// # Errors
    /// A word holds what no command line can carry.
    pub fn spark(&self, about: &About, is_placed: bool, words: &[String]) -> Result<Job, RemoteError> {
        let title = format!("spark-submit {}", about.file);
        let line = join(spark::words("spark-submit", is_placed, words));
        let line = line.map_err(|error| RemoteError::unquotable("", &title, error))?;
        // One line: JSON escapes what would end it.
        let about = serde_json::to_string(&about.shortened()).unwrap_or_default();
        Ok(Job {
            id: self.id.clone(),
            title,
            script: format!("# {about}\nexport MESOSFLOW_JOB={}\nexec {line}\n", self.id),
        })
    }
}

impl Default for Submission {
    fn default() -> Self {
        Self::new()
    }
}

/// The user's jobs on a node.
#[derive(Debug)]
pub struct Jobs {
    session: Arc<Session>,
    node: Node,
}

impl Jobs {
    /// Those on `node`, the first master.
    pub fn on(outside: &Outside, node: &Node) -> Self {
        Self {
            session: outside.session(node),
            node: node.clone(),
        }
    }

    /// Makes the folder for a job's files, which only root may read.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn receive(&self, submission: &Submission) -> Result<(), RemoteError> {
        let script = Script::new("make room for a job's files", MAKE_ROOM).var("folder", submission.folder());
        self.session.run(script.command(&self.node)?).await.map(drop)
    }

    /// Starts a job, whose files are there.
    ///
    /// # Errors
    /// The node cannot be reached. The job may have been started: [`Jobs::list`] tells.
    pub async fn start(&self, job: &Job) -> Result<JobStatus, RemoteError> {
        self.session.job_start(job).await
    }

    /// All jobs, the newest last: those as well of which only the files arrived.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn list(&self) -> Result<Vec<Submitted>, RemoteError> {
        let Ok(beginning) = BEGINNING.parse::<JobId>() else {
            unreachable!("{BEGINNING} is a job's id")
        };
        let entries = self.session.job_list(&beginning).await?;
        let script = Script::new("list what was sent along for jobs", SENT_FOR).var("sent", SENT);
        let sent = self.session.run(script.command(&self.node)?).await?.stdout_str();
        let mut all: Vec<_> = entries.into_iter().map(Submitted::of).collect();
        for id in sent.lines().filter_map(|line| line.parse::<JobId>().ok()) {
            if !all.iter().any(|job| job.entry.id == id) {
                all.push(Submitted::not_started(id));
            }
        }
        all.sort_by(|one, other| one.entry.id.as_str().cmp(other.entry.id.as_str()));
        Ok(all)
    }

    /// Hands on what a job prints, from its beginning to its end; then how it is.
    ///
    /// # Errors
    /// The node does not answer for a long time.
    pub async fn follow(&self, id: &JobId, taker: &mpsc::Sender<Piece>) -> Result<JobStatus, RemoteError> {
        self.session.job_follow(id, PATIENCE, taker).await
    }

    /// How a job is.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn status(&self, id: &JobId) -> Result<JobStatus, RemoteError> {
        self.session.job_status(id).await
    }

    /// Ends a job and all its processes, be it over and some go on; the executors of a job on Mesos go with its driver.
    ///
    /// # Errors
    /// The node cannot be reached, or processes of the job remain.
    pub async fn stop(&self, id: &JobId) -> Result<JobStatus, RemoteError> {
        self.session.job_stop(id).await
    }

    /// Removes a job that does not run, its output and what was sent along.
    ///
    /// # Errors
    /// It runs, or the node cannot be reached.
    pub async fn forget(&self, id: &JobId) -> Result<(), RemoteError> {
        self.session.job_forget(id).await?;
        let script = Script::new("remove a job's files", TAKE_AWAY)
            .var("folder", folder(id))
            .var("id", id.as_str());
        self.session.run(script.command(&self.node)?).await.map(drop)
    }
}

impl Submitted {
    fn of(entry: JobEntry) -> Self {
        let about = entry.first_line.strip_prefix("# ");
        let about = about.and_then(|text| serde_json::from_str(text).ok());
        Self { entry, about }
    }

    fn not_started(id: JobId) -> Self {
        let entry = JobEntry {
            id,
            status: JobStatus::Absent,
            output: 0,
            began: None,
            ended: None,
            first_line: String::new(),
        };
        Self { entry, about: None }
    }
}

fn folder(id: &JobId) -> String {
    format!("{SENT}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_arguments_the_beginning_is_told() {
        let told = |args: &[&str]| {
            let args = args.iter().map(ToString::to_string).collect();
            let about = About {
                args,
                ..About::default()
            };
            about.shortened().args
        };
        assert_eq!(told(&["a", "", "b"]), ["a", "", "b"]);
        let long = "ü".repeat(3000);
        let cut = told(&["first", &long, "last"]);
        assert_eq!((cut.len(), cut[0].as_str(), cut[2].as_str()), (3, "first", "…"));
        assert!(cut[1].len() <= TOLD && cut[1].ends_with("ü…"), "{}", cut[1].len());
        let many = vec![""; 100_000];
        assert!(told(&many).len() <= TOLD + 1);
    }

    #[test]
    fn a_script_says_what_it_is_on_one_line_and_each_word_means_itself() {
        let about = About {
            program: "spark-submit".into(),
            file: "a\nb.py".into(),
            args: vec!["$(touch /tmp/x)".into()],
            by: "me@here".into(),
        };
        let submission = Submission::new();
        let words = ["--name".to_owned(), "it's $HOME".to_owned()];
        let job = submission.spark(&about, true, &words).unwrap();
        let (first, rest) = job.script.split_once('\n').unwrap();
        let entry = JobEntry {
            first_line: first.to_owned(),
            ..Submitted::not_started(job.id.clone()).entry
        };
        assert_eq!(Submitted::of(entry).about, Some(about));
        let (mark, rest) = rest.split_once('\n').unwrap();
        assert_eq!(mark, format!("export MESOSFLOW_JOB={}", job.id));
        assert!(rest.starts_with("exec sh -c "), "{rest}");
        assert!(
            rest.contains(r#" --name "it's \$HOME""#) || rest.contains(r#"'$HOME'"#),
            "{rest}"
        );
        assert!(job.id.as_str().starts_with(BEGINNING));
        assert!(submission.folder().ends_with(job.id.as_str()));
    }
}
