//! Watching a run's journal while another process writes it, to act at an exact point of the run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::live::Live;

const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A point of a run: an event that is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// The event's kind.
    pub kind: &'static str,
    /// The step.
    pub step: &'static str,
    /// Whether it is about an item of a fan-out.
    pub of_item: bool,
}

impl Point {
    /// The start of a step.
    pub const fn started(step: &'static str) -> Self {
        Self {
            kind: "step_started",
            step,
            of_item: false,
        }
    }

    /// The success of a step.
    pub const fn succeeded(step: &'static str) -> Self {
        Self {
            kind: "step_succeeded",
            step,
            of_item: false,
        }
    }

    /// The start of the first item of a fan-out.
    pub const fn item_started(step: &'static str) -> Self {
        Self {
            of_item: true,
            ..Self::started(step)
        }
    }

    /// The success of the first item of a fan-out.
    pub const fn item_succeeded(step: &'static str) -> Self {
        Self {
            of_item: true,
            ..Self::succeeded(step)
        }
    }
}

/// An event as it is looked for.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its number.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// The step it is about.
    pub step: Option<String>,
    /// The item it is about.
    pub item: Option<String>,
}

impl Seen {
    /// Whether this is the event of that point.
    pub fn is(&self, point: Point) -> bool {
        self.kind == point.kind
            && self.step.as_deref() == Some(point.step)
            && self.item.is_some() == point.of_item
    }
}

/// What came first.
#[derive(Debug, Clone)]
pub enum Reached {
    /// The event.
    Point(Seen),
    /// The program's end.
    End,
}

/// Reads the events of one run, each once.
#[derive(Debug)]
pub struct Watch {
    journal: PathBuf,
    run: String,
    after: u64,
    connection: Option<Connection>,
}

impl Watch {
    /// Watches a run from its event number `after` + 1 on.
    pub fn new(journal: impl Into<PathBuf>, run: &str, after: u64) -> Self {
        Self {
            journal: journal.into(),
            run: run.to_owned(),
            after,
            connection: None,
        }
    }

    /// Events that were not read yet.
    pub fn news(&mut self) -> Vec<Seen> {
        // A journal that is just being made cannot be read for a moment.
        self.read().unwrap_or_default()
    }

    fn read(&mut self) -> rusqlite::Result<Vec<Seen>> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(&self.journal, flags)?
            }
        };
        let found = {
            let mut query = connection.prepare_cached(
                "SELECT seq, kind, step, item FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq",
            )?;
            let rows = query.query_map(rusqlite::params![self.run, self.after as i64], |row| {
                Ok(Seen {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    kind: row.get(1)?,
                    step: row.get(2)?,
                    item: row.get(3)?,
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()?
        };
        self.connection = Some(connection);
        self.after = found.last().map_or(self.after, |seen| seen.seq);
        Ok(found)
    }

    /// Waits until `is_it` says yes to an event, or `live` ends.
    ///
    /// # Panics
    /// Neither happens within `limit`.
    #[track_caller]
    pub fn until(
        &mut self,
        live: &mut Live,
        limit: Duration,
        mut is_it: impl FnMut(&Seen) -> bool,
    ) -> Reached {
        let give_up = Instant::now() + limit;
        loop {
            let ended = live.ended().is_some();
            if let Some(seen) = self.news().into_iter().find(&mut is_it) {
                return Reached::Point(seen);
            }
            if ended {
                return Reached::End;
            }
            assert!(
                Instant::now() < give_up,
                "neither the event nor an end after {} s",
                limit.as_secs()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for the event of a point.
    ///
    /// # Panics
    /// The program ends without it, or it does not come within `limit`.
    #[track_caller]
    pub fn point(&mut self, live: &mut Live, limit: Duration, point: Point) -> Seen {
        match self.until(live, limit, |seen| seen.is(point)) {
            Reached::Point(seen) => seen,
            Reached::End => panic!("the program ended before {point:?}"),
        }
    }
}
