//! `see-gone`: the provider has nothing left of the cluster, and no launch can bring anything any more.
//!
//! - Changes: deletes what has come to exist since it was looked for.
//! - Twice is safe.
//! - Nothing undoes it.

use std::time::Duration;

use mesosflow_workflow::{
    Effect, EffectKey, ErrorClass, Limits, Probe, Resource, Retry, Settled, Step, StepCx, StepId,
};
use serde::{Deserialize, Serialize};

use crate::act::ActError;
use crate::destroy::{DestroyError, Ledger, destroy};
use crate::world::World;

/// A launch may be under way for eighteen minutes, its machine be shown five minutes later, and end in ten; and it all again.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The step.
#[derive(Debug, Serialize)]
pub struct SeeGone {
    /// What existed by the histories.
    pub known: Vec<Resource>,
    /// Effects in doubt.
    pub effects: Vec<Effect>,
}

/// That nothing is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// What was asked of whom, in words.
    pub asked: String,
    /// What had come to exist since it was looked for, and was deleted too.
    pub late: Vec<Resource>,
    /// The launches that are in doubt no more.
    pub settled: Vec<Past>,
}

/// A launch that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its name.
    pub effect_key: EffectKey,
    /// What became of it.
    pub settled: Settled,
}

impl SeeGone {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("see-gone");
}

impl Step for SeeGone {
    type World = World;
    type Output = Gone;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, _cx: &StepCx<World>) -> Result<Probe<Gone>, ActError> {
        Ok(Probe::NotDone)
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Gone, ActError> {
        let world = cx.world();
        let ledger = Ledger::Step {
            cx,
            known: &self.known,
            effects: &self.effects,
        };
        let gone = destroy(&ledger, world, &mut |_| {}).await?;
        Ok(Gone {
            asked: world.provider().asked(),
            late: gone.deleted,
            settled: gone
                .settled
                .into_iter()
                .map(|(effect, settled)| Past {
                    effect_key: effect.key,
                    settled,
                })
                .collect(),
        })
    }

    async fn verify(&self, _cx: &StepCx<World>, _gone: &Gone) -> Result<(), ActError> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: LIMIT,
            // It looks again by itself, as long as that helps.
            retry: Retry {
                attempts: 2,
                ..Retry::STANDARD
            },
        }
    }
}

impl From<DestroyError> for ActError {
    fn from(error: DestroyError) -> Self {
        match error {
            DestroyError::Provider(error) => error.into(),
            DestroyError::Record(error) => error.into(),
            DestroyError::Fenced(error) => error.into(),
            stranger @ DestroyError::Stranger { .. } => Self::Unmet {
                what: stranger.to_string(),
                class: ErrorClass::Fenced,
                hint: Some(crate::remote::error::TAKE_OVER.to_owned()),
            },
            passing if passing.may_pass() => Self::not_yet(passing.in_full()),
            lasting => Self::Unmet {
                what: lasting.in_full(),
                class: ErrorClass::Operator,
                hint: lasting.hint(),
            },
        }
    }
}
