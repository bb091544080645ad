//! Where a journal may lie: on a file system that one machine has for itself.
//!
//! Write-ahead logging needs memory that all processes with the file share, and the lock of a driver has to be one lock
//! for all of them. Between machines the first does not exist, and the second depends on the server and its mount
//! options, so a journal on a network file system is refused unless its user vouches for it.

use std::fs::File;
use std::io;

use nix::sys::statfs::fstatfs;

use crate::inode::FileId;

/// File systems that several machines share, or that pass locks on to a server, by the number in their super block.
const SHARED: &[(i64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0x564c, "NCP"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0xaad7_aaea, "PanFS"),
    (0xbeef_dead, "StorNext"),
    (0x0131_11a8, "IBRIX"),
    (0x6163_6673, "ACFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0xbacb_acbc, "a folder of VMware's host"),
    (0x786f_4256, "a folder of VirtualBox's host"),
    (0x7c7c_6673, "a folder of Parallels' host"),
];

/// The number of everything that a process serves (FUSE), be it a disk or a connection.
const FUSE: i64 = 0x6573_5546;

/// What of it is known to have its files on this machine.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.bindfs",
    "fuse.cryfs",
    "fuse.encfs",
    "fuse.exfat",
    "fuse.ext4",
    "fuse.fuse-overlayfs",
    "fuse.fuse2fs",
    "fuse.gocryptfs",
    "fuse.mergerfs",
    "fuse.ntfs-3g",
    "fuse.securefs",
    "fuse.unionfs",
    "fuse.zfs",
];

/// The name of the network file system that `file` lies on; `None` where the machine has it for itself.
pub(crate) fn network(file: &File) -> io::Result<Option<String>> {
    let magic = fstatfs(file)?.filesystem_type().0 & 0xffff_ffff;
    if magic != FUSE {
        return Ok(shared(magic).map(str::to_owned));
    }
    let device = FileId::of(&file.metadata()?).device();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(served(&mounts, device))
}

fn shared(magic: i64) -> Option<&'static str> {
    SHARED
        .iter()
        .find(|(number, _)| *number == magic)
        .map(|(_, name)| *name)
}

/// The name of the FUSE file system on `device` (`major:minor`) in the kernel's list of mounts, unless its files are known
/// to be on this machine. One that nobody knows could be anywhere.
fn served(mounts: &str, device: (u64, u64)) -> Option<String> {
    let device = format!("{}:{}", device.0, device.1);
    let kind = mounts.lines().find_map(|line| {
        // id, parent, major:minor, root, mount point, options, tags …, "-", type, source, options
        let (before, after) = line.split_once(" - ")?;
        let found = before.split(' ').nth(2)? == device;
        found.then(|| after.split(' ').next().unwrap_or_default())
    });
    match kind {
        Some(kind) if LOCAL_FUSE.contains(&kind) => None,
        Some(kind) => Some(kind.to_owned()),
        None => Some("FUSE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_share_is_told_from_what_one_has() {
        for (magic, name) in [
            (0x6969, "NFS"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB"),
            (0x0102_1997, "9p"),
            (0x00c3_6400, "Ceph"),
            (0x0bd0_0bd0, "Lustre"),
            (0x4750_4653, "GPFS"),
            (0x5346_414f, "AFS"),
        ] {
            assert_eq!(shared(magic), Some(name));
        }
        // ext, xfs, btrfs, zfs, tmpfs, overlay, f2fs, bcachefs, ramfs, jfs, reiserfs.
        for magic in [
            0xef53,
            0x5846_5342,
            0x9123_683e,
            0x2fc1_2fc1,
            0x0102_1994,
            0x794c_7630,
            0xf2f5_2010,
            0xca45_1a4e,
            0x8584_58f6,
            0x3153_464a,
            0x5265_4973,
        ] {
            assert_eq!(shared(magic), None, "{magic:#x}");
        }
    }

    #[test]
    fn of_what_a_process_serves_only_the_known_local_ones_will_do() {
        let mounts = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:41 / /home/a/far rw,nosuid - fuse.sshfs a@far:/ rw,user_id=1000
41 22 0:42 / /home/a/safe rw,nosuid master:3 - fuse.gocryptfs /home/a/.safe rw
42 22 8:17 / /media/disk rw - fuseblk /dev/sdb1 rw
43 22 0:44 / /vm rw - virtiofs share rw
";
        assert_eq!(served(mounts, (0, 41)).as_deref(), Some("fuse.sshfs"));
        assert_eq!(served(mounts, (0, 44)).as_deref(), Some("virtiofs"));
        assert_eq!(served(mounts, (0, 99)).as_deref(), Some("FUSE"));
        assert_eq!(served(mounts, (0, 42)), None);
        assert_eq!(served(mounts, (8, 17)), None);
    }

    #[test]
    fn the_file_system_of_a_temporary_file_is_asked_for() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(network(&file).unwrap(), None);
    }
}
