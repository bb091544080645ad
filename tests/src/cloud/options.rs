//! What EC2 does about the options of a machine's metadata, and moto does not: it refuses tags that could not be shown there, keeps the
//! options that a change does not name, and only asks where it is only asked.

use axum::body::Bytes;

use super::call::Call;

const CHANGE: &str = "ModifyInstanceMetadataOptions";

/// A refusal of EC2's: the status of HTTP, the code and the message.
pub(super) type Refusal = (u16, &'static str, String);

/// Whether a call changes these options.
pub(super) fn is_change(call: &Call) -> bool {
    call.action == CHANGE
}

/// What EC2 refuses of a call, of a machine that carries these tags.
pub(super) fn refusal(call: &Call, carried: &[String]) -> Option<Refusal> {
    let (shows, keys) = match call.action.as_str() {
        "RunInstances" => (call.value("MetadataOptions.InstanceMetadataTags"), ordered(call)),
        CHANGE => (call.value("InstanceMetadataTags"), carried.to_vec()),
        _ => return None,
    };
    let bad = keys.into_iter().find(|key| !can_be_shown(key));
    if let (Some("enabled"), Some(key)) = (shows, bad) {
        let message = format!(
            "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name \
             ('.', '..', '_index')"
        );
        return Some((400, "InvalidParameterValue", message));
    }
    (is_change(call) && call.value("DryRun") == Some("true")).then(|| {
        let message = "Request would have succeeded, but DryRun flag is set.";
        (412, "DryRunOperation", message.to_owned())
    })
}

/// A change that names every option: those that it does not stay as they are.
pub(super) fn whole(
    call: &Call,
    form: &Bytes,
    options: &aws_sdk_ec2::types::InstanceMetadataOptionsResponse,
) -> Bytes {
    let hops = options.http_put_response_hop_limit().map(|hops| hops.to_string());
    let kept = [
        (
            "HttpTokens",
            options.http_tokens().map(|word| word.as_str().to_owned()),
        ),
        (
            "HttpEndpoint",
            options.http_endpoint().map(|word| word.as_str().to_owned()),
        ),
        ("HttpPutResponseHopLimit", hops),
        (
            "InstanceMetadataTags",
            options
                .instance_metadata_tags()
                .map(|word| word.as_str().to_owned()),
        ),
    ];
    let missing = kept.into_iter().filter(|(name, _)| call.value(name).is_none());
    let missing = missing.filter_map(|(name, value)| Some(format!("&{name}={}", value?)));
    let form = String::from_utf8_lossy(form).into_owned();
    Bytes::from(form + &missing.collect::<String>())
}

/// The keys that a launch orders for its machines.
fn ordered(call: &Call) -> Vec<String> {
    let is_of_machines = |name: &str| {
        let specification = name.split(".Tag.").next().unwrap_or_default();
        call.value(&format!("{specification}.ResourceType")) == Some("instance")
    };
    let keys = call.parameters.iter().filter(|(name, _)| {
        name.starts_with("TagSpecification.") && name.ends_with(".Key") && is_of_machines(name)
    });
    keys.map(|(_, key)| key.clone()).collect()
}

fn can_be_shown(key: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+-=.,_:@".contains(c);
    !key.is_empty() && key.chars().all(is_allowed) && ![".", "..", "_index"].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_could_not_be_shown_is_refused() {
        let launch = |shows: &str, key: &str| {
            let form = format!(
                "Action=RunInstances&MetadataOptions.InstanceMetadataTags={shows}&TagSpecification.1.ResourceType=volume\
                 &TagSpecification.1.Tag.1.Key=a+b&TagSpecification.2.ResourceType=instance&TagSpecification.2.Tag.1.Key={key}"
            );
            refusal(&Call::parse(form.as_bytes()), &[]).map(|(_, code, _)| code)
        };
        assert_eq!(launch("enabled", "mesosflow%3Arun"), None);
        assert_eq!(launch("enabled", "cost+center"), Some("InvalidParameterValue"));
        assert_eq!(launch("disabled", "cost+center"), None);
        let change = |form: &str, tag: &str| {
            let call = Call::parse(format!("Action=ModifyInstanceMetadataOptions&{form}").as_bytes());
            refusal(&call, &[tag.to_owned()]).map(|(_, code, _)| code)
        };
        assert_eq!(
            change("InstanceMetadataTags=enabled", "a/b"),
            Some("InvalidParameterValue")
        );
        assert_eq!(change("InstanceMetadataTags=enabled", "a-b"), None);
        assert_eq!(
            change("InstanceMetadataTags=enabled&DryRun=true", "a-b"),
            Some("DryRunOperation")
        );
    }
}
