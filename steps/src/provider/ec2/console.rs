//! Host keys on a machine's console, as cloud-init prints them at the end of a boot (module `keys_to_console`).

use crate::remote::HostKey;

const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";
/// Types of keys that an SSH server proves to have, best first.
const TYPES: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
];

/// The host keys of the last boot that the console shows whole, best first; none where there is no such block yet.
///
/// A line may have the kernel's time or syslog's words before it, and a carriage return behind.
pub(super) fn host_keys(console: &str) -> Vec<HostKey> {
    let Some(end) = console.rfind(END) else {
        return Vec::new();
    };
    let Some(begin) = console[..end].rfind(BEGIN) else {
        return Vec::new();
    };
    let block = &console[begin + BEGIN.len()..end];
    let mut keys: Vec<(usize, HostKey)> = block.lines().filter_map(key).collect();
    keys.sort_by_key(|(rank, _)| *rank);
    keys.into_iter().map(|(_, key)| key).collect()
}

/// The key in a line, with the place of its type.
fn key(line: &str) -> Option<(usize, HostKey)> {
    let words: Vec<_> = line.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let rank = TYPES.iter().position(|name| *name == pair[0])?;
        let key = pair.join(" ").parse().ok()?;
        Some((rank, key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";

    fn shown(console: &str) -> Vec<String> {
        host_keys(console).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_keys_of_the_last_whole_block_count_best_first() {
        let block = |keys: &[&str]| format!("{BEGIN}\n{}\n{END}\n", keys.join("\n"));
        assert_eq!(
            shown(&block(&[
                &format!("{ECDSA} root@a"),
                &format!("{ED25519} root@a")
            ])),
            [ED25519, ECDSA]
        );
        let twice = format!("{}reboot\n{}", block(&[OTHER]), block(&[ED25519]));
        assert_eq!(shown(&twice), [ED25519]);
        let cut = format!("{}{BEGIN}\n{ED25519}\n", block(&[OTHER]));
        assert_eq!(shown(&cut), [OTHER], "a block that is still being written");
    }

    #[test]
    fn what_the_console_puts_around_a_line_does_not_count() {
        let console = format!(
            "[   12.3] cloud-init[512]: {BEGIN}\r\n<14>Nov 24 18:00:00 cloud-init: {ED25519} root@ip-10-0-0-7\r\n[ 12.4] {END}\r\n"
        );
        assert_eq!(shown(&console), [ED25519]);
    }

    #[test]
    fn fingerprints_and_noise_are_no_keys() {
        assert!(shown("").is_empty());
        assert!(shown("Linux version 2.6.16-xenU").is_empty());
        let fingerprints = "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n256 SHA256:abc root@a (ED25519)\n-----END SSH HOST KEY FINGERPRINTS-----\n";
        assert!(shown(fingerprints).is_empty());
        assert!(shown(&format!("{BEGIN}\nssh-ed25519 AAAA\n{END}")).is_empty());
        assert!(shown(&format!("{END}\n{ED25519}\n{BEGIN}")).is_empty());
    }
}
