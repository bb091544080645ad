//! Files that want more copies than there will be datanodes: HDFS does not end the departure of one while it has blocks of such files. The
//! first master goes through all names for them, and nothing but numbers and a few paths comes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Hdfs;
use crate::act::ActError;
use crate::cluster::Node;
use crate::world::{Script, World};

const WANTING: &str = concat!(shell!("hdfs-walk.sh"), shell!("hdfs-wanting.sh"));
const LOWER: &str = concat!(shell!("hdfs-walk.sh"), shell!("hdfs-lower.sh"));
/// A namenode lists tens of thousands of files a second.
const WALK_LIMIT: Duration = Duration::from_secs(60 * 60);
/// It changes some hundred: each change is on its disk before the next.
const LOWER_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// Those files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanting {
    /// How many datanodes there will be.
    pub left: u64,
    /// How many files want more copies than that; empty ones too, since somebody may be writing them.
    pub files: u64,
    /// Their bytes, of one copy.
    pub bytes: u64,
    /// The most copies that one of them wants.
    pub highest: u64,
    /// The paths of the first five.
    pub examples: Vec<String>,
    /// Such files in snapshots, which nobody can change.
    pub in_snapshots: u64,
    /// The snapshots that have them, or may: a folder each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// Bytes that all files take with no more copies than there will be datanodes.
    pub stored: u64,
}

/// Counts the files of a file system that want more copies than there will be datanodes: everywhere, in trash and snapshots too.
///
/// # Errors
/// The first master cannot be reached, or its namenode does not answer.
pub async fn files_wanting(
    world: &World,
    hdfs: Hdfs,
    namenode: &Node,
    left: u64,
) -> Result<Wanting, ActError> {
    let mut wanting = hdfs.walk(world, namenode, left, &["/".to_owned()]).await?;
    let snapshots = hdfs.snapshots(world, namenode).await?;
    if !snapshots.is_empty() {
        let within = hdfs.walk(world, namenode, left, &snapshots).await?;
        wanting.in_snapshots = within.files;
        wanting.highest = wanting.highest.max(within.highest);
        // Counted twice where the file still is what it was: rather too much than too little.
        wanting.stored += within.stored;
        if within.files > 0 {
            wanting.snapshots = snapshots;
        }
    }
    Ok(wanting)
}

impl Wanting {
    /// Whether no file wants more.
    pub const fn is_none(&self) -> bool {
        self.files == 0 && self.in_snapshots == 0
    }

    /// How many there are and the first of them, as a sentence fragment about the file system.
    pub fn text(&self, hdfs: Hdfs) -> String {
        let more = |files: u64| match files {
            1 => "1 file that wants".to_owned(),
            files => format!("{files} files that want"),
        };
        let mut said = Vec::new();
        if self.files > 0 {
            let shown: Vec<_> = self.examples.iter().map(|path| shown(path)).collect();
            let rest = if self.files > shown.len() as u64 {
                ", …"
            } else {
                ""
            };
            said.push(format!(
                "{} ({} bytes: {}{rest})",
                more(self.files),
                self.bytes,
                shown.join(", ")
            ));
        }
        if self.in_snapshots > 0 {
            let first = self.snapshots.first().map(|folder| shown(folder));
            let first = first.unwrap_or_default();
            said.push(format!("in snapshots ({first}, …) {}", more(self.in_snapshots)));
        }
        format!(
            "the {} HDFS has {} up to {} copies, where {} would be left",
            hdfs.as_str(),
            said.join(", and "),
            self.highest,
            datanodes(self.left)
        )
    }
}

/// A number of them.
pub(super) fn datanodes(number: u64) -> String {
    match number {
        1 => "1 datanode".to_owned(),
        number => format!("{number} datanodes"),
    }
}

/// A path as it may stand in a line.
pub(crate) fn shown(path: &str) -> String {
    path.chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

impl Hdfs {
    async fn walk(
        self,
        world: &World,
        namenode: &Node,
        left: u64,
        folders: &[String],
    ) -> Result<Wanting, ActError> {
        let title = format!(
            "count the files of the {} HDFS that want more than {left} copies",
            self.as_str()
        );
        let script = Script::new(&title, WANTING)
            .var("kind", self.as_str())
            .var("left", left)
            .stdin(roots(folders));
        let answer = self.asked(world, namenode, script.within(WALK_LIMIT)).await?;
        counted(&answer.stdout, left).ok_or_else(|| {
            ActError::wrong(format!(
                "{title} on {}: cannot understand {:?}",
                namenode.name,
                answer.stdout_str()
            ))
        })
    }

    /// Has every file that wants more copies than that be content with so many; how many there were. Cut off in the middle, the rest is
    /// found again.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode refuses.
    pub(crate) async fn lower(self, world: &World, namenode: &Node, left: u64) -> Result<u64, ActError> {
        let title = format!(
            "have the files of the {} HDFS want {left} copies at most",
            self.as_str()
        );
        let script = Script::new(&title, LOWER)
            .var("kind", self.as_str())
            .var("left", left)
            .stdin(roots(&["/".to_owned()]));
        let answer = self.asked(world, namenode, script.within(LOWER_LIMIT)).await?;
        let answer = answer.stdout_str();
        answer.trim().parse().map_err(|_| {
            ActError::wrong(format!(
                "{title} on {}: cannot understand {answer:?}",
                namenode.name
            ))
        })
    }
}

/// Folders for `hdfs-walk.sh`: patterns, with a zero byte behind each.
fn roots(folders: &[String]) -> Vec<u8> {
    let mut roots = String::new();
    for folder in folders {
        for letter in folder.chars() {
            if r"\*?{}[]".contains(letter) {
                roots.push('\\');
            }
            roots.push(letter);
        }
        roots.push('\0');
    }
    roots.into_bytes()
}

/// Paths with a zero byte behind each.
pub(super) fn paths(said: &[u8]) -> Vec<String> {
    let each = said.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    each.map(|path| String::from_utf8_lossy(path).into_owned())
        .collect()
}

/// What `hdfs-wanting.sh` prints: paths, and the numbers behind the last of them.
fn counted(said: &[u8], left: u64) -> Option<Wanting> {
    let end = said.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
    let (examples, numbers) = said.split_at(end);
    let numbers = std::str::from_utf8(numbers).ok()?;
    let mut numbers = numbers.split_whitespace().map(|number| number.parse().ok());
    let mut next = || numbers.next().flatten();
    Some(Wanting {
        left,
        files: next()?,
        bytes: next()?,
        highest: next()?,
        stored: next()?,
        examples: paths(examples),
        ..Wanting::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_have_any_letters() {
        let said = b"/d/three\0/d/new\nline 7\0/d/a  b [x]\x0010 5001000 3 28008000";
        let wanting = counted(said, 2).unwrap();
        assert_eq!(
            (wanting.files, wanting.bytes, wanting.highest, wanting.stored),
            (10, 5_001_000, 3, 28_008_000)
        );
        assert_eq!(wanting.examples, ["/d/three", "/d/new\nline 7", "/d/a  b [x]"]);
        assert_eq!(counted(b"0 0 0 0", 2).unwrap().examples, Vec::<String>::new());
        for wrong in ["", "1 2 3", "/a\0", "a b c d"] {
            assert_eq!(counted(wrong.as_bytes(), 2), None, "{wrong}");
        }
    }

    #[test]
    fn folders_are_no_patterns() {
        let folders = [r"/d/.snapshot/s [1]\*".to_owned(), "/é".to_owned()];
        assert_eq!(roots(&folders), "/d/.snapshot/s \\[1\\]\\\\\\*\0/é\0".as_bytes());
    }

    #[test]
    fn what_wants_more_is_told_in_one_line() {
        let mut wanting = counted(b"/a\nb\x001 7 3 14", 2).unwrap();
        assert_eq!(
            wanting.text(Hdfs::Ephemeral),
            "the ephemeral HDFS has 1 file that wants (7 bytes: /a?b) up to 3 copies, where 2 datanodes would be left"
        );
        (wanting.files, wanting.in_snapshots) = (0, 2);
        wanting.snapshots = vec!["/d/.snapshot/s".to_owned()];
        assert_eq!(
            wanting.text(Hdfs::Persistent),
            "the persistent HDFS has in snapshots (/d/.snapshot/s, …) 2 files that want up to 3 copies, where 2 datanodes would be left"
        );
    }
}
