//! The durable workflow engine of mesosflow.
//!
//! A flow is an async function whose steps are awaited through a [`Flow`]; every outcome is an [`Event`] in a
//! [`Store`], and a pure fold of the events ([`RunState`]) decides what has to run when a run is resumed or replayed.
//! Nothing here knows SQLite, SSH, AWS, the terminal or the environment.

mod amend;
pub mod catalogue;
pub mod clock;
#[cfg(feature = "contract")]
pub mod contract;
pub mod error;
pub mod event;
mod execute;
mod fan_out;
pub mod flow;
mod fold;
mod fold_catalogue;
pub mod halt;
mod heritage;
pub mod ids;
mod lost;
pub mod memory;
pub mod pauses;
mod payload;
pub mod preflight;
pub mod progress;
pub mod record;
mod rehearsal;
pub mod replay;
pub mod retry;
pub mod run;
mod sight;
mod standing;
pub mod state;
pub mod step;
pub mod stop;
pub mod store;
pub mod summary;

pub use catalogue::{CatalogueChange, CatalogueEntry, Renamed};
pub use clock::{BoxFuture, Clock, SimulatedClock, SystemClock};
pub use error::{ErrorClass, ErrorReport, StepError};
pub use event::{EVENT_FORMAT, Event, How, Inherited, OLDEST_DRIVEN, Purpose, Recorded, Resource, Settled};
pub use flow::{Flow, Settings};
pub use halt::{Accepted, Drift, Halt, Settle};
pub use heritage::Heritage;
pub use ids::{
    Attempt, ClusterId, Driver, EffectKey, Epoch, FencingToken, Generation, ItemKey, Nonce, RunId, Seq,
    StepId,
};
pub use lost::{Lost, Made};
pub use memory::MemoryStore;
pub use pauses::Pauses;
pub use preflight::preflight;
pub use progress::{Progress, Status};
pub use record::{Observer, RecordError, Recorder};
pub use replay::Replay;
pub use retry::{Delays, Retry};
pub use run::{Adopter, NewRun, Outcome, Run, RunError, Taken};
pub use sight::Preflight;
pub use state::{Effect, Pass, Phase, ReplayRefused, RunState, StepState, Trace, Unanswered};
pub use step::{Limits, Probe, Step, StepCx};
pub use stop::Stop;
pub use store::{Lease, RunRow, STOPPED, Salvaged, Snapshot, Store, StoreError};
pub use summary::{PhaseKind, RunSummary};
