-- Schema 1. It was in use: never changed.

CREATE TABLE runs (
    number        INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 2147483647),
    run           TEXT    NOT NULL UNIQUE,
    cluster       TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    created_at    TEXT    NOT NULL,
    epoch         INTEGER NOT NULL CHECK (epoch >= 1),
    owns_cluster  INTEGER NOT NULL CHECK (owns_cluster IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX runs_by_owned_cluster ON runs (provider, cluster) WHERE owns_cluster = 1;

-- place is the run's number * 2^32 + seq: (run, seq) as one integer. Appending to a tree of integers dirties one page
-- where an index on (run, seq) dirties three, and the pages of a commit are what it costs beside the disk's latency.
CREATE TABLE events (
    place       INTEGER PRIMARY KEY,
    run         TEXT    NOT NULL REFERENCES runs (run),
    seq         INTEGER NOT NULL CHECK (seq BETWEEN 1 AND 4294967295 AND seq = place & 4294967295),
    at          TEXT    NOT NULL,
    epoch       INTEGER NOT NULL CHECK (epoch >= 1),
    generation  INTEGER NOT NULL CHECK (generation >= 1),
    kind        TEXT    NOT NULL,
    step        TEXT,
    item        TEXT,
    attempt     INTEGER,
    format      INTEGER NOT NULL CHECK (format >= 1),
    body        TEXT    NOT NULL,
    digest      BLOB    NOT NULL
) STRICT;

CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are only ever appended'); END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are only ever appended'); END;

CREATE TRIGGER runs_are_never_deleted BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;

CREATE TRIGGER runs_only_go_forward BEFORE UPDATE ON runs
WHEN NEW.number <> OLD.number OR NEW.run <> OLD.run OR NEW.epoch < OLD.epoch
BEGIN SELECT RAISE(ABORT, 'runs only go forward'); END;
