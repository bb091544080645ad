//! Host keys: pinned before the first connection, compared on every one.
//!
//! There is no trust on first use. A node whose key is not known is not talked to; how the key gets known (cloud-init
//! hands a generated one to the machine, the console prints it, the user lists it) is the provider's business.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ssh_key::{HashAlg, PublicKey};

/// The public key by which a node proves that it is that node.
///
/// Two keys are equal if their key material is; the comment does not count.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostKey {
    algorithm: String,
    blob: Vec<u8>,
    line: String,
    fingerprint: String,
}

/// A text that is not an OpenSSH public key line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an OpenSSH public key line: {reason}")]
pub struct HostKeyError {
    reason: String,
}

impl HostKey {
    /// The name of the key's type, as in `ssh-ed25519`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The fingerprint as OpenSSH shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The line that pins this key for `host` in a `known_hosts` file. Names and addresses are written plainly, a port
    /// other than 22 in OpenSSH's bracket form.
    pub fn known_hosts_line(&self, host: &str, port: u16) -> String {
        if port == 22 {
            format!("{host} {}", self.line)
        } else {
            format!("[{host}]:{port} {}", self.line)
        }
    }

    /// The key of a raw blob, as a server presents it.
    pub(crate) fn from_blob(blob: &[u8]) -> Result<Self, HostKeyError> {
        let refused = |error: ssh_key::Error| HostKeyError {
            reason: error.to_string(),
        };
        PublicKey::from_bytes(blob)
            .and_then(|key| key.to_openssh())
            .map_err(refused)?
            .parse()
    }

    /// Whether `blob`, which a server presented in its key exchange, is this key.
    pub(crate) fn is(&self, blob: &[u8]) -> bool {
        self.blob == blob
    }

    /// The signature algorithms by which a server can prove that it has this key.
    pub(crate) fn signature_algorithms(&self) -> &str {
        match self.algorithm.as_str() {
            // An RSA key is only ever asked to sign with SHA-2.
            "ssh-rsa" => "rsa-sha2-512,rsa-sha2-256",
            other => other,
        }
    }
}

/// The fingerprint of a raw key blob, for telling what was presented instead of the pinned key.
pub(crate) fn fingerprint_of(blob: &[u8]) -> String {
    match PublicKey::from_bytes(blob) {
        Ok(key) => key.fingerprint(HashAlg::Sha256).to_string(),
        Err(_) => "a key that cannot be parsed".to_owned(),
    }
}

impl FromStr for HostKey {
    type Err = HostKeyError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let refused = |error: ssh_key::Error| HostKeyError {
            reason: error.to_string(),
        };
        let mut key = PublicKey::from_openssh(line.trim()).map_err(refused)?;
        key.set_comment("");
        Ok(Self {
            algorithm: key.algorithm().as_str().to_owned(),
            blob: key.to_bytes().map_err(refused)?,
            line: key.to_openssh().map_err(refused)?.trim_end().to_owned(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        })
    }
}

impl TryFrom<String> for HostKey {
    type Error = HostKeyError;

    fn try_from(line: String) -> Result<Self, Self::Error> {
        line.parse()
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.line
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({} {})", self.algorithm, self.fingerprint)
    }
}

impl PartialEq for HostKey {
    fn eq(&self, other: &Self) -> bool {
        self.blob == other.blob
    }
}

impl Eq for HostKey {}

impl Hash for HostKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.blob.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q";

    #[test]
    fn a_line_reads_back_without_its_comment() {
        let key: HostKey = format!("{LINE} root@node-1\n").parse().unwrap();
        assert_eq!(key.to_string(), LINE);
        assert_eq!(key, LINE.parse().unwrap());
        assert_eq!(key.algorithm(), "ssh-ed25519");
        assert!(key.fingerprint().starts_with("SHA256:"));
        assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{LINE}\""));
        assert_eq!(
            serde_json::from_str::<HostKey>(&format!("\"{LINE}\"")).unwrap(),
            key
        );
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "node ssh-ed25519 AAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(text.parse::<HostKey>().is_err(), "{text:?} was taken for a key");
        }
        assert!(serde_json::from_str::<HostKey>("\"nonsense\"").is_err());
    }

    #[test]
    fn known_hosts_lines_name_the_port_only_where_it_is_not_22() {
        let key: HostKey = LINE.parse().unwrap();
        assert_eq!(key.known_hosts_line("10.0.0.7", 22), format!("10.0.0.7 {LINE}"));
        assert_eq!(
            key.known_hosts_line("10.0.0.7", 2201),
            format!("[10.0.0.7]:2201 {LINE}")
        );
    }
}
