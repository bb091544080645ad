//! Whether a cluster does its work now, found out on its nodes: asked by the step `cluster-health` behind the fence and by the
//! everyday command `check` outside of it.
//!
//! - Changes: for as long as it looks, a file in each HDFS and one in the shared volume, of names that are used once, and a task of
//!   a tenth of a cpu; where it looks deep, a job of Spark's and what that writes. They are taken away again; where the controller is
//!   killed meanwhile, by the [janitor](files) that waits on the first master.
//! - Twice is safe, also at once.
//! - Nothing to undo.

mod asker;
mod checkpoint;
mod files;
mod finding;
mod look;
mod masters;
mod namenode;
mod nodes;
mod quorum;
mod seen;
mod spark;
mod spark_job;
mod task;

pub use asker::Ways;
pub use finding::{Finding, What};
pub use look::Check;
pub use namenode::blocks;
pub use seen::{Extent, Seen};
pub use spark_job::text as job_text;
pub use task::Task;
