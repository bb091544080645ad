-- Schema 2, behind schema 1 without its table of runs. Open until a version is released with it.

-- What tells this journal from others, whatever its file is called: what it made elsewhere is marked with it.
CREATE TABLE journal (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    id          TEXT    NOT NULL,
    created_at  TEXT    NOT NULL
) STRICT;

CREATE TABLE clusters (
    number      INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 2147483647),
    id          TEXT    NOT NULL UNIQUE,
    provider    TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    epoch       INTEGER NOT NULL CHECK (epoch >= 1),
    is_gone     INTEGER NOT NULL CHECK (is_gone IN (0, 1)),
    created_at  TEXT    NOT NULL,
    digest      BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX clusters_by_living_name ON clusters (provider, name) WHERE is_gone = 0;

-- What stands behind created_at follows from the events and is written with those that change it. seq is how far the history
-- has come, written with those and with every 32nd event: a history that has lost its end is noticed by that. The digest is of
-- all the others, which change a few times in a run's life.
CREATE TABLE runs (
    number       INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 2147483647),
    run          TEXT    NOT NULL UNIQUE,
    cluster      INTEGER NOT NULL REFERENCES clusters (number),
    workflow     TEXT    NOT NULL,
    format       INTEGER NOT NULL CHECK (format >= 1),
    created_at   TEXT    NOT NULL,
    phase        TEXT    NOT NULL,
    generation   INTEGER NOT NULL CHECK (generation >= 1),
    finished_at  TEXT,
    destroyed    INTEGER NOT NULL CHECK (destroyed IN (0, 1)),
    seq          INTEGER NOT NULL CHECK (seq >= 1),
    digest       BLOB    NOT NULL
) STRICT;

-- A run's state as it was after event number seq, so that a long history need not be folded from its beginning.
CREATE TABLE snapshots (
    run     INTEGER PRIMARY KEY REFERENCES runs (number),
    seq     INTEGER NOT NULL CHECK (seq >= 1),
    format  INTEGER NOT NULL,
    state   BLOB    NOT NULL,
    digest  BLOB    NOT NULL
) STRICT;

CREATE TRIGGER the_journal_stays_itself BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'a journal keeps its id'); END;

CREATE TRIGGER the_journal_is_never_deleted BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'a journal keeps its id'); END;

CREATE TRIGGER clusters_are_never_deleted BEFORE DELETE ON clusters
BEGIN SELECT RAISE(ABORT, 'clusters are never deleted'); END;

CREATE TRIGGER clusters_only_go_forward BEFORE UPDATE ON clusters
WHEN NEW.number <> OLD.number OR NEW.id <> OLD.id OR NEW.provider <> OLD.provider OR NEW.name <> OLD.name
    OR NEW.created_at <> OLD.created_at OR NEW.epoch < OLD.epoch OR NEW.is_gone < OLD.is_gone
BEGIN SELECT RAISE(ABORT, 'clusters only go forward'); END;

CREATE TRIGGER runs_are_never_deleted BEFORE DELETE ON runs
BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;

CREATE TRIGGER runs_only_go_forward
BEFORE UPDATE OF number, run, cluster, workflow, format, created_at, generation, destroyed ON runs
WHEN NEW.number <> OLD.number OR NEW.run <> OLD.run OR NEW.cluster <> OLD.cluster OR NEW.workflow <> OLD.workflow
    OR NEW.format <> OLD.format OR NEW.created_at <> OLD.created_at OR NEW.generation < OLD.generation
    OR NEW.destroyed < OLD.destroyed
BEGIN SELECT RAISE(ABORT, 'runs only go forward'); END;

CREATE TRIGGER histories_only_grow BEFORE UPDATE OF seq ON runs WHEN NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'histories only grow'); END;
