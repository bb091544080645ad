//! A snapshot as a row. It may be lost without harm, and must not be believed when it is damaged.

use mesosflow_workflow::{RunId, Seq, Snapshot};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::column::integer;

/// A row of the table `snapshots`.
#[derive(Debug)]
pub(crate) struct SnapshotRow {
    seq: i64,
    format: i64,
    state: Vec<u8>,
    digest: Vec<u8>,
}

impl SnapshotRow {
    /// The row of a snapshot of `run`.
    pub(crate) fn encode(run: RunId, snapshot: Snapshot) -> Self {
        let mut row = Self {
            seq: integer(snapshot.seq.0),
            format: snapshot.format.into(),
            state: snapshot.state,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(run);
        row
    }

    /// The row of the run with number `number`.
    pub(crate) fn of(connection: &Connection, number: i64) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached("SELECT seq, format, state, digest FROM snapshots WHERE run = ?1")?
            .query_row([number], |row| {
                Ok(Self {
                    seq: row.get(0)?,
                    format: row.get(1)?,
                    state: row.get(2)?,
                    digest: row.get(3)?,
                })
            })
            .optional()
    }

    /// Writes it for the run with number `number`, in place of an older one.
    pub(crate) fn write(&self, connection: &Connection, number: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO snapshots (run, seq, format, state, digest) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (run) DO UPDATE SET
                    seq = excluded.seq, format = excluded.format, state = excluded.state, digest = excluded.digest",
            )?
            .execute(params![number, self.seq, self.format, self.state, self.digest])?;
        Ok(())
    }

    /// The number of the last event that it has taken into account.
    pub(crate) fn seq(&self) -> Seq {
        Seq(self.seq.unsigned_abs())
    }

    /// The snapshot, if it is what was written for `run`.
    pub(crate) fn decode(self, run: RunId) -> Option<Snapshot> {
        (self.digest == self.compute_digest(run)).then(|| {
            Some(Snapshot {
                seq: self.seq(),
                format: u32::try_from(self.format).ok()?,
                state: self.state,
            })
        })?
    }

    fn compute_digest(&self, run: RunId) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(run.to_string());
        hash.update(self.seq.to_le_bytes());
        hash.update(self.format.to_le_bytes());
        hash.update(&self.state);
        hash.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_that_is_not_what_was_written_or_another_runs_is_none() {
        let run = RunId::generate();
        let row = || {
            let snapshot = Snapshot {
                seq: Seq(3),
                format: 1,
                state: vec![1, 2, 3],
            };
            SnapshotRow::encode(run, snapshot)
        };
        assert!(row().decode(run).is_some());
        assert!(row().decode(RunId::generate()).is_none());
        let changes: [fn(&mut SnapshotRow); 4] = [
            |row| row.seq += 1,
            |row| row.format += 1,
            |row| row.state[1] ^= 1,
            |row| row.digest.clear(),
        ];
        for change in changes {
            let mut changed = row();
            change(&mut changed);
            assert!(changed.decode(run).is_none());
        }
    }
}
