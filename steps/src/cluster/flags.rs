//! Flags of Mesos' daemons, as a cluster's specification has them: `--name=value`, `--name`, `--no-name`.

/// A flag, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag<'f> {
    /// What stands between the dashes and the first `=`.
    pub(crate) name: &'f str,
    /// What stands behind it; none where there is none.
    pub(crate) value: Option<&'f str>,
}

/// Takes flags apart; what does not begin with two dashes is left out, a specification with such a one is refused.
pub(crate) fn flags(all: &[String]) -> impl DoubleEndedIterator<Item = Flag<'_>> {
    all.iter()
        .filter_map(|flag| flag.strip_prefix("--"))
        .map(|flag| match flag.split_once('=') {
            Some((name, value)) => Flag {
                name,
                value: Some(value),
            },
            None => Flag {
                name: flag,
                value: None,
            },
        })
}

/// What flags say of a name last, which is what counts; none where they have it nowhere, or without a value.
pub(crate) fn flag_value<'f>(all: &'f [String], name: &str) -> Option<&'f str> {
    flags(all).rev().find(|flag| flag.name == name)?.value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_counts_and_no_name_is_taken_for_a_longer_one() {
        let all = [
            "--attributes=rack:a",
            "--attributes=rack:b=c",
            "--attributes_of=x",
            "--quiet",
            "--port=1",
            "--port",
        ];
        let all = all.map(str::to_owned);
        assert_eq!(flag_value(&all, "attributes"), Some("rack:b=c"));
        assert_eq!(flag_value(&all, "quiet"), None);
        assert_eq!(flag_value(&all, "port"), None);
        assert_eq!(flag_value(&all, "attribute"), None);
        assert_eq!(flags(&all).count(), all.len());
    }
}
