//! Where a cluster's own things lie on this machine: its key, the pinned host keys, what its machines were told, what the last
//! check came to. They outlive every run, and so lie in a folder of the cluster's.
//!
//! Programs of before kept them in the folder of the run that made the cluster, beside its log. There they are found too, and go
//! on being used; whoever drives the cluster moves them, by one renaming: there is no moment at which they are nowhere or twice.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use mesosflow_workflow::{ClusterId, RunId};

use crate::logging::LOG;
use crate::places::Places;

/// The folder of a cluster's things, made or not; `founder` is the run that made the cluster.
pub(crate) fn find(places: &Places, cluster: ClusterId, founder: RunId) -> PathBuf {
    let (own, before) = (places.cluster_dir(cluster), places.run_dir(founder));
    match !holds_any(&own) && holds_any(&before) {
        true => before,
        false => own,
    }
}

/// Gives the founding run its log back, where a move was broken off: before anybody begins another one in its place.
pub(crate) fn give_back(places: &Places, cluster: ClusterId, founder: RunId) {
    let given = give_back_log(&places.cluster_dir(cluster), &places.run_dir(founder));
    if let Err(error) = given {
        tracing::warn!(%error, run = %founder, "the run's log stays with its cluster's things");
    }
}

/// The same for whoever drives the cluster, and holds its lease: moved where a program of before has left them. Where they
/// cannot be moved, as to another file system, they stay.
pub(crate) fn take(places: &Places, cluster: ClusterId, founder: RunId) -> PathBuf {
    let (own, before) = (places.cluster_dir(cluster), places.run_dir(founder));
    let moved = move_all(&own, &before).and_then(|()| give_back_log(&own, &before));
    if let Err(error) = moved {
        tracing::warn!(%error, from = %before.display(), to = %own.display(), "the cluster's things stay where they are");
    }
    find(places, cluster, founder)
}

/// A text that a run has recorded, with the paths of the cluster's things as they are now.
pub(crate) fn renamed(places: &Places, cluster: ClusterId, founder: RunId, text: &str) -> String {
    let now = find(places, cluster, founder);
    // Wherever they lay when it was recorded, be it on another machine.
    let paths = [
        ("-i ", "/cluster_ed25519"),
        ("UserKnownHostsFile=", "/known_hosts"),
    ];
    paths.into_iter().fold(text.to_owned(), |text, (before, file)| {
        let found = text.find(before).map(|at| at + before.len());
        let path = found.and_then(|from| Some(from..from + text[from..].find(file)?));
        match path {
            Some(path) => format!("{}{}{}", &text[..path.start], now.display(), &text[path.end..]),
            None => text,
        }
    })
}

fn move_all(own: &Path, before: &Path) -> io::Result<()> {
    if holds_any(own) || !holds_any(before) {
        return Ok(());
    }
    private_folder(parent(own))?;
    fs::rename(before, own)?;
    File::open(parent(own))?.sync_all()?;
    File::open(parent(before))?.sync_all()
}

/// The log that came along is the run's. After a crash in between, it is given back the next time.
fn give_back_log(own: &Path, before: &Path) -> io::Result<()> {
    let (taken, place) = (own.join(LOG), before.join(LOG));
    if !taken.exists() || place.exists() {
        return Ok(());
    }
    private_folder(before)?;
    fs::rename(taken, place)
}

/// Whether anything but a run's log is there.
fn holds_any(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name() != LOG)
}

fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Bench {
        places: Places,
        cluster: ClusterId,
        run: RunId,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let places = Places::new(Some(&folder.path().join("j.sqlite")), false).unwrap();
            Self {
                places,
                cluster: ClusterId::generate(),
                run: RunId::generate(),
                _folder: folder,
            }
        }

        /// What a program of before has left: the run's log, and the cluster's things beside it.
        fn of_before(&self) -> PathBuf {
            let before = self.places.make_run_dir(self.run).unwrap();
            fs::create_dir(before.join("user_data")).unwrap();
            for (file, text) in [
                (LOG, "log"),
                ("cluster_ed25519", "key"),
                ("user_data/own", "said"),
            ] {
                fs::write(before.join(file), text).unwrap();
            }
            before
        }

        fn find(&self) -> PathBuf {
            find(&self.places, self.cluster, self.run)
        }

        fn take(&self) -> PathBuf {
            take(&self.places, self.cluster, self.run)
        }
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_new_clusters_things_have_a_folder_of_their_own() {
        let bench = Bench::new();
        let run = bench.places.make_run_dir(bench.run).unwrap();
        fs::write(run.join(LOG), "log").unwrap();
        let own = bench.places.cluster_dir(bench.cluster);
        assert_eq!((bench.find(), bench.take()), (own.clone(), own));
        assert_eq!(text(&run.join(LOG)), "log");
    }

    #[test]
    fn what_lies_with_the_first_run_is_found_there_and_moved_once_by_who_drives() {
        let bench = Bench::new();
        let before = bench.of_before();
        assert_eq!(bench.find(), before);
        let own = bench.places.cluster_dir(bench.cluster);
        // One that was made for nothing is no reason to lose sight of the other.
        fs::create_dir_all(&own).unwrap();
        assert_eq!(bench.find(), before);
        for _ in 0..2 {
            assert_eq!(bench.take(), own);
            assert_eq!(text(&own.join("cluster_ed25519")), "key");
            assert_eq!(text(&own.join("user_data/own")), "said");
            assert_eq!(text(&before.join(LOG)), "log");
            assert!(!own.join(LOG).exists() && !before.join("cluster_ed25519").exists());
            assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o700);
            let login = |folder: &str| {
                format!(
                    "ssh -i {folder}/cluster_ed25519 -o UserKnownHostsFile={folder}/known_hosts -p 22 root@x"
                )
            };
            for recorded in [&*before.to_string_lossy(), "/elsewhere/clusters/c"] {
                let now = renamed(&bench.places, bench.cluster, bench.run, &login(recorded));
                assert_eq!(now, login(&own.to_string_lossy()));
            }
        }
        assert_eq!(bench.find(), own);
    }

    #[test]
    fn a_move_that_was_broken_off_is_finished_and_one_that_cannot_be_leaves_all_in_place() {
        let bench = Bench::new();
        let before = bench.of_before();
        let own = bench.places.cluster_dir(bench.cluster);
        private_folder(parent(&own)).unwrap();
        fs::rename(&before, &own).unwrap();
        assert_eq!(bench.find(), own);
        // Who destroys the cluster moves nothing, and begins a log where that of the run belongs.
        give_back(&bench.places, bench.cluster, bench.run);
        assert_eq!(text(&before.join(LOG)), "log");
        fs::rename(before.join(LOG), own.join(LOG)).unwrap();
        assert_eq!(bench.take(), own);
        assert_eq!(text(&before.join(LOG)), "log");

        let bench = Bench::new();
        let before = bench.of_before();
        fs::write(parent(&bench.places.cluster_dir(bench.cluster)), "in the way").unwrap();
        assert_eq!(bench.take(), before);
        assert_eq!(text(&before.join("cluster_ed25519")), "key");
    }
}
