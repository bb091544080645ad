//! The journal, opened, and whose it is.

use std::sync::Arc;

use mesosflow_journal::{Options, SqliteJournal};
use mesosflow_steps::cluster::MadeBy;
use mesosflow_workflow::Store;

use crate::error::CliError;
use crate::places::Places;

/// A journal, for any number of commands.
pub(crate) type Journal = Arc<dyn Store>;

/// Opens the journal, and creates it where there is none.
pub(crate) fn open(places: &Places) -> Result<Journal, CliError> {
    Ok(Arc::new(SqliteJournal::open_with(
        places.journal(),
        options(places),
    )?))
}

/// Opens the journal if there is one; for commands that create nothing.
pub(crate) fn open_existing(places: &Places) -> Result<Option<Journal>, CliError> {
    Ok(open_file(places)?.map(|journal| Arc::new(journal) as Journal))
}

/// The same, for commands that look after the file itself.
pub(crate) fn open_file(places: &Places) -> Result<Option<SqliteJournal>, CliError> {
    Ok(SqliteJournal::open_existing_with(
        places.journal(),
        options(places),
    )?)
}

const fn options(places: &Places) -> Options {
    Options {
        on_network: places.is_on_network(),
    }
}

/// Whose journal this is, for the tags of what its runs make.
pub(crate) fn made_by(journal: &Journal) -> MadeBy {
    MadeBy {
        journal: journal.id().to_owned(),
        user: made_here(),
    }
}

/// Digest of the user and the host of this process: the same for whoever does this here again.
pub(crate) fn made_here() -> String {
    let (user, host) = user_and_host();
    MadeBy::digest(&user, &host)
}

/// The names of this process' user and of its machine; the user's number where no file has a name for it.
pub(crate) fn user_and_host() -> (String, String) {
    use std::os::unix::fs::MetadataExt as _;
    let uid = std::fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    (user.unwrap_or_else(|| uid.to_string()), host.trim().to_owned())
}
