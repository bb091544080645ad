//! The layout script and what it lays out beside the archive, as this program carries them.

use std::path::Path;

use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

/// `steps/image/software`, which the recipe of the image uses as well.
#[derive(RustEmbed)]
#[folder = "image/software"]
struct Layout;

/// Where the script waits on the first master, and the archives while they are needed.
pub(super) const FOLDER: &str = "/var/lib/mesosflow/software";

/// What the script reads where something was chosen.
const CHOICE: &str = "choice.env";

/// The number that names the layout with a choice, and that the mark of a node holds; `layout.sh --digest` prints the same.
pub(crate) fn digest(choice: Option<&str>) -> String {
    let mut files: Vec<_> = Layout::iter()
        .filter_map(|path| Some((path.to_string(), Layout::get(&path)?.metadata.sha256_hash())))
        .collect();
    files.extend(choice.map(|text| (CHOICE.to_owned(), Sha256::digest(text).into())));
    files.sort();
    let mut digest = Sha256::new();
    for (path, sha256) in files {
        digest.update(format!("{}  {path}\n", hex::encode(sha256)));
    }
    hex::encode(digest.finalize())
}

/// Writes the files below `folder`.
pub(super) fn write_to(folder: &Path, choice: Option<&str>) -> std::io::Result<()> {
    if let Some(text) = choice {
        std::fs::write(folder.join(CHOICE), text)?;
    }
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
