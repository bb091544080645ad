//! Packages of a node's operating system: installed, one after the other with whoever else uses apt there.

use std::time::Duration;

use crate::cluster::Node;
use crate::remote::RemoteError;
use crate::world::{Script, World};

const PATIENTLY: &str = shell!("apt-patiently.sh");
/// How long apt's locks are waited for, seconds.
const PATIENCE: u32 = 300;

const PACKAGES: &str = shell!("packages-install.sh");

/// Installs the operating-system packages that are named, as far as they are missing.
///
/// # Errors
/// The node cannot be reached, or its package manager refuses.
pub(crate) async fn install(world: &World, node: &Node, packages: &[String]) -> Result<(), RemoteError> {
    if packages.is_empty() {
        return Ok(());
    }
    world.run(node, installing(packages)).await?;
    Ok(())
}

/// The script that does it. It says nothing while apt downloads, and may have to wait for two locks before.
pub(crate) fn installing(packages: &[String]) -> Script<'static> {
    Script::new("install packages", PACKAGES)
        .before(PATIENTLY)
        .var("packages", packages.join(" "))
        .var("patience", PATIENCE)
        .within(Duration::from_secs(900))
}
