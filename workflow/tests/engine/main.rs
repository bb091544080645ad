//! The engine, driven through a toy flow: first runs, repeats, failures, crashes, resumes, replays and stops, all in
//! simulated time.

#![expect(clippy::unwrap_used, reason = "a test: a panic is its verdict")]

mod crashes;
mod failures;
mod first_run;
mod fold;
mod fold_doubts;
mod fold_stale;
mod in_turn;
mod laws;
mod losing;
mod lost;
mod observing;
mod repeats;
mod replays;
mod resumes;
mod rig;
mod spy;
mod stops;
mod story;
mod toy;
mod world;
