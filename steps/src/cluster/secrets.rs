//! Flags of a spec: what of them would be a secret in the journal, in the units and on the nodes.

use super::urls::{is_secret, secret_in};

/// Values of flags that switch something, whatever it is called.
const SWITCHES: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];
/// Words that name a secret in a query and much else in a flag: those of pairs of `key` and `value`, say.
const PLAIN_WORDS: [&str; 2] = ["key", "auth"];

/// What in a flag (`--name=value`, `NAME=value`) is a secret, in words that do not hold it; none where nothing is seen to be one.
/// A file that is named by its path is none: what is in it stays on the nodes.
pub(crate) fn secret_in_flag(flag: &str) -> Option<String> {
    let (name, value) = flag.split_once('=').unwrap_or(("", flag));
    if let Some(what) = urls(value).find_map(secret_in) {
        return Some(what);
    }
    let name = name.trim_start_matches('-');
    if names_secret(name) && is_told(value) {
        return Some(format!("the value of `{name}`"));
    }
    secret_in_json(value).map(|key| format!("a value of `{key}`"))
}

/// The parts that may be URLs: JSON, lists of arguments and assignments go to pieces.
fn urls(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | '}' | '[' | ']'))
        .flat_map(|part| [Some(part), part.split_once('=').map(|(_, after)| after)])
        .flatten()
        .filter(|part| part.contains('@') || part.contains("://"))
}

fn names_secret(name: &str) -> bool {
    !PLAIN_WORDS.contains(&name.to_ascii_lowercase().as_str()) && is_secret(name)
}

/// Whether a value is the thing itself: neither the path of a file that holds it, nor a switch or a number.
fn is_told(value: &str) -> bool {
    let is_path = value.starts_with('/') || value.starts_with("file:///");
    let is_json = value.starts_with(['{', '[']);
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    !is_path && !is_json && !is_number && !SWITCHES.contains(&value.to_ascii_lowercase().as_str())
}

/// The key in JSON whose value is a secret: `{"password": "…"}`, or a parameter, `{"key": "password", "value": "…"}`.
fn secret_in_json(value: &str) -> Option<&str> {
    if !value.contains(['{', '[']) {
        return None;
    }
    // What stands between quotes: every other part. JSON itself escapes a quote, which no name of a secret has.
    let mut texts = value.split('"').skip(1).step_by(2).peekable();
    while let Some(text) = texts.next() {
        if !names_secret(text) {
            continue;
        }
        let _value = texts.next_if(|next| next.eq_ignore_ascii_case("value"));
        if texts.peek().is_some_and(|next| is_told(next)) {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_credential_in_a_flag_is_seen_and_not_told() {
        for flag in [
            "--credential=agent:s3cret",
            "--secret=s3cret",
            "--zk=zk://me:s3cret@10.0.0.1:2181/mesos",
            "--hooks_password=s3cret",
            "--api-token=s3cret",
            "--docker_registry=https://me:s3cret@registry",
            "--docker_registry=https:me:s3cret@registry",
            r#"--credentials={"credentials":[{"principal":"agent","secret":"s3cret"}]}"#,
            r#"--credential={"principal": "agent", "secret": "s3cret"}"#,
            r#"--executor_environment_variables={"DB_PASSWORD":"s3cret"}"#,
            r#"--modules={"libraries":[{"parameters":[{"key":"jwt_secret","value":"s3cret"}]}]}"#,
            r#"--docker_config={"auths":{"r":{"password":"s3cret"}}}"#,
            "GITHUB_TOKEN=s3cret",
            "CURL_ARGS=--proxy http://me:s3cret@proxy:3128",
            "--with-repo=https://ghp_s3cret@github.com/x",
        ] {
            let seen = secret_in_flag(flag).unwrap_or_else(|| panic!("{flag}"));
            assert!(!seen.contains("s3cret"), "{seen}");
        }
        for flag in [
            "--credential=/etc/mesos/credential",
            "--credentials=file:///etc/mesos/credentials",
            "--jwt_secret_key=/etc/mesos/jwt",
            "--authenticate_http_readwrite=true",
            "--disable-java",
            "--with-ssl=/usr/lib/ssl",
            "--quiet",
            "--attributes=rack:a;key:b",
            "--registry_max_agent_count=10",
            "--max_token=100",
            "--zk=zk://10.0.0.1:2181/mesos",
            "--webui_url=http://a:80/x@y",
            "CXXFLAGS=-O2 -Wno-error",
            r#"--modules={"libraries":[{"parameters":[{"key":"level","value":"high"}]}]}"#,
            r#"--credentials={"credentials":"/etc/mesos/x"}"#,
            r#"--executor_environment_variables={"LD_LIBRARY_PATH":"/usr/lib"}"#,
            r#"--executor_environment_variables={"TOKEN_FILE":"x","PASSWORD":"/run/x"}"#,
        ] {
            assert_eq!(secret_in_flag(flag), None, "{flag}");
        }
    }
}
