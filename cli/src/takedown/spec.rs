//! By which spec a run is taken down.

use std::path::Path;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::Found;
use crate::wiring::{self, ClusterSpec, ProviderKind};

/// The spec that was frozen into the run; one that is lost, or that an older program wrote otherwise, is replaced as far as
/// deleting needs it.
pub(crate) fn spec(app: &App, found: &Found, folder: &Path) -> Result<ClusterSpec, CliError> {
    if let Ok(spec) = found.spec() {
        return Ok(spec);
    }
    let part = |name: &str| found.state.spec.get(name).cloned().unwrap_or_default();
    let row = &found.row;
    let lost = |message: String| CliError::new(Exit::Journal, message);
    let provider = ProviderKind::named(&row.provider).ok_or_else(|| {
        lost(format!(
            "nothing says any more which provider run `{}` is of",
            row.run
        ))
    })?;
    let mut spec = ClusterSpec {
        cluster: row.cluster.clone(),
        provider,
        ..ClusterSpec::default()
    };
    match provider {
        ProviderKind::Local => {
            spec.local = serde_json::from_value(part("local")).unwrap_or_default();
            Ok(spec)
        }
        ProviderKind::Hosts => {
            spec.hosts = wiring::awaited_hosts(&found.state, folder);
            if spec.hosts.nodes.is_empty() {
                return Err(lost(format!("the list of run `{}`'s hosts is lost with its first event", row.run)).hint(
                    "on each host, take the line with the run's id out of `authorized_keys`, and delete the run's mark",
                ));
            }
            Ok(spec)
        }
        ProviderKind::Ec2 if part("ec2")["region"].is_string() => {
            let text = |key: &str| part("ec2")[key].as_str().map(str::to_owned);
            spec.ec2.region = text("region");
            spec.ec2.endpoint_url = text("endpoint_url");
            spec.ec2.sts_endpoint_url = text("sts_endpoint_url");
            spec.ec2.account = text("account");
            spec.ec2 = spec.ec2.frozen();
            Ok(spec)
        }
        ProviderKind::Ec2 => {
            let look = ["list", "--orphans", "--provider", "ec2", "--region", "REGION"];
            Err(lost(format!(
                "the region of run `{}` is lost with its first event, and without it nothing can be deleted",
                row.run
            ))
            .hint(format!(
                "`{}` shows what carries its tags in a region, to be deleted there by hand",
                app.places.command(&look)
            )))
        }
    }
}
