//! The images of the cloud, and the containers' images that stand for them (`fixtures/ami`).

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The image of a careful user: all that a node needs is on it. Its owner is the account itself, so its login user is known
/// to nobody but them: `admin`.
pub const AMI_FULL: &str = "ami-0de0000000000f011";
/// Debian's own cloud image, the newest for x86_64 that can be used. Every other image boots like it.
pub const AMI_STOCK: &str = "ami-0de00000000057c64";

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/ami/build.sh");

/// The containers' images.
#[derive(Debug)]
pub(super) struct Boots {
    full: String,
    stock: String,
    /// Containers' images by the ids of images that a scenario has made.
    own: Mutex<BTreeMap<String, String>>,
}

impl Boots {
    /// Finds their names.
    pub(super) fn find() -> Self {
        let output = Command::new("bash").args([BUILD, "--names"]).output();
        let output = output.expect("bash tells the images' names");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names = said.lines().map(str::to_owned);
        match (output.status.success(), names.next(), names.next()) {
            (true, Some(full), Some(stock)) => Self {
                full,
                stock,
                own: Mutex::default(),
            },
            _ => panic!("build.sh --names: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Both.
    pub(super) fn all(&self) -> [&str; 2] {
        [&self.full, &self.stock]
    }

    /// What an instance of an image is started from.
    pub(super) fn of(&self, ami: &str) -> String {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        match own.get(ami) {
            Some(image) => image.clone(),
            None if ami == AMI_FULL => self.full.clone(),
            None => self.stock.clone(),
        }
    }

    /// From now on, instances of that image are started from this one of the engine's.
    pub(super) fn add(&self, ami: &str, image: &str) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(ami.to_owned(), image.to_owned());
    }
}
