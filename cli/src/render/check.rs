//! The findings of a check: a line for each, what has changed between two looks, and how the cluster is on a terminal's last line.

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};

use crate::text::one_line;
use crate::wiring::{Finding, What};

/// As wide as the longest of [`What`].
const WIDE: usize = 26;

/// A line of a finding; `node_wide` is how wide the names of nodes are.
pub(crate) fn line(finding: &Finding, node_wide: usize) -> String {
    let mark = if finding.outcome.is_ok() { "ok " } else { "BAD" };
    let node = finding.node.as_deref().unwrap_or_default();
    format!(
        "{mark}  {:<WIDE$}  {node:<node_wide$}  {}",
        finding.what,
        one_line(&finding.detail())
    )
}

/// What the last looks have found.
#[derive(Debug, Default)]
pub(crate) struct Known {
    was_ok: BTreeMap<(What, Option<String>), bool>,
}

impl Known {
    /// Whether a finding is another one than before; at first, whether it is bad. What is not looked at for a while, since its node
    /// does not answer, is as it was.
    pub(crate) fn is_news(&mut self, finding: &Finding) -> bool {
        let is_ok = finding.outcome.is_ok();
        let before = self.was_ok.insert((finding.what, finding.node.clone()), is_ok);
        before.unwrap_or(true) != is_ok
    }
}

/// The line of state on a terminal; nothing elsewhere.
pub(crate) struct StateLine {
    bar: Option<ProgressBar>,
}

impl StateLine {
    /// Begins it, where there is a terminal.
    pub(crate) fn new(is_live: bool) -> Self {
        let bar = is_live.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(200));
            bar
        });
        Self { bar }
    }

    /// Says how it is.
    pub(crate) fn say(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(one_line(text));
        }
    }

    /// Does what prints without the line in its way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for StateLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::known;

    fn finding(node: Option<&str>, is_ok: bool) -> Finding {
        let detail = match is_ok {
            true => Ok("answers".to_owned()),
            false => Err("does not\nanswer".to_owned()),
        };
        known(What::Ssh, node, detail)
    }

    #[test]
    fn a_finding_is_one_line() {
        let lines: Vec<_> = [finding(Some("demo-slave-1"), true), finding(None, false)]
            .iter()
            .map(|finding| line(finding, 13))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn only_what_changes_is_news() {
        let mut known = Known::default();
        for (is_ok, is_news) in [
            (true, false),
            (true, false),
            (false, true),
            (false, false),
            (true, true),
        ] {
            assert_eq!(known.is_news(&finding(Some("a"), is_ok)), is_news);
        }
        // At first, what is bad is.
        assert!(known.is_news(&finding(Some("b"), false)));
    }
}
