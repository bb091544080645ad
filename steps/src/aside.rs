//! Folders and files that mesosflow lays down on a node under names that somebody else may use, and what was there before:
//! somebody's, which is moved aside under a dated name (a line of a file: made a comment), told, and never removed.

/// For scripts that put something in its place.
pub(crate) const FUNCTIONS: &str = shell!("aside.sh");

/// Whether mesosflow wrote a unit of systemd, as a function of a script that has [`FUNCTIONS`]: by what was written down, or, of one
/// that an older version put there, by the deployed tree.
pub(crate) const IS_OUR_UNIT: &str = r#"is_our_unit() {
  is_written "/etc/systemd/system/$1" || cmp --silent "/root/mesos-ec2/units/$1" "/etc/systemd/system/$1"
}
"#;
