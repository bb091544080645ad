//! Launches that nobody saw answered: looked for by their names until their machines are found, or cannot appear any more.
//!
//! A provider may take its time to show what it has launched, and knows what it launched by the launch's name before it knows
//! the machine's tags. One look that finds nothing proves nothing; a look that begins after the settle time does.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mesosflow_workflow::{Effect, EffectKey, Resource, RunState, Settled, Unanswered};
use tokio::time::Instant;

use crate::provider::{Launcher, Outdated, Provider, ProviderError};

/// The steps whose effects are machines.
pub(crate) const LAUNCHES: [&str; 3] = ["launch-slaves", "launch-masters", "launch-zookeepers"];
/// The longest that one try of a launch may take, machines that have to end before and older launches in doubt included: a call
/// of it cannot have been made later.
pub(crate) const LAUNCH_LIMIT: Duration = Duration::from_secs(18 * 60);
/// The longest pause between two looks.
const PAUSE_CEILING: Duration = Duration::from_secs(15);

/// Pauses between looks: the first look comes at once, then each pause is twice the one before.
#[derive(Debug, Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = match self.0 {
            0 => Duration::ZERO,
            number => Duration::from_secs(1 << (number - 1).min(4)).min(PAUSE_CEILING),
        };
        self.0 += 1;
        pause
    }
}

#[derive(Debug)]
struct Launch {
    effect: Effect,
    /// From when on a look that does not show its machine proves that there is none.
    shows_by: Instant,
    /// How many tries of it nobody saw answered, each of which may have brought a machine.
    tries: usize,
    /// Ids of the machines that it has brought, each seen alive or ended here.
    found: BTreeSet<String>,
}

impl Launch {
    /// Whether every try has its machine. One that was found says nothing of another: a launch under a name that is spent goes on
    /// under the next one, and what stands in for a provider may launch twice under one name.
    fn is_found(&self) -> bool {
        self.found.len() >= self.tries
    }
}

/// The launches in doubt, and the last look for them.
#[derive(Debug)]
pub(crate) struct InDoubt {
    launches: Vec<Launch>,
    looked: Option<Instant>,
}

impl InDoubt {
    /// Those of these effects that are launches and that nobody saw answered, where a provider shows what it launched within
    /// `settle`.
    pub(crate) fn of(effects: impl IntoIterator<Item = Effect>, settle: Duration) -> Self {
        let (now, clock) = (Instant::now(), Timestamp::now());
        let launches = effects.into_iter().filter_map(|effect| {
            let unanswered = awaited(&effect)?;
            let by = shows_by(unanswered, settle);
            let left = Duration::try_from(by.duration_since(clock)).unwrap_or_default();
            Some(Launch {
                effect,
                shows_by: now + left,
                tries: usize::try_from(unanswered.tries).unwrap_or(usize::MAX),
                found: BTreeSet::new(),
            })
        });
        Self {
            launches: launches.collect(),
            looked: None,
        }
    }

    /// The same of effects at this provider.
    pub(crate) fn at(provider: &dyn Provider, effects: impl IntoIterator<Item = Effect>) -> Self {
        let settle = provider.launcher().map(Launcher::settle_time);
        Self::of(effects, settle.unwrap_or_default())
    }

    /// Looks for them; what is there now. A machine that is gone, or on its way, is no end of its launch, since another one may
    /// be launched in its place; but for those that were seen alive before, or were `ended` after every launch.
    pub(crate) async fn look(
        &mut self,
        provider: &dyn Provider,
        ended: &[Resource],
    ) -> Result<Vec<Outdated>, ProviderError> {
        let begun = Instant::now();
        let names: Vec<EffectKey> = self
            .launches
            .iter()
            .map(|launch| launch.effect.key.clone())
            .collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        // What makes no machines has none in doubt.
        let Some(launcher) = provider.launcher() else {
            return Ok(Vec::new());
        };
        let launched = launcher.launched(&names).await?;
        let is_ended = |id: &String| ended.iter().any(|resource| resource.id == *id);
        for launch in &mut self.launches {
            let of = launched
                .iter()
                .filter(|launched| launched.effect_key == launch.effect.key);
            for of in of {
                let ended = of.gone.iter().filter(|id| is_ended(id));
                launch.found.extend(of.alive.iter().chain(ended).cloned());
            }
        }
        self.looked = Some(begun);
        Ok(launched.into_iter().flat_map(|launched| launched.found).collect())
    }

    /// Those that are in doubt no more, where what was found of them is gone: all their machines were found, or the last look
    /// proves that there is no further one.
    pub(crate) fn settled(&mut self) -> Vec<(Effect, Settled)> {
        let looked = self.looked;
        let is_over = |launch: &Launch| looked.is_some_and(|looked| looked >= launch.shows_by);
        let (over, left) = std::mem::take(&mut self.launches)
            .into_iter()
            .partition(|launch| launch.is_found() || is_over(launch));
        self.launches = left;
        let over: Vec<Launch> = over;
        let settled = |launch: Launch| match launch.found.is_empty() {
            false => (launch.effect, Settled::Ended),
            true => (launch.effect, Settled::Gone),
        };
        over.into_iter().map(settled).collect()
    }

    /// For how long the next look may be waited with; none where nothing is in doubt.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        let first = self.launches.iter().map(|launch| launch.shows_by).min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// What is waited for, in words; none where nothing is.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let last = self.launches.iter().map(|launch| launch.shows_by).max()?;
        let left = last.saturating_duration_since(Instant::now()).as_secs() + 1;
        let names: Vec<_> = self.launches.iter().map(|launch| name(&launch.effect)).collect();
        Some(format!(
            "the launch of {} was never answered: its machine is looked for by its token and its tags for {left} s more",
            names.join(", ")
        ))
    }
}

/// Whether a launch of this run that nobody saw answered may still bring a machine.
pub fn may_come(state: &RunState, provider: &dyn Provider) -> bool {
    let doubts = InDoubt::at(provider, state.effects.values().cloned());
    doubts
        .launches
        .iter()
        .any(|launch| launch.shows_by > Instant::now())
}

fn name(effect: &Effect) -> &str {
    effect
        .item
        .as_ref()
        .map_or(effect.step.as_str(), |item| item.as_str())
}

/// Since when an effect may bring what nobody knows of yet: a launch that nobody saw answered. Any other ends with the machine that it
/// is on.
pub(crate) fn awaited(effect: &Effect) -> Option<Unanswered> {
    let is_launch = LAUNCHES.contains(&effect.step.as_str());
    effect.unanswered.filter(|_| is_launch)
}

/// When everything that a launch can have made which nobody saw answered is shown.
pub(crate) fn shows_by(unanswered: Unanswered, settle: Duration) -> Timestamp {
    let given_up = after(unanswered.from, LAUNCH_LIMIT);
    let last_call = unanswered.until.map_or(given_up, |until| until.min(given_up));
    after(last_call, settle)
}

fn after(at: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| at.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{Attempt, Generation, StepId, Unanswered};

    use super::*;

    fn effect(step: &'static str, unanswered: Option<(i64, Option<i64>)>) -> Effect {
        let at = |second| Timestamp::from_second(second).unwrap();
        let run = "01jd3k00000000000000000abc".parse().unwrap();
        let id = StepId::from_static(step);
        Effect {
            key: EffectKey::derive(run, Generation::FIRST, &id, None, 0),
            step: id,
            item: None,
            generation: Generation::FIRST,
            attempt: Attempt::FIRST,
            input_digest: String::new(),
            unanswered: unanswered.map(|(from, until)| Unanswered {
                from: at(from),
                until: until.map(at),
                tries: 1,
            }),
            before: None,
        }
    }

    #[test]
    fn a_launch_shows_within_the_settle_time_of_its_last_possible_call() {
        let by = |from, until: Option<i64>| {
            let effect = effect("launch-slaves", Some((from, until)));
            shows_by(effect.unanswered.unwrap(), Duration::from_secs(300)).as_second()
        };
        let limit = i64::try_from(LAUNCH_LIMIT.as_secs()).unwrap();
        // Its driver was gone before it had to give up, and much later.
        assert_eq!(by(1000, Some(1010)), 1310);
        assert_eq!(by(1000, Some(90_000)), 1300 + limit);
        assert_eq!(by(1000, None), 1300 + limit);
        // Answered with no; and no launch at all.
        let doubts = |effect| InDoubt::of([effect], Duration::ZERO).launches.len();
        assert_eq!(doubts(effect("launch-masters", Some((1000, None)))), 1);
        assert_eq!(doubts(effect("launch-masters", None)), 0);
        assert_eq!(doubts(effect("hdfs-format", Some((1000, None)))), 0);
    }

    #[test]
    fn a_launch_is_found_when_each_of_its_tries_has_a_machine() {
        let now = Timestamp::now().as_second();
        let mut twice = effect("launch-slaves", Some((now, Some(now))));
        twice.unanswered.as_mut().unwrap().tries = 2;
        let mut doubts = InDoubt::of([twice], Duration::from_secs(3600));
        doubts.looked = Some(Instant::now());
        doubts.launches[0].found.insert("i-2".into());
        assert!(doubts.settled().is_empty());
        assert!(doubts.waits_for().unwrap().contains("launch-slaves"));
        doubts.launches[0].found.insert("i-1".into());
        let settled: Vec<_> = doubts.settled().into_iter().map(|(_, settled)| settled).collect();
        assert_eq!(settled, [Settled::Ended]);
    }

    #[test]
    fn the_first_look_again_comes_at_once_and_the_others_less_and_less_often() {
        let mut pauses = Pauses::default();
        let seconds: Vec<_> = (0..8).map(|_| pauses.next().as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 15, 15, 15]);
    }
}
