//! What a run would do if it were taken over: looked at on a copy of its history, so that what does not fit is refused while the run is what
//! it was.

use std::sync::Arc;

use crate::clock::Clock;
use crate::ids::Nonce;
use crate::record::{Observer, RecordError, Recorder};
use crate::run::{Adopter, Run};
use crate::state::RunState;
use crate::store::Lease;

impl Run {
    /// The run as it would be if this process took it over as it stands in `found`: all that can be done with a run can be done with it,
    /// and nobody hears of that. To drive it is to look whether what it would do fits its history.
    ///
    /// # Errors
    /// It cannot be taken over.
    pub async fn rehearse(
        clock: Arc<dyn Clock>,
        found: RunState,
        adopter: Adopter,
    ) -> Result<Self, RecordError> {
        let lease = Lease::new(found.run, found.cluster_id, found.epoch.next(), Box::new(()));
        let seq = found.seq;
        let nobody: Observer = Arc::new(|_| ());
        let recorder = Recorder::new(None, lease, clock.clone(), found, seq, nobody);
        let nonce = Nonce::generate();
        recorder.record(adopter.adopts(nonce)).await?;
        Ok(Self {
            recorder,
            clock,
            nonce,
        })
    }

    /// Whether it only is a rehearsal.
    pub fn is_rehearsal(&self) -> bool {
        self.recorder.store().is_none()
    }
}
