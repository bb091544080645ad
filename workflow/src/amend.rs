//! The few values of a frozen spec that may be given anew, since the world around a cluster changes and the cluster has to
//! go on: recorded, and folded into the spec that later drivers go by.

use serde_json::Value;

use crate::event::Event;
use crate::ids::StepId;
use crate::record::RecordError;
use crate::run::Run;
use crate::state::RunState;

impl Run {
    /// Records that a value of the spec was given anew, and that the outcomes of `steps` count no more; nothing where it is the
    /// same.
    ///
    /// # Errors
    /// The journal failed, or the spec has no such value.
    pub async fn amend(&self, field: &str, value: Value, steps: Vec<StepId>) -> Result<(), RecordError> {
        let before = self.recorder.inspect(|state| {
            let pointer = format!("/{}", field.replace('.', "/"));
            state.spec.pointer(&pointer).cloned().unwrap_or_default()
        });
        if before == value {
            return Ok(());
        }
        let field = field.to_owned();
        let event = Event::SpecAmended {
            field,
            before,
            value,
            steps,
        };
        self.recorder.record(event).await
    }
}

impl RunState {
    /// Takes the new value into the spec, and opens the steps that have to see to it.
    pub(crate) fn amended(&mut self, field: &str, value: &Value, steps: &[StepId]) -> Result<(), String> {
        let place = field
            .split('.')
            .try_fold(&mut self.spec, |part, name| part.as_object_mut()?.get_mut(name));
        *place.ok_or_else(|| format!("the spec has no {field}"))? = value.clone();
        let why = format!("{field} was given anew");
        for step in self
            .steps
            .iter_mut()
            .filter(|step| steps.contains(&step.entry.id))
        {
            step.progress.outdate(&why);
            step.items.values_mut().for_each(|item| item.outdate(&why));
        }
        Ok(())
    }
}
