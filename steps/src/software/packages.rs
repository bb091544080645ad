//! Whether a node has the programs of its system that it needs, and what to do where it has not.

use crate::act::ActError;
use crate::cluster::Node;
use crate::packages;
use crate::remote::RemoteError;
use crate::system::{INSTALLED, System};
use crate::world::{Script, World};

/// What [`Software`](super::Software) and the daemons cannot do without.
pub(super) const NEEDED: &[&str] = &["rsync", "java", "curl", "tar", "gzip"];
/// Of `$programs`, those that are missing.
const MISSING: &str = r#"for program in $programs; do
  command -v "$program" >/dev/null || echo "$program"
done"#;

/// Which of `programs` the node lacks.
pub(super) async fn missing(
    world: &World,
    node: &Node,
    programs: &[&str],
) -> Result<Vec<String>, RemoteError> {
    let look = Script::new("look for the programs of the system", MISSING);
    let said = world.run(node, look.var("programs", programs.join(" "))).await?;
    Ok(said.stdout_str().lines().map(str::to_owned).collect())
}

/// Refuses unless the node has all of `programs`.
pub(super) async fn require(world: &World, node: &Node, programs: &[&str]) -> Result<(), ActError> {
    let missing = missing(world, node, programs).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(
        ActError::wrong(format!("{} has no {}", node.name, missing.join(", no "))).hinted(
            "mesosflow installs them itself on debian12, ubuntu22.04, ubuntu24.04 and al2023; elsewhere install them \
             there and resume, or use an image that has them",
        ),
    )
}

/// Which system a node runs; nothing where it does not say.
const SYSTEM: &str = r#"[ -r /etc/os-release ] || exit 0
. /etc/os-release
echo "${ID:-}${VERSION_ID:-}""#;

/// Installs the packages of its system on a node where a program of theirs is missing, and stops the servers that come with
/// them. A machine whose image has them is left alone.
///
/// # Errors
/// The node cannot be reached, its system is unknown and lacks something, its package manager refuses, or a program is
/// missing after all.
pub(crate) async fn complete(world: &World, node: &Node) -> Result<(), ActError> {
    if missing(world, node, INSTALLED).await?.is_empty() {
        return Ok(());
    }
    let said = world
        .run(node, Script::new("ask which system it runs", SYSTEM))
        .await?;
    let Ok(system) = said.stdout_str().trim().parse::<System>() else {
        return require(world, node, INSTALLED).await;
    };
    tracing::info!(target: "mesosflow::progress", "{}: installing what {system} lacks", node.name);
    let packages: Vec<_> = system.packages().iter().map(|&name| name.to_owned()).collect();
    packages::install(world, node, &packages)
        .await
        .map_err(|error| match error.exit_status() {
            // A mirror that does not answer is what a package manager most often fails for.
            Some(_) => ActError::not_yet(format!("the packages of {system}: {error}")).hinted(format!(
                "see that {} reaches the mirrors of its system: `mesosflow` needs {}",
                node.name,
                packages.join(" ")
            )),
            None => error.into(),
        })?;
    let commands = system.boot_commands().join("\n");
    world
        .run(node, Script::new("stop what the packages started", &commands))
        .await?;
    require(world, node, INSTALLED).await
}
