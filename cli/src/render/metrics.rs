//! Figures in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::text::clean;

/// What tells one figure of a family from the others: names and values.
type Labels = Vec<(&'static str, String)>;

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Figure {
    /// How many there are.
    Count(u64),
    /// A duration, or a time since 1970.
    Seconds(f64),
}

/// Figures of one name, each set of labels once: a name that comes twice would make the whole text unreadable.
#[derive(Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    figures: BTreeMap<Labels, Figure>,
}

impl Family {
    /// A family without figures.
    pub(crate) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            figures: BTreeMap::new(),
        }
    }

    /// Sets a figure; of several with the same labels the last one counts.
    pub(crate) fn set<const N: usize>(&mut self, labels: [(&'static str, &str); N], figure: Figure) {
        self.figures.insert(told(labels), figure);
    }

    /// Adds to a count.
    pub(crate) fn add<const N: usize>(&mut self, labels: [(&'static str, &str); N], more: u64) {
        let figure = self.figures.entry(told(labels)).or_insert(Figure::Count(0));
        if let Figure::Count(count) = figure {
            *count += more;
        }
    }
}

/// Values come from the journal, which anybody may have written: what would steer a terminal is left out, the rest is escaped.
fn told<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    let clean = |(name, value)| (name, clean(value).into_owned());
    labels.into_iter().map(clean).collect()
}

/// All that is told, in this order.
#[derive(Debug)]
struct All(Vec<Family>);

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.figures.is_empty()) {
            let kind = ConstGauge::new(0u64).metric_type();
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, figure) in &family.figures {
                let one = metric.encode_family(labels)?;
                match figure {
                    Figure::Count(count) => ConstGauge::new(*count).encode(one)?,
                    Figure::Seconds(seconds) => ConstGauge::new(*seconds).encode(one)?,
                }
            }
        }
        Ok(())
    }
}

/// The text; families without figures are left out.
pub(crate) fn text(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(families)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_label_stays_in_it() {
        let mut family = Family::new("x_nodes", "Nodes");
        family.set([("cluster", "a\"} 7\nx_nodes{cluster=\"b\\")], Figure::Count(1));
        family.set([("cluster", "\u{1b}[31mred\r")], Figure::Seconds(1.5));
        assert_eq!(
            text(vec![family]).unwrap(),
            "# HELP x_nodes Nodes\n# TYPE x_nodes gauge\n\
             x_nodes{cluster=\"[31mred\"} 1.5\n\
             x_nodes{cluster=\"a\\\"} 7\\nx_nodes{cluster=\\\"b\\\\\"} 1\n"
        );
    }

    #[test]
    fn what_would_come_twice_comes_once() {
        let mut family = Family::new("x", "X");
        family.add([("a", "b\u{1b}")], 1);
        family.add([("a", "b")], 2);
        assert!(text(vec![family]).unwrap().ends_with("x{a=\"b\"} 3\n"));
        assert_eq!(text(vec![Family::new("x", "X")]).unwrap(), "");
    }
}
