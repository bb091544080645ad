//! `stage-mesos`: another Mesos on the first master, beside the one that its daemon has.
//!
//! - Changes: a folder beside `/root/mesos`, complete; packages that it needs are installed. Nothing that runs has to do with it.
//! - Twice is safe: it is unpacked or built elsewhere and moved there whole. A build is a durable job.
//! - Undone by `clear-mesos`.

use mesosflow_workflow::{Effect, Limits, Probe, Settled, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{MesosSource, MesosSpec, Node, input};
use crate::mesos_beside;
use crate::mesos_make::{LIMITS, Making};
use crate::on_node::NEXT_MESOS;
use crate::setup::BuiltMesos;
use crate::world::{Script, World};

/// Where it comes from.
#[derive(Debug, Serialize)]
pub struct StageMesos {
    /// The first master.
    #[serde(serialize_with = "input::node")]
    pub hub: Node,
    /// The source.
    pub mesos: MesosSpec,
    /// What came from it before, and may still be there: then that very one is taken.
    pub known: Option<BuiltMesos>,
}

impl StageMesos {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("stage-mesos");

    const fn making(&self) -> Making<'_> {
        Making {
            hub: &self.hub,
            mesos: &self.mesos,
            place: NEXT_MESOS,
        }
    }

    fn script<'a>(&self, cx: &StepCx<World>, title: &'a str, body: &'a str) -> Script<'a> {
        let key = cx.effect_key().as_str().to_owned();
        Script::new(title, body).var("next", NEXT_MESOS).var("key", key)
    }

    /// The one of before, where it still is.
    async fn taken(&self, world: &World, known: &BuiltMesos) -> Result<Option<BuiltMesos>, ActError> {
        match mesos_beside::found(world, &self.hub, &known.digest).await? {
            Some(folder) => {
                mesos_beside::keep(world, &self.hub, folder).await?;
                Ok(Some(known.clone()))
            }
            None if self.mesos.source == MesosSource::None => Err(ActError::wrong(format!(
                "the Mesos that {} had on its image is there no more",
                self.hub.name
            ))
            .hinted(
                "`mesosflow close` ends the run; `mesosflow redeploy` with a source brings another Mesos",
            )),
            None => Ok(None),
        }
    }
}

impl Step for StageMesos {
    type World = World;
    type Output = BuiltMesos;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    /// By this very effect: what an earlier run has left may be of another day.
    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<BuiltMesos>, ActError> {
        let look = self.script(
            cx,
            "look for the Mesos that waits",
            r#"[ -e "$next" ] && [ "$(cat "$next.by" 2>/dev/null)" = "$key" ] || exit 1"#,
        );
        match cx.world().ask(&self.hub, look).await? {
            true => Ok(Probe::Done(self.making().standing(cx.world()).await?.into())),
            false => Ok(Probe::NotDone),
        }
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<BuiltMesos, ActError> {
        let world = cx.world();
        let taken = match &self.known {
            Some(known) => self.taken(world, known).await?,
            None => None,
        };
        let built = match taken {
            Some(built) => built,
            None => {
                let clear = self.script(cx, "clear the place beside Mesos", r#"rm -rf "$next" "$next.by""#);
                world.run(&self.hub, clear).await?;
                self.making().make(cx).await?.into()
            }
        };
        let note = self.script(cx, "note whose Mesos waits", r#"printf %s "$key" > "$next.by""#);
        world.run(&self.hub, note).await?;
        Ok(built)
    }

    async fn verify(&self, cx: &StepCx<World>, built: &BuiltMesos) -> Result<(), ActError> {
        let BuiltMesos { version, digest } = built;
        self.making().stands_as(cx.world(), version, digest).await
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        self.making().settle(cx, effect).await
    }

    fn limits(&self) -> Limits {
        LIMITS
    }
}
