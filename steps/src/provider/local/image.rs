//! The node image: found by the digest of its recipe, or built from the recipe that this program carries.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use mesosflow_workflow::ErrorClass;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::engine::Engine;
use crate::provider::{Answer, Image, ProviderError};

/// A build that takes longer than this is stuck: a minute of CPU for the packages, and the downloads.
pub const BUILD_LIMIT: Duration = Duration::from_secs(25 * 60);

/// The recipe: what builds the image, and what goes into it.
#[derive(RustEmbed)]
#[folder = "image"]
struct Recipe;

/// SHA-256 of the recipe, hex: over the lines `<sha256>  <path>` of its files, sorted by path, as `sha256sum` prints them.
/// `build.sh --digest` prints the same.
pub fn recipe_digest() -> String {
    let mut paths: Vec<_> = Recipe::iter().collect();
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        if let Some(file) = Recipe::get(&path) {
            digest.update(format!("{}  {path}\n", hex::encode(file.metadata.sha256_hash())));
        }
    }
    hex::encode(digest.finalize())
}

/// The name of the image that the recipe gives.
pub fn image_name() -> String {
    format!("localhost/mesosflow-node:{}", &recipe_digest()[..16])
}

/// The image of that name, if the engine has it.
///
/// # Errors
/// The engine fails.
pub async fn find(engine: &Engine, name: &str) -> Result<Option<Image>, ProviderError> {
    let Some(found) = engine.inspect("image", name).await? else {
        return Ok(None);
    };
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    Ok(Some(Image {
        id: text("Id"),
        name: name.to_owned(),
        architecture: text("Architecture"),
        root_device: None,
        login_user: "root".into(),
        root_gb: None,
        machine_types: BTreeMap::new(),
    }))
}

/// Builds the image of that name. Two builds at once do no harm: the later one takes over the name.
///
/// # Errors
/// The recipe fails; the last lines that it wrote are the cause.
pub async fn build(engine: &Engine, name: &str) -> Result<(), ProviderError> {
    let failed = |answer: String| ProviderError {
        doing: "the node image could not be built".into(),
        class: ErrorClass::Permanent,
        hint: Some("the recipe needs Debian's packages and PyPI; `make image` runs it by itself".into()),
        source: Answer(answer),
    };
    let (engine, name) = (engine.clone(), name.to_owned());
    tokio::task::spawn_blocking(move || build_blocking(&engine, &name))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(failed)
}

fn build_blocking(engine: &Engine, name: &str) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    // Some 2 GB pass through it: not for a temporary folder in memory.
    let folder = tempfile::Builder::new()
        .prefix("mesosflow-image-")
        .tempdir_in("/var/tmp")
        .map_err(text)?;
    let recipe = folder.path().join("recipe");
    let work = folder.path().join("work").display().to_string();
    for path in Recipe::iter() {
        let Some(file) = Recipe::get(&path) else { continue };
        let target = recipe.join(path.as_ref());
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(text)?;
        }
        std::fs::write(target, file.data).map_err(text)?;
    }
    let mut child = std::process::Command::new("bash")
        .arg(recipe.join("build.sh"))
        .args([
            "--engine",
            &engine.command_line().join(" "),
            "--tag",
            name,
            "--work",
            &work,
        ])
        .args(["--recipe", &recipe_digest()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(text)?;
    let mut stderr = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(stderr) = &mut stderr {
            // What cannot be read is missing from the message only.
            let _read = stderr.read_to_end(&mut all);
        }
        String::from_utf8_lossy(&all).into_owned()
    });
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            tracing::info!(target: "mesosflow::progress", "{line}");
        }
    }
    let status = child.wait().map_err(text)?;
    let errors = errors.join().unwrap_or_default();
    if status.success() {
        return Ok(());
    }
    let tail: Vec<_> = errors.lines().rev().take(8).collect();
    Err(format!(
        "{status}; {}",
        tail.into_iter().rev().collect::<Vec<_>>().join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_names_the_image_as_its_own_script_does() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/image/build.sh");
        let output = std::process::Command::new("bash")
            .args([script, "--digest"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), recipe_digest());
    }
}
