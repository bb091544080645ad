//! Launches that nobody saw answered: looked for by their names until their machines are found, or cannot appear any more.
//!
//! A provider may take its time to show what it has launched, and knows what it launched by the launch's name before it knows
//! the machine's tags. One look that finds nothing proves nothing; a look that begins after the settle time does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mesosflow_workflow::{Effect, EffectKey, Resource, RunState, Settled};
use tokio::time::Instant;

use crate::provider::{Outdated, Provider, ProviderError};

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
    is_found: bool,
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
            let by = shows_by(&effect, settle)?;
            let left = Duration::try_from(by.duration_since(clock)).unwrap_or_default();
            Some(Launch {
                effect,
                shows_by: now + left,
                is_found: false,
            })
        });
        Self {
            launches: launches.collect(),
            looked: None,
        }
    }

    /// Looks for them; what is there now. A machine that is gone is no end of its launch, since another one may be launched in
    /// its place; but for those that were `ended` after every launch.
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
        let launched = provider.launched(&names).await?;
        let is_ended = |id: &String| ended.iter().any(|resource| resource.id == *id);
        for launch in &mut self.launches {
            let mut of = launched
                .iter()
                .filter(|launched| launched.effect_key == launch.effect.key);
            launch.is_found |= of.any(|of| !of.found.is_empty() || of.gone.iter().any(is_ended));
        }
        self.looked = Some(begun);
        Ok(launched.into_iter().flat_map(|launched| launched.found).collect())
    }

    /// Those that are in doubt no more, where what was found of them is gone: their machines were found, or the last look proves
    /// that there is none.
    pub(crate) fn settled(&mut self) -> Vec<(Effect, Settled)> {
        let looked = self.looked;
        let is_over = |launch: &Launch| looked.is_some_and(|looked| looked >= launch.shows_by);
        let (over, left) = std::mem::take(&mut self.launches)
            .into_iter()
            .partition(|launch| launch.is_found || is_over(launch));
        self.launches = left;
        let over: Vec<Launch> = over;
        let settled = |launch: Launch| match launch.is_found {
            true => (launch.effect, Settled::Ended),
            false => (launch.effect, Settled::Gone),
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
    let doubts = InDoubt::of(state.effects.values().cloned(), provider.settle_time());
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

/// When everything that the launch can have made is shown; none where it has made nothing.
fn shows_by(effect: &Effect, settle: Duration) -> Option<Timestamp> {
    if !LAUNCHES.contains(&effect.step.as_str()) {
        return None;
    }
    let unanswered = effect.unanswered?;
    let given_up = after(unanswered.from, LAUNCH_LIMIT);
    let last_call = unanswered.until.map_or(given_up, |until| until.min(given_up));
    Some(after(last_call, settle))
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
            }),
            before: None,
        }
    }

    #[test]
    fn a_launch_shows_within_the_settle_time_of_its_last_possible_call() {
        let by = |effect: &Effect| shows_by(effect, Duration::from_secs(300)).map(Timestamp::as_second);
        let limit = i64::try_from(LAUNCH_LIMIT.as_secs()).unwrap();
        // Its driver was gone before it had to give up, and much later.
        assert_eq!(by(&effect("launch-slaves", Some((1000, Some(1010))))), Some(1310));
        assert_eq!(
            by(&effect("launch-slaves", Some((1000, Some(90_000))))),
            Some(1300 + limit)
        );
        assert_eq!(
            by(&effect("launch-masters", Some((1000, None)))),
            Some(1300 + limit)
        );
        // Answered with no; and no launch at all.
        assert_eq!(by(&effect("launch-masters", None)), None);
        assert_eq!(by(&effect("hdfs-format", Some((1000, None)))), None);
    }

    #[test]
    fn the_first_look_again_comes_at_once_and_the_others_less_and_less_often() {
        let mut pauses = Pauses::default();
        let seconds: Vec<_> = (0..8).map(|_| pauses.next().as_secs()).collect();
        assert_eq!(seconds, [0, 1, 2, 4, 8, 15, 15, 15]);
    }
}
