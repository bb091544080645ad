//! URLs of a spec: what of them would be a secret in the journal, in logs and on the nodes.

/// Words that name a secret in a query, as far as they are known: signatures of presigned URLs (AWS, Google, Azure), tokens, keys.
const SECRET_KEYS: [&str; 10] = [
    "accesskey",
    "sig",
    "auth",
    "key",
    "apikey",
    "jwt",
    "pwd",
    "passwd",
    "pass",
    "credential",
];
/// And how such words end.
const SECRET_ENDS: [&str; 8] = [
    "token",
    "secret",
    "password",
    "signature",
    "_key",
    "-key",
    "credential",
    "credentials",
];

/// A URL to be shown: as it is, unless it holds a secret.
pub(crate) fn shown(url: &str) -> String {
    match secret_in(url) {
        Some(what) => format!("a URL that is not shown, since it holds {what}"),
        None => url.to_owned(),
    }
}

/// What in a URL is a secret, in words that do not hold it; none where nothing is seen to be one.
pub(crate) fn secret_in(url: &str) -> Option<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return has_password(url).then(|| "a password before `@`".to_owned());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if let Some((user, _)) = authority.rsplit_once('@') {
        // SSH logs in by key: a name alone is none, while over HTTPS it is the whole token as often as not.
        let is_ssh = scheme.to_ascii_lowercase().contains("ssh");
        if !is_ssh || user.contains(':') {
            return Some("a name or password before `@`".to_owned());
        }
    }
    let parameters = tail.split(['?', '#', '&', ';']).skip(1);
    let keys = parameters.filter_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        (!value.is_empty()).then(|| decoded(key))
    });
    keys.into_iter()
        .find(|key| is_secret(key))
        .map(|key| format!("`{key}` in its query"))
}

/// Whether what was to be a URL has a name and a password in it: `https:me:pw@host`, `https:/me:pw@host`, `me:pw@host`. A path has
/// neither, and `git@host:path` no password.
fn has_password(text: &str) -> bool {
    if text.starts_with(['/', '.']) {
        return false;
    }
    let parts = text.split('/').filter_map(|part| part.rsplit_once('@'));
    parts.into_iter().any(|(before, _)| before.contains(':'))
}

/// Whether a key names a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str()) || SECRET_ENDS.iter().any(|end| key.ends_with(end))
}

/// A key of a query without its percent signs.
fn decoded(key: &str) -> String {
    let bytes = key.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(meant) if *byte == b'%' => {
                plain.push(meant);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Whether a URL's answer can be another one than the server's: nobody signs it.
pub(crate) fn is_plain(url: &str) -> bool {
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "git" | "ftp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_seen_wherever_a_url_can_carry_them() {
        for url in [
            "https://user:pass@example.org/mesos.tar.gz",
            "https://ghp_token@github.com/x/mesos.git",
            "HTTPS://u:p@example.org",
            "http://u:p%40@example.org?x=1",
            "ssh://git:pw@example.org/mesos.git",
            "https://b.s3.amazonaws.com/m.tgz?X-Amz-Algorithm=A&X-Amz-Signature=abc",
            "https://b.s3.amazonaws.com/m.tgz?X-Amz-Credential=abc",
            "https://example.org/m.tgz?a=b&access_token=abc",
            "https://example.org/m.tgz?private%5Ftoken=abc",
            "https://x.blob.core.windows.net/m.tgz?sv=1&sig=abc",
            "https://example.org/m.tgz?api_key=abc",
            "https://example.org/m.tgz#token=abc",
            "https:user:pass@example.org/m.tgz",
            "https:/user:pass@example.org/m.tgz",
            "https//user:pass@example.org/m.tgz",
            "user:pass@example.org/m.tgz",
        ] {
            let seen = secret_in(url).unwrap_or_else(|| panic!("{url}"));
            for secret in ["pass", "ghp_", "abc", "pw"] {
                assert!(!seen.contains(secret) || seen.contains("password"), "{seen}");
            }
        }
        for url in [
            "https://example.org/mesos.tar.gz",
            "https://example.org/a@b/mesos.tar.gz?version=1.11.0&arch=amd64",
            "https://example.org:8443/m.tgz?token=",
            "ssh://git@example.org/mesos.git",
            "git@github.com:apache/mesos.git",
            "/data/mesos.tar.gz",
            "/data/a:b@c/mesos.tar.gz",
            "./a:b@c.tar.gz",
            "host:path/a@b",
        ] {
            assert_eq!(secret_in(url), None, "{url}");
        }
    }

    #[test]
    fn what_nobody_signs_is_plain() {
        assert!(is_plain("http://example.org/x") && is_plain("HTTP://example.org/x"));
        assert!(is_plain("git://example.org/x"));
        assert!(!is_plain("https://example.org/x") && !is_plain("/data/x") && !is_plain("git@h:x"));
    }
}
