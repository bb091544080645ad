//! The shell side of remote jobs: what runs on the node. The protocol is in the documentation of [`super::job`].
//!
//! All of it is POSIX shell with coreutils and util-linux. The variables `base` (the folder of all jobs) and `dir` (this
//! job's) are set in front of each script.

/// Functions that all the scripts below use.
pub(super) const STATE: &str = shell!("job-state.sh");

/// What finds processes of the user's jobs.
pub(super) const MARKED: &str = shell!("job-marked.sh");

/// Standard input is the job's script.
pub(super) const START: &str = shell!("job-start.sh");

/// The job's own first process.
pub(super) const SUPERVISOR: &str = shell!("job-supervisor.sh");

/// Ends everything that belongs to the job.
pub(super) const STOP: &str = shell!("job-stop.sh");

/// Prints the end of both streams, each as what it is.
pub(super) const OUTPUT: &str = r#"[ ! -e "$dir/out" ] || tail -c "$count" -- "$dir/out"
[ ! -e "$dir/err" ] || tail -c "$count" -- "$dir/err" >&2
"#;

/// Removes the folder unless the job runs. Behind [`OUTPUT`], it makes a result one that is taken once.
pub(super) const FORGET: &str = shell!("job-forget.sh");

/// Prints the state and what the output has that was not read yet.
pub(super) const READ: &str = shell!("job-read.sh");

/// Prints the jobs that there are.
pub(super) const LIST: &str = shell!("job-list.sh");
