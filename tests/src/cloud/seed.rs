//! What cloud-init finds on a machine: the user data of its instance, and what EC2 would tell of it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::instance::Instance;
use super::world::World;

/// Writes the seed of an instance into a folder, and returns that.
pub(super) fn write(folder: &Path, world: &World, instance: &Instance) -> std::io::Result<PathBuf> {
    let seed = folder.join(format!("seed-{}", instance.id));
    fs::create_dir_all(&seed)?;
    let public_keys: Vec<String> = match &instance.key_pair {
        None => Vec::new(),
        Some(name) => world
            .key_pairs()
            .into_iter()
            .filter(|(pair, _, _)| pair == name)
            .map(|(_, key, _)| key)
            .collect(),
    };
    // JSON is YAML too.
    let meta = json!({
        "instance-id": instance.id,
        "local-hostname": instance.private_name,
        "public-keys": public_keys,
    });
    private(&seed.join("meta-data"), meta.to_string().as_bytes())?;
    private(&seed.join("user-data"), &world.user_data(&instance.id))?;
    Ok(seed)
}

/// Host keys may be handed over in there.
fn private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}
