//! The part of the fold that is about another version's catalogue: what is known goes over into it.

use crate::catalogue::CatalogueEntry;
use crate::catalogue::Renamed;
use crate::ids::StepId;
use crate::replay::Replay;
use crate::state::{RunState, StepState};

impl RunState {
    pub(crate) fn catalogue_changed(
        &mut self,
        catalogue: &[CatalogueEntry],
        renamed: &[Renamed],
    ) -> Result<(), String> {
        if catalogue.is_empty() {
            return Err("a run without steps is none".into());
        }
        let new_name = |id: &StepId| {
            let renamed = renamed.iter().find(|renamed| renamed.from == *id);
            renamed.map_or_else(|| id.clone(), |renamed| renamed.to.clone())
        };
        // A replay goes on from the step that stands where its first one was.
        if let Some(replay) = &self.replay {
            let still = |step: &StepState| {
                let id = new_name(&step.entry.id);
                catalogue.iter().any(|entry| entry.id == id).then_some(id)
            };
            let follows = |id: &StepId| {
                let place = self.index(id).unwrap_or_default();
                self.steps[place..].iter().find_map(still)
            };
            let precedes = |id: &StepId| {
                let place = self.index(id).unwrap_or_default();
                self.steps[..=place].iter().rev().find_map(still)
            };
            // No step more than was asked for: what comes after a dropped one is none of the replay's business.
            self.replay = match replay.only {
                true => self.step(&replay.from).and_then(still).map(|from| Replay {
                    from,
                    to: None,
                    only: true,
                }),
                false => follows(&replay.from).map(|from| Replay {
                    to: replay.to.as_ref().map(|to| precedes(to).unwrap_or(from.clone())),
                    from,
                    only: false,
                }),
            };
        }
        let mut before = std::mem::take(&mut self.steps);
        for step in &mut before {
            step.entry.id = new_name(&step.entry.id);
        }
        for entry in catalogue {
            let known = before.iter().position(|step| step.entry.id == entry.id);
            let back = || self.dropped.iter().position(|step| step.entry.id == entry.id);
            let mut step = match known {
                Some(place) => before.remove(place),
                None => match back() {
                    Some(place) => self.dropped.remove(place),
                    None => StepState::pending(entry, self.generation),
                },
            };
            step.entry = entry.clone();
            self.steps.push(step);
        }
        self.dropped.extend(before);
        for effect in self.effects.values_mut() {
            effect.step = new_name(&effect.step);
        }
        Ok(())
    }
}
