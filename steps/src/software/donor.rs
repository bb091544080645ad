//! Hadoop or Spark out of a tarball that is nowhere any more: another node of the cluster has laid out the very same.
//!
//! It goes by way of this machine, since the first master's next machine cannot log in to anybody yet.

use std::io::Write as _;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::recipe::FOLDER;
use crate::act::ActError;
use crate::cluster::Node;
use crate::remote::{Piece, RemoteError};
use crate::world::{Script, World};

const LAID: &str = shell!("software-laid.sh");
const ADOPT: &str = r#"bash "$folder/layout/layout.sh" adopt / "$folder/archives" "$name""#;
/// How many are asked: in a cluster that works every one has it, and in a new one none.
const ASKED: usize = 8;
/// Half a gigabyte at a quarter of a megabyte a second.
const LIMIT: Duration = Duration::from_secs(2400);
/// Pieces of some kilobytes that may wait for the disk.
const PIECES: usize = 64;

/// Brings `name` (hadoop or spark), made from `made_from`, to `hub` from whichever of `others` has it; whether any has.
///
/// # Errors
/// `hub` cannot be reached or does not take it, or this machine has no room.
pub(super) async fn bring(
    world: &World,
    hub: &Node,
    others: &[Node],
    (name, made_from): (&str, &str),
) -> Result<bool, ActError> {
    for donor in others.iter().take(ASKED) {
        let Some(laid) = fetch(world, donor, (name, made_from)).await? else {
            continue;
        };
        let place = format!("{FOLDER}/archives/{name}.laid");
        world.session(hub).upload_file(laid.path(), &place, 0o600).await?;
        let title = format!("take {name} as {} has it", donor.name);
        let adopt = Script::new(&title, ADOPT).var("folder", FOLDER).var("name", name);
        world.run(hub, adopt.within(LIMIT)).await?;
        return Ok(true);
    }
    Ok(false)
}

/// What a node has of it, as a file here; nothing where it has it not, or does not answer.
async fn fetch(
    world: &World,
    donor: &Node,
    (name, made_from): (&str, &str),
) -> Result<Option<NamedTempFile>, ActError> {
    let here = |source| ActError::Local {
        doing: format!("cannot keep {name} of {} in a temporary file", donor.name),
        source,
    };
    let mut file = NamedTempFile::new().map_err(here)?;
    let laid = Script::new("hand out what was laid out", LAID)
        .var("name", name)
        .var("made_from", made_from);
    let command = laid.within(LIMIT).command(donor)?;
    let session = world.session(donor);
    let (taker, mut pieces) = mpsc::channel(PIECES);
    let writes = async {
        while let Some(piece) = pieces.recv().await {
            if let Piece::Out(bytes) = piece {
                file.write_all(&bytes)?;
            }
        }
        file.flush()
    };
    let sends = async {
        let ended = session.stream(command, &taker).await;
        drop(taker);
        ended
    };
    let (ended, written) = tokio::join!(sends, writes);
    written.map_err(here)?;
    match ended {
        Ok(0) => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) => {
            tell(donor, &error);
            Ok(None)
        }
    }
}

fn tell(donor: &Node, error: &RemoteError) {
    tracing::info!(node = %donor.name, %error, "cannot be asked for what was laid out");
}
