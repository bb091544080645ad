//! "Did you mean …?"

/// The known name that `wanted` was probably meant to be.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (similarity(wanted, name), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// How alike two names are, from 0 to 1. The case, the order of the words and `_` instead of `-` do not count.
fn similarity(a: &str, b: &str) -> f64 {
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let (a, b) = (plain(a), plain(b));
    let sorted = |name: &str| {
        let mut words: Vec<_> = name.split('-').collect();
        words.sort_unstable();
        words.join("-")
    };
    if strsim::damerau_levenshtein(&a, &b) == 1 || sorted(&a) == sorted(&b) {
        return 0.99;
    }
    strsim::jaro_winkler(&a, &b).max(strsim::normalized_damerau_levenshtein(&a, &b))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let known = [
            "masters",
            "slaves",
            "hdfs-format",
            "persistent-hdfs-format",
            "hdfs-start",
        ];
        assert_eq!(nearest("mastres", known), Some("masters"));
        assert_eq!(nearest("hdfs_format", known), Some("hdfs-format"));
        assert_eq!(nearest("format-hdfs", known), Some("hdfs-format"));
        assert_eq!(nearest("zzz", known), None);
    }
}
