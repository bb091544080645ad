//! The user's private key: whether a program without a terminal can log in with it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ssh_key::PrivateKey;

/// No private key is larger; a file that is, is something else.
const MOST: u64 = 64 * 1024;

/// What is wrong with a file as a key to log in with, and what to do.
pub(super) fn check(path: &Path) -> Result<(), (String, String)> {
    let name = path.display();
    let unreadable = |error: &io::Error| {
        (
            format!("cannot be read: {name}: {error}"),
            "name the private key that may log in to every host".to_owned(),
        )
    };
    let data = path.metadata().map_err(|error| unreadable(&error))?;
    if !data.is_file() || data.len() > MOST {
        return Err(no_key(path));
    }
    let text = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(text).map_err(|_| no_key(path))?;
    check_text(path, &text)?;
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err((
            format!("may be read by others (mode {mode:04o}): {name}"),
            format!("make it yours alone, as ssh wants it: chmod 600 {name}"),
        ));
    }
    Ok(())
}

fn no_key(path: &Path) -> (String, String) {
    (
        format!("is no private key: {}", path.display()),
        "name the private key that may log in to every host, as `ssh -i` takes it".to_owned(),
    )
}

fn check_text(path: &Path, text: &str) -> Result<(), (String, String)> {
    let name = path.display();
    let encrypted = || {
        (
            format!("needs a passphrase, which nobody is there to type: {name}"),
            format!(
                "make a copy without one and name that: cp -p {name} {name}.plain && ssh-keygen -p -N '' -f {name}.plain"
            ),
        )
    };
    if text
        .trim_start()
        .starts_with("-----BEGIN OPENSSH PRIVATE KEY-----")
    {
        return match PrivateKey::from_openssh(text.trim_start()) {
            Ok(key) if key.is_encrypted() => Err(encrypted()),
            Ok(_) => Ok(()),
            Err(error) => Err((format!("is damaged: {name}: {error}"), no_key(path).1)),
        };
    }
    // What OpenSSL and PuTTY's converter write, and EC2 hands out: `RSA PRIVATE KEY`, `EC PRIVATE KEY`, `PRIVATE KEY`.
    let first = text.trim_start().lines().next().unwrap_or_default();
    if first.starts_with("-----BEGIN ") && first.trim_end().ends_with("PRIVATE KEY-----") {
        let is_encrypted = first.contains("ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED");
        return if is_encrypted { Err(encrypted()) } else { Ok(()) };
    }
    if text.parse::<ssh_key::PublicKey>().is_ok() {
        return Err((
            format!("is the public half of a key: {name}"),
            "name the private half: the file without `.pub`".to_owned(),
        ));
    }
    Err(no_key(path))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    fn made(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
        let path = folder.join(name);
        let status = Command::new("ssh-keygen")
            .arg("-q")
            .args(args)
            .arg("-f")
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
        path
    }

    #[test]
    fn keys_that_a_program_can_use_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        for (name, args) in [
            ("ed25519", &["-t", "ed25519", "-N", ""][..]),
            ("ecdsa", &["-t", "ecdsa", "-N", ""]),
            ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]),
            ("pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""]),
        ] {
            assert_eq!(check(&made(folder.path(), name, args)), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_cannot_log_in_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| check(path).unwrap_err();
        let open = made(folder.path(), "open", &["-t", "ed25519", "-N", ""]);
        for (name, args) in [
            ("locked", &["-t", "ed25519", "-N", "secret"][..]),
            ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"]),
            (
                "pkcs8",
                &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "secret"],
            ),
        ] {
            let (problem, hint) = refused(&made(folder.path(), name, args));
            assert!(problem.starts_with("needs a passphrase"), "{name}: {problem}");
            assert!(hint.contains("ssh-keygen -p"), "{hint}");
        }
        let (problem, hint) = refused(&folder.path().join("open.pub"));
        assert!(
            problem.starts_with("is the public half") && hint.contains(".pub"),
            "{problem}"
        );
        assert!(
            refused(&folder.path().join("none"))
                .0
                .starts_with("cannot be read")
        );
        assert!(refused(folder.path()).0.starts_with("is no private key"));
        let other = folder.path().join("other");
        std::fs::write(&other, "[hosts]\n").unwrap();
        assert!(refused(&other).0.starts_with("is no private key"));
        std::fs::write(&other, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n").unwrap();
        assert!(refused(&other).0.starts_with("is damaged"));
        std::fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
        let (problem, hint) = refused(&open);
        assert!(
            problem.contains("mode 0644") && hint.contains("chmod 600"),
            "{problem}"
        );
    }
}
