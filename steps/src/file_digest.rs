//! What a file of this machine is told from others by.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Size in bytes and SHA-256, hex, of a file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn of(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let len = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((len, hex::encode(hasher.finalize())))
}
