//! What each listed host has and lacks for a cluster, all at once, a finding for each. Nothing is changed on any.

use futures_util::stream::{self, StreamExt as _};

use super::login::{Host, Trouble};
use super::marks;
use super::provider::HostsProvider;
use super::survey::AT_ONCE;
use crate::cluster::ClusterSpec;
use crate::provider::Need;

/// What has to be free on a host's root file system, MiB: what is installed on a known system, Mesos, and logs.
const ROOT_MIB: u64 = 4096;

/// Looks at every host of the list.
pub async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    if spec.hosts.nodes.is_empty() {
        let hint =
            "list them as `[[hosts.nodes]]` in mesosflow.toml: role, address, host_key (docs/hosts.md)";
        return vec![Need::lacking("hosts", "none is listed", hint)];
    }
    let provider = match HostsProvider::open(spec, None) {
        Ok(provider) => provider,
        Err(error) => return vec![Need::of("key to log in with", &error)],
    };
    let provider = &provider;
    let looking = provider.hosts().iter().map(|host| async move {
        let what = format!("host {} ({})", host.instance.name, host.target);
        match look(provider, host).await {
            Ok(detail) => Need::fine(what, detail),
            Err(trouble) => trouble.finding(what),
        }
    });
    stream::iter(looking.collect::<Vec<_>>())
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn look(provider: &HostsProvider, host: &Host) -> Result<String, Trouble> {
    let session = provider.fit(host).await?;
    let around = marks::around(&session).await?;
    if around.free_mib.is_some_and(|free| free < ROOT_MIB) {
        return Err(Trouble::new(
            format!(
                "has {} MiB free on its root file system, and needs {ROOT_MIB}",
                around.free_mib.unwrap_or_default()
            ),
            "make room there, or give it a larger disk",
        ));
    }
    let free = around
        .free_mib
        .map_or_else(String::new, |free| format!(", {free} MiB free on /"));
    Ok(format!(
        "answers with its pinned key, lets in as root: {}, {} processors, {} MiB of memory{free}",
        around.system, around.processors, around.memory_mib
    ))
}
