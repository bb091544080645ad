//! The two HDFS: where they live, how they are formatted, started and asked, and how datanodes leave them.
//!
//! | file | holds |
//! |---|---|
//! | `kind` | their names, folders, ports and units; what a namenode is asked |
//! | `namenode` | what it answers |
//! | `format` | what a namenode's disk holds, and how it gets there |
//! | `exclude` | the list of datanodes that leave, on the namenode's disk |
//! | `checkpoint` | what the second master keeps of the persistent one's names |
//! | `serve` | daemons started, seen and stopped |
//! | `anew` | one of them started anew, while the others serve |
//! | `history` | Spark's history server, which reads the persistent one |
//! | `wanting`, `open` | files that keep a datanode from leaving |
//! | `leaving` | what a departure would meet with, before anything is touched |

mod anew;
mod checkpoint;
mod exclude;
mod format;
mod history;
mod kind;
mod leaving;
mod namenode;
mod open;
mod serve;
mod wanting;

pub use checkpoint::{Checkpoint, newest_checkpoint};
pub(crate) use checkpoint::{
    SECONDARY, are_made, checkpoint_script, have_made, import, understood_checkpoint,
};
pub use format::FileSystems;
pub(crate) use format::{FORMAT_LIMITS, is_made_by_run, is_of_run};
pub(crate) use format::{Formatted, NameFolder};
pub(crate) use history::{HISTORY, HISTORY_PORT, have_folder, have_it, is_as_asked};
pub(crate) use kind::Blocks;
pub use kind::Hdfs;
pub(crate) use kind::PERSISTENT_DATA;
pub use leaving::{Enough, Leaving, Room, what_leaving};
#[cfg(test)]
pub(crate) use namenode::Left;
pub(crate) use namenode::{Datanode, InService, View};
pub(crate) use wanting::shown;
pub use wanting::{Wanting, files_wanting};
