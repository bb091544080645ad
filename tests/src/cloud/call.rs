//! A call of the EC2 query protocol, as it came in.

use std::time::Instant;

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is asked for: `RunInstances`.
    pub action: String,
    /// All parameters, the action too, as they came.
    pub parameters: Vec<(String, String)>,
    /// When it came.
    pub at: Instant,
}

/// Whether a call of that name only looks.
pub(super) fn looks(action: &str) -> bool {
    action.starts_with("Describe") || action.starts_with("Get")
}

impl Call {
    pub(super) fn parse(form: &[u8]) -> Self {
        let parameters: Vec<_> = form
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let mut sides = pair.splitn(2, |byte| *byte == b'=').map(decoded);
                (sides.next().unwrap_or_default(), sides.next().unwrap_or_default())
            })
            .collect();
        let mut call = Self {
            action: String::new(),
            parameters,
            at: Instant::now(),
        };
        call.action = call.value("Action").unwrap_or_default().to_owned();
        call
    }

    /// A parameter's value: `call.value("InstanceId.1")`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The values of a tag in it, wherever it stands: of a filter, or of what is to be tagged.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let filter = format!("tag:{name}");
        self.parameters.iter().find_map(|(key, value)| {
            let sibling = if *value == filter {
                key.strip_suffix(".Name")?.to_owned() + ".Value.1"
            } else if value == name {
                key.strip_suffix(".Key")?.to_owned() + ".Value"
            } else {
                return None;
            };
            self.value(&sibling)
        })
    }
}

/// `application/x-www-form-urlencoded`, undone.
pub(super) fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let call = Call::parse(
            b"Action=DescribeInstances&Filter.1.Name=tag%3Amesosflow%3Arun&Filter.1.Value.1=a+b%25&Empty=&&Odd",
        );
        assert_eq!(call.action, "DescribeInstances");
        assert_eq!(call.value("Filter.1.Value.1"), Some("a b%"));
        assert_eq!(call.value("Empty"), Some(""));
        assert_eq!(call.value("Odd"), Some(""));
        assert_eq!(call.value("Missing"), None);
        assert_eq!(call.tag("mesosflow:run"), Some("a b%"));
        let call = Call::parse(b"TagSpecification.1.Tag.2.Key=Name&TagSpecification.1.Tag.2.Value=x");
        assert_eq!(call.tag("Name"), Some("x"));
    }
}
