//! The rows that stand for clusters and for runs: the two that change. Each carries a digest of itself, which is looked at
//! wherever something is decided by the row.

use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, Epoch, Generation, PhaseKind, RunId, RunRow, RunSummary, Seq};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use crate::column::{digest, integer, number, parsed, text, time};

/// The columns of a cluster, in the order in which [`ClusterRecord::read`] takes them.
pub(crate) const CLUSTER_COLUMNS: &str = "number, id, provider, name, epoch, is_gone, created_at, digest";

/// The columns of a run, in the order in which [`RunRecord::read`] takes them.
pub(crate) const RUN_COLUMNS: &str = "number, run, cluster, workflow, format, created_at, \
     phase, generation, finished_at, destroyed, seq, digest";

/// A row of the table `clusters`.
#[derive(Debug, Clone)]
pub(crate) struct ClusterRecord {
    pub(crate) number: i64,
    pub(crate) id: String,
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) epoch: i64,
    pub(crate) is_gone: bool,
    pub(crate) created_at: String,
    pub(crate) digest: Vec<u8>,
}

impl ClusterRecord {
    /// A cluster's row before it has a number.
    pub(crate) fn new(row: &RunRow, epoch: Epoch, is_gone: bool) -> Self {
        Self {
            number: 0,
            id: row.cluster_id.to_string(),
            provider: row.provider.clone(),
            name: row.cluster.clone(),
            epoch: integer(epoch.0),
            is_gone,
            created_at: time(row.created_at),
            digest: Vec::new(),
        }
    }

    /// The row under a cursor. A column that cannot be what it was is read as something else, which the digest notices.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            id: text(row, 1),
            provider: text(row, 2),
            name: text(row, 3),
            epoch: number(row, 4),
            is_gone: number(row, 5) == 1,
            created_at: text(row, 6),
            digest: row.get(7).unwrap_or_default(),
        })
    }

    /// The row of the cluster `id`.
    pub(crate) fn of(connection: &Connection, id: ClusterId) -> rusqlite::Result<Option<Self>> {
        let is_it = |found: &Self| found.is_whole() && found.id == id.to_string();
        found_without_index("clusters", is_it, |from| {
            connection
                .prepare_cached(&format!("SELECT {CLUSTER_COLUMNS} FROM {from} WHERE id = ?1"))?
                .query_row([id.to_string()], Self::read)
                .optional()
        })
    }

    /// The row with this number.
    pub(crate) fn numbered(connection: &Connection, number: i64) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!(
                "SELECT {CLUSTER_COLUMNS} FROM clusters WHERE number = ?1"
            ))?
            .query_row([number], Self::read)
            .optional()
    }

    /// Whether the row is what was written.
    pub(crate) fn is_whole(&self) -> bool {
        self.digest == self.compute_digest()
    }

    /// Whether the row is what was written once it says the opposite of whether the cluster is gone: then it does.
    pub(crate) fn is_whole_otherwise(&mut self) -> bool {
        self.is_gone = !self.is_gone;
        let is_whole = self.is_whole();
        if !is_whole {
            self.is_gone = !self.is_gone;
        }
        is_whole
    }

    /// Writes a new row, whose number is the next one unless it has one.
    pub(crate) fn insert(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.number == 0 {
            self.number = next_number(connection, "clusters")?;
        }
        self.digest = self.compute_digest();
        connection
            .prepare_cached(&format!(
                "INSERT INTO clusters ({CLUSTER_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?
            .execute(params![
                self.number,
                self.id,
                self.provider,
                self.name,
                self.epoch,
                self.is_gone,
                self.created_at,
                self.digest,
            ])?;
        Ok(())
    }

    /// Writes what may change of it.
    pub(crate) fn update(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.digest = self.compute_digest();
        connection
            .prepare_cached("UPDATE clusters SET epoch = ?2, is_gone = ?3, digest = ?4 WHERE number = ?1")?
            .execute(params![self.number, self.epoch, self.is_gone, self.digest])?;
        Ok(())
    }

    /// Gives it the digest of what it says now.
    pub(crate) fn seal(&mut self) {
        self.digest = self.compute_digest();
    }

    fn compute_digest(&self) -> Vec<u8> {
        digest(
            &[self.number, self.epoch, self.is_gone.into()],
            &[
                Some(&self.id),
                Some(&self.provider),
                Some(&self.name),
                Some(&self.created_at),
            ],
        )
    }
}

/// A row of the table `runs`.
#[derive(Debug, Clone)]
pub(crate) struct RunRecord {
    pub(crate) number: i64,
    pub(crate) run: String,
    pub(crate) cluster: i64,
    pub(crate) workflow: String,
    pub(crate) format: i64,
    pub(crate) created_at: String,
    pub(crate) phase: String,
    pub(crate) generation: i64,
    pub(crate) finished_at: Option<String>,
    pub(crate) destroyed: bool,
    /// The last event's number, of which the digest knows nothing.
    pub(crate) seq: i64,
    pub(crate) digest: Vec<u8>,
}

impl RunRecord {
    /// The row of a run of the cluster with the number `cluster`, before it has a number of its own.
    pub(crate) fn new(row: &RunRow, cluster: i64) -> Self {
        let mut record = Self {
            number: 0,
            run: row.run.to_string(),
            cluster,
            workflow: row.workflow.clone(),
            format: row.format.into(),
            created_at: time(row.created_at),
            phase: String::new(),
            generation: 0,
            seq: 0,
            finished_at: None,
            destroyed: false,
            digest: Vec::new(),
        };
        record.summarise(&row.summary);
        record
    }

    /// The row under a cursor. A column that cannot be what it was is read as something else, which the digest notices.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            run: text(row, 1),
            cluster: number(row, 2),
            workflow: text(row, 3),
            format: number(row, 4),
            created_at: text(row, 5),
            phase: text(row, 6),
            generation: number(row, 7),
            finished_at: match row.get_ref(8)? {
                ValueRef::Null => None,
                _ => Some(text(row, 8)),
            },
            destroyed: number(row, 9) == 1,
            seq: number(row, 10),
            digest: row.get(11).unwrap_or_default(),
        })
    }

    /// The row of `run`: by its id, and where that is damaged, by whose events stand behind its number.
    pub(crate) fn of(connection: &Connection, run: RunId) -> rusqlite::Result<Option<Self>> {
        let is_it = |found: &Self| found.is_whole() && found.run == run.to_string();
        let found = found_without_index("runs", is_it, |from| {
            connection
                .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM {from} WHERE run = ?1"))?
                .query_row([run.to_string()], Self::read)
                .optional()
        })?;
        match found {
            None => Self::misnamed(connection, run),
            found => Ok(found),
        }
    }

    /// Every row, in the order of their numbers.
    pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(&format!("SELECT {RUN_COLUMNS} FROM runs ORDER BY number"))?
            .query_map([], Self::read)?
            .collect()
    }

    /// The rows of a cluster's runs, in the order of their numbers.
    pub(crate) fn of_cluster(connection: &Connection, cluster: i64) -> rusqlite::Result<Vec<Self>> {
        connection
            .prepare_cached(&format!(
                "SELECT {RUN_COLUMNS} FROM runs WHERE cluster = ?1 ORDER BY number"
            ))?
            .query_map([cluster], Self::read)?
            .collect()
    }

    /// Whether it keeps other runs off its cluster.
    pub(crate) fn is_unfinished(&self) -> bool {
        !self.destroyed && PhaseKind::of_word(&self.phase).is_some_and(PhaseKind::is_unfinished)
    }

    fn misnamed(connection: &Connection, run: RunId) -> rusqlite::Result<Option<Self>> {
        for record in Self::all(connection)? {
            if !record.is_whole() && owner(connection, &record)? == Some(run) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Whether the row is what was written.
    pub(crate) fn is_whole(&self) -> bool {
        self.digest == self.compute_digest()
    }

    /// Writes a new row, whose number is the next one unless it has one.
    pub(crate) fn insert(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.number == 0 {
            self.number = next_number(connection, "runs")?;
        }
        self.digest = self.compute_digest();
        connection
            .prepare_cached(&format!(
                "INSERT INTO runs ({RUN_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            ))?
            .execute(params![
                self.number,
                self.run,
                self.cluster,
                self.workflow,
                self.format,
                self.created_at,
                self.phase,
                self.generation,
                self.finished_at,
                self.destroyed,
                self.seq,
                self.digest,
            ])?;
        Ok(())
    }

    /// Writes another summary.
    pub(crate) fn update(&mut self, connection: &Connection, summary: &RunSummary) -> rusqlite::Result<()> {
        self.summarise(summary);
        self.digest = self.compute_digest();
        connection
            .prepare_cached(
                "UPDATE runs SET phase = ?2, generation = ?3, finished_at = ?4, destroyed = ?5, seq = ?6, digest = ?7
                 WHERE number = ?1",
            )?
            .execute(params![
                self.number,
                self.phase,
                self.generation,
                self.finished_at,
                self.destroyed,
                self.seq,
                self.digest,
            ])?;
        Ok(())
    }

    /// Gives it the digest of what it says now.
    pub(crate) fn seal(&mut self) {
        self.digest = self.compute_digest();
    }

    /// Writes that the run with number `number` goes on to event `seq`.
    pub(crate) fn reach(connection: &Connection, number: i64, seq: Seq) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE runs SET seq = ?2 WHERE number = ?1")?
            .execute([number, integer(seq.0)])?;
        Ok(())
    }

    /// The summary, where its columns can be one.
    pub(crate) fn summary(&self) -> Option<RunSummary> {
        summary_of(
            &self.phase,
            self.generation,
            self.finished_at.as_deref(),
            self.destroyed,
            self.seq,
        )
    }

    fn summarise(&mut self, summary: &RunSummary) {
        summary.phase.as_str().clone_into(&mut self.phase);
        self.generation = summary.generation.0.into();
        self.seq = integer(summary.seq.0);
        self.finished_at = summary.finished_at.map(time);
        self.destroyed = summary.destroyed;
    }

    fn compute_digest(&self) -> Vec<u8> {
        digest(
            &[
                self.number,
                self.cluster,
                self.format,
                self.generation,
                self.destroyed.into(),
            ],
            &[
                Some(&self.run),
                Some(&self.workflow),
                Some(&self.created_at),
                Some(&self.phase),
                self.finished_at.as_deref(),
            ],
        )
    }
}

/// Whose events stand behind the number of `record`: its own word is the last that is taken. Of the first events the majority
/// counts, since one of them may be damaged.
pub(crate) fn owner(connection: &Connection, record: &RunRecord) -> rusqlite::Result<Option<RunId>> {
    let mut select = connection.prepare_cached(
        "SELECT run FROM events WHERE place > (?1 << 32) AND place <= (?1 << 32) + 3 ORDER BY place",
    )?;
    let mut said: Vec<RunId> = Vec::new();
    let mut rows = select.query([record.number])?;
    // A page that cannot be read ends the look.
    while let Ok(Some(row)) = rows.next() {
        said.extend(parsed::<RunId>(row, 0).ok());
    }
    said.extend(record.run.parse::<RunId>().ok());
    let votes = |run: RunId| said.iter().filter(|other| **other == run).count();
    let most = said.iter().copied().map(votes).max();
    Ok(said.iter().copied().find(|run| Some(votes(*run)) == most))
}

/// The summary in the five columns `phase, generation, finished_at, destroyed, seq` from `first` on, if they can be one.
pub(crate) fn summary(row: &Row<'_>, first: usize) -> Option<RunSummary> {
    let text = |column: usize| row.get_ref(first + column).ok();
    summary_of(
        text(0)?.as_str().ok()?,
        row.get(first + 1).ok()?,
        text(2)?.as_str_or_null().ok()?,
        row.get(first + 3).ok()?,
        row.get(first + 4).ok()?,
    )
}

fn summary_of(
    phase: &str,
    generation: i64,
    finished_at: Option<&str>,
    destroyed: bool,
    seq: i64,
) -> Option<RunSummary> {
    let finished_at = match finished_at {
        Some(text) => Some(text.parse::<Timestamp>().ok()?),
        None => None,
    };
    Some(RunSummary {
        phase: PhaseKind::of_word(phase)?,
        generation: Generation(u32::try_from(generation).ok()?),
        seq: Seq(u64::try_from(seq).ok()?),
        finished_at,
        destroyed,
    })
}

/// Looks for a row in a table, and once more without its indices: a damaged one finds nothing where there is something, finds
/// another row, or fails.
fn found_without_index<T>(
    table: &str,
    is_it: impl Fn(&T) -> bool,
    select: impl Fn(&str) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Option<T>> {
    match select(table) {
        Ok(Some(found)) if is_it(&found) => Ok(Some(found)),
        Err(error) if error.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) => Err(error),
        _ => select(&format!("{table} NOT INDEXED")),
    }
}

/// The number of the next row. A row's digest holds its number, so that it has to be known before.
fn next_number(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(&format!("SELECT coalesce(max(number), 0) + 1 FROM {table}"))?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesosflow_workflow::contract::first;
    use mesosflow_workflow::store::check_first;

    #[test]
    fn any_changed_column_of_a_run_or_a_cluster_is_noticed() {
        let row = check_first(&first("demo")).unwrap();
        let mut run = RunRecord::new(&row, 1);
        run.digest = run.compute_digest();
        assert!(run.is_whole());
        let changes: [fn(&mut RunRecord); 10] = [
            |run| run.number += 1,
            |run| run.run.insert(0, 'x'),
            |run| run.cluster += 1,
            |run| run.workflow.clear(),
            |run| run.format += 1,
            |run| run.created_at.insert(0, '1'),
            |run| run.phase.push('x'),
            |run| run.generation += 1,
            |run| run.finished_at = Some(String::new()),
            |run| run.destroyed = true,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = run.clone();
            change(&mut changed);
            assert!(!changed.is_whole(), "change {index} of a run");
        }
        let mut cluster = ClusterRecord::new(&row, Epoch::FIRST, false);
        cluster.digest = cluster.compute_digest();
        assert!(cluster.is_whole());
        let changes: [fn(&mut ClusterRecord); 7] = [
            |cluster| cluster.number += 1,
            |cluster| cluster.id.insert(0, 'x'),
            |cluster| cluster.provider.clear(),
            |cluster| cluster.name.push('x'),
            |cluster| cluster.epoch += 1,
            |cluster| cluster.is_gone = true,
            |cluster| cluster.created_at.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = cluster.clone();
            change(&mut changed);
            assert!(!changed.is_whole(), "change {index} of a cluster");
        }
    }

    #[test]
    fn a_summary_comes_back_from_its_columns() {
        let mut row = check_first(&first("demo")).unwrap();
        row.summary.phase = PhaseKind::Partial;
        row.summary.finished_at = Some(row.created_at);
        row.summary.destroyed = true;
        assert_eq!(RunRecord::new(&row, 1).summary(), Some(row.summary));
    }
}
