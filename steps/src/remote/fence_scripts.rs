//! The shell side of the fence: what runs on the node when it is raised or looked at. The protocol is in the documentation of
//! [`super::fence`]; what every command pays for is in the wrapper of [`super::command`].
//!
//! All of it is POSIX shell with coreutils, util-linux, findutils, GNU grep and any awk. `dir` is the cluster's folder.

/// Prints the driver that the node has seen, `EPOCH NONCE`, or `none`.
pub(super) const SEEN: &str = r#"[ -e "$dir/epoch" ] || { echo none; exit 0; }
read -r seen by doubt <"$dir/epoch"
echo "$seen $by"
"#;

/// Takes a driver in if the node has what was seen there. `$members` is [`MEMBERS`].
pub(super) const RAISE: &str = shell!("fence-raise.sh");

/// Finds the processes of older drivers, in awk.
pub(super) const MEMBERS: &str = shell!("fence-members.awk");
