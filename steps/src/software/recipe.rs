//! The layout script and what it lays out beside the archive, as this program carries them.

use std::path::Path;

use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

/// `steps/image/software`, which the recipe of the image uses as well.
#[derive(RustEmbed)]
#[folder = "image/software"]
struct Layout;

/// The number that names the layout, and that the mark of a node holds; `layout.sh --digest` prints the same.
pub(crate) fn digest() -> String {
    let mut paths: Vec<_> = Layout::iter().collect();
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        if let Some(file) = Layout::get(&path) {
            digest.update(format!("{}  {path}\n", hex::encode(file.metadata.sha256_hash())));
        }
    }
    hex::encode(digest.finalize())
}

/// Writes the files below `folder`.
pub(super) fn write_to(folder: &Path) -> std::io::Result<()> {
    for path in Layout::iter() {
        let Some(file) = Layout::get(&path) else { continue };
        let target = folder.join(path.as_ref());
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(target, file.data)?;
    }
    Ok(())
}
