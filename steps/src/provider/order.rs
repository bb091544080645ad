//! The order in which what was made has to go.

use mesosflow_workflow::Resource;

use crate::cluster::ProviderKind;

/// What has to go before what: requests before the machines that they would still bring, machines before their volumes and
/// the groups and networks that they are in.
pub(crate) const ORDER: [&str; 7] = [
    "spot-request",
    "instance",
    "volume",
    "security-group-rule",
    "security-group",
    "network",
    "authorized-key",
];

/// The kinds of things that a provider leaves somewhere, and that have to go one day: some of [`ORDER`], in that order.
pub(crate) const fn made_kinds(provider: ProviderKind) -> &'static [&'static str] {
    match provider {
        ProviderKind::Local => &["instance", "network"],
        ProviderKind::Ec2 => &[
            "spot-request",
            "instance",
            "volume",
            "security-group-rule",
            "security-group",
        ],
        ProviderKind::Hosts => &["authorized-key"],
    }
}

fn place(kind: &str) -> usize {
    ORDER
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(ORDER.len())
}

/// Kind after kind, as they have to go; what is of one kind ends side by side.
pub(crate) fn kinds(mut todo: Vec<Resource>) -> Vec<Vec<Resource>> {
    todo.sort_by_key(|resource| place(&resource.kind));
    let mut kinds: Vec<Vec<Resource>> = Vec::new();
    for resource in todo {
        match kinds.last_mut().filter(|alike| alike[0].kind == resource.kind) {
            Some(alike) => alike.push(resource),
            None => kinds.push(vec![resource]),
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_provider_makes_has_its_place() {
        for provider in ProviderKind::ALL {
            let places: Vec<_> = made_kinds(provider).iter().map(|kind| place(kind)).collect();
            assert!(places.is_sorted(), "{provider}: {places:?}");
            assert!(
                places.iter().all(|place| *place < ORDER.len()),
                "{provider}: {places:?}"
            );
        }
    }
}
