//! User data: what cloud-init does on a machine's first boot.

use serde_json::{Value, json};

use super::image::OWN_USER;
use crate::provider::ec2_facts::USER_DATA_LIMIT as LIMIT;

/// Between the parts of several; it occurs in none of them, since none may hold this line.
const BOUNDARY: &str = "==mesosflow-user-data==";

/// What a machine is told on its first boot.
#[derive(Debug, Clone, Default)]
pub(super) struct UserData {
    /// Who logs in.
    pub(super) login_user: String,
    /// With which keys, as `authorized_keys` lines.
    pub(super) authorized_keys: Vec<String>,
    /// The host key that it is to have: private (OpenSSH) and public.
    pub(super) host_key: Option<(String, String)>,
    /// What the user adds.
    pub(super) further: Option<String>,
}

/// The user data cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UserDataError {
    /// It begins with nothing that cloud-init knows.
    #[error("it begins neither with #cloud-config nor with #!")]
    Unknown,
    /// Together with mesosflow's it is too large.
    #[error("with mesosflow's own it has {0} bytes, more than the {LIMIT} that EC2 takes")]
    TooLarge(usize),
    /// It holds the line that separates parts.
    #[error("it holds the line {BOUNDARY}")]
    Boundary,
}

impl UserData {
    /// As cloud-init reads it, if EC2 takes it.
    ///
    /// # Errors
    /// What the user adds is of no known kind, or too large.
    pub(super) fn checked(&self) -> Result<String, UserDataError> {
        let text = self.text()?;
        if text.len() > LIMIT {
            return Err(UserDataError::TooLarge(text.len()));
        }
        Ok(text)
    }

    /// As cloud-init reads it.
    ///
    /// # Errors
    /// What the user adds is of no known kind.
    fn text(&self) -> Result<String, UserDataError> {
        let own = format!("#cloud-config\n{}\n", self.config());
        let Some(further) = &self.further else {
            return Ok(own);
        };
        let kind = match further.trim_start() {
            config if config.starts_with("#cloud-config") => "text/cloud-config",
            script if script.starts_with("#!") => "text/x-shellscript",
            _ => return Err(UserDataError::Unknown),
        };
        if further.contains(BOUNDARY) {
            return Err(UserDataError::Boundary);
        }
        Ok(format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\n\n\
             --{BOUNDARY}\nContent-Type: {kind}; charset=\"utf-8\"\n\n{}\n\
             --{BOUNDARY}\nContent-Type: text/cloud-config; charset=\"utf-8\"\n\n{own}\
             --{BOUNDARY}--\n",
            further.trim_start()
        ))
    }

    /// mesosflow's own part: JSON, which is YAML too.
    fn config(&self) -> Value {
        let mut config = json!({
            // Beside what the user adds, not instead of it.
            "merge_how": [
                {"name": "list", "settings": ["append"]},
                {"name": "dict", "settings": ["no_replace", "recurse_list"]},
            ],
            // Names and disks are given by steps, and have to outlive a reboot.
            "preserve_hostname": true,
            "manage_etc_hosts": false,
            "mounts": [["ephemeral0"]],
        });
        if self.login_user == OWN_USER {
            config["users"] = json!(["default", {
                "name": OWN_USER,
                "shell": "/bin/bash",
                "lock_passwd": true,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": self.authorized_keys,
            }]);
        } else {
            config["ssh_authorized_keys"] = json!(self.authorized_keys);
        }
        if self.login_user == "root" {
            config["disable_root"] = json!(false);
        }
        if let Some((private, public)) = &self.host_key {
            config["ssh_keys"] = json!({"ed25519_private": private, "ed25519_public": public});
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> UserData {
        UserData {
            login_user: "admin".into(),
            authorized_keys: vec!["ssh-ed25519 AAAA mesosflow".into()],
            ..UserData::default()
        }
    }

    fn config(data: &UserData) -> Value {
        let text = data.text().unwrap();
        serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap()).unwrap()
    }

    #[test]
    fn the_images_own_user_gets_the_key_and_an_unknown_one_is_made() {
        assert_eq!(
            config(&data())["ssh_authorized_keys"],
            json!(["ssh-ed25519 AAAA mesosflow"])
        );
        let own = config(&UserData {
            login_user: OWN_USER.into(),
            ..data()
        });
        assert_eq!(own["users"][1]["sudo"], "ALL=(ALL) NOPASSWD:ALL");
        assert!(own.get("ssh_authorized_keys").is_none());
    }

    #[test]
    fn a_host_key_is_handed_over_only_where_it_was_asked_for() {
        assert!(config(&data()).get("ssh_keys").is_none());
        let with = UserData {
            host_key: Some(("private".into(), "public".into())),
            ..data()
        };
        assert_eq!(config(&with)["ssh_keys"]["ed25519_private"], "private");
    }

    #[test]
    fn what_the_user_adds_stands_beside_it() {
        for (further, kind) in [
            ("#!/bin/sh\ntrue\n", "x-shellscript"),
            ("#cloud-config\na: 1\n", "cloud-config"),
        ] {
            let with = UserData {
                further: Some(further.into()),
                ..data()
            };
            let text = with.text().unwrap();
            assert!(text.starts_with("MIME-Version: 1.0\n"), "{text}");
            assert!(text.contains(further) && text.contains(kind) && text.contains("ssh_authorized_keys"));
            assert_eq!(text.matches(&format!("--{BOUNDARY}\n")).count(), 2);
        }
        let refused = |further: &str| {
            UserData {
                further: Some(further.into()),
                ..data()
            }
            .checked()
            .unwrap_err()
        };
        assert_eq!(refused("echo"), UserDataError::Unknown);
        assert_eq!(
            refused(&format!("#!/bin/sh\n{BOUNDARY}")),
            UserDataError::Boundary
        );
        assert!(matches!(
            refused(&format!("#!{}", "x".repeat(LIMIT))),
            UserDataError::TooLarge(_)
        ));
    }
}
