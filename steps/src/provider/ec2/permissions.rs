//! The permissions that this provider needs: docs/iam-policy.json is the list, and it is held to the calls that are made.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const POLICY: &str = include_str!("../../../../docs/iam-policy.json");
const PAGE: &str = include_str!("../../../../docs/ec2.md");

/// What no call asks for by name: EC2 acts with these on behalf of whoever calls it.
const ON_BEHALF: [&str; 8] = [
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// The source of this provider, without its tests.
fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/ec2");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        all.push((path.display().to_string(), code));
    }
    all
}

/// The word after each place where `before` stands, white space between them aside.
fn words_after<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    let after = text
        .match_indices(before)
        .map(|(at, _)| text[at + before.len()..].trim_start());
    let word = |rest: &'t str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    };
    after.map(word).collect()
}

/// `describe_vpcs` → `DescribeVpcs`.
fn operation(method: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    method
        .split('_')
        .filter(|part| !part.is_empty())
        .map(capital)
        .collect()
}

/// What the clients are asked for, as their methods are called, and as the calls name themselves in logs and errors.
fn called() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut methods, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (path, code) in sources() {
        for client in ["reads()", "writes()"] {
            // Comments and `let` aside, a client is only taken to call it.
            let calls = code.replace(char::is_whitespace, "");
            let of_client = words_after(&calls, &format!(".{client}."))
                .into_iter()
                .map(operation);
            methods.extend(of_client);
        }
        let calls = code.replace(char::is_whitespace, "");
        for way in [".read(\"", ".write(\""] {
            names.extend(words_after(&calls, way).into_iter().map(str::to_owned));
        }
        assert!(!path.is_empty());
    }
    (methods, names)
}

fn allowed() -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let mut actions = BTreeSet::new();
    let mut sids = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        assert!(statement["Resource"].is_string() || statement["Resource"].is_array());
        let sid = statement["Sid"].as_str().unwrap();
        // IAM takes letters and digits, and each once.
        assert!(
            sid.chars().all(|c| c.is_ascii_alphanumeric()) && sids.insert(sid),
            "{sid}"
        );
        let list = match &statement["Action"] {
            Value::String(one) => vec![one.clone()],
            several => serde_json::from_value(several.clone()).unwrap(),
        };
        actions.extend(list);
    }
    actions
}

#[test]
fn the_policy_allows_exactly_the_calls_that_are_made() {
    let (methods, names) = called();
    assert_eq!(methods, names, "a call is not what it says it is");
    assert!(names.len() > 20, "{names:?}");
    let mut needed: BTreeSet<_> = names.iter().map(|name| format!("ec2:{name}")).collect();
    needed.extend(ON_BEHALF.map(str::to_owned));
    assert_eq!(allowed(), needed);
}

/// Looking is harmless; what ends or changes something is only allowed on what carries the tag of a run.
#[test]
fn nothing_can_be_ended_that_mesosflow_did_not_make() {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    for statement in policy["Statement"].as_array().unwrap() {
        let text = statement["Action"].to_string();
        let ends = ["Terminate", "Delete", "Cancel", "Revoke", "Attach"];
        if ends.iter().any(|word| text.contains(word)) {
            assert_eq!(
                statement["Condition"]["Null"]["aws:ResourceTag/mesosflow:run"],
                "false"
            );
        }
    }
}

#[test]
fn the_page_about_ec2_names_every_permission() {
    for action in allowed() {
        let (_, name) = action.split_once(':').unwrap();
        let name = name.strip_prefix("Describe").unwrap_or(name);
        assert!(PAGE.contains(&format!("{name}`")), "docs/ec2.md lacks {action}");
    }
}
