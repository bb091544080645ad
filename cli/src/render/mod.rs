//! What the user sees of runs: as text, as JSON, as it happens.

pub(crate) mod check;
pub(crate) mod critical;
pub(crate) mod duration;
pub(crate) mod event;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod plain;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod table;
