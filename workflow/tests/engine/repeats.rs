//! A step that was started, whose end nobody has seen.

use crate::laws::{assert_complete, assert_lawful};
use crate::rig::{Rig, assert_succeeded, from, place_of};
use crate::world::Act;
use mesosflow_workflow::Event;

/// The places that have an `apply`, and the event that announces it.
async fn starts() -> Vec<(usize, String)> {
    let rig = Rig::new();
    assert_succeeded(&rig.run().await);
    let starts: Vec<_> = rig
        .history()
        .iter()
        .enumerate()
        .filter(|(_, recorded)| matches!(recorded.event, Event::StepStarted { .. }))
        .map(|(index, recorded)| (index + 1, place_of(&recorded.event)))
        .filter(|(_, place)| place != "launch")
        .collect();
    assert_eq!(starts.len(), 10);
    starts
}

/// For each step: the journal dies right after its start, while its effect still happens.
#[tokio::test(start_paused = true)]
async fn a_step_found_started_is_probed_and_not_applied_twice() {
    for (events, place) in starts().await {
        let rig = Rig::new();
        rig.store.memory().fail_after(events);
        let outcome = rig.run().await;
        assert!(
            matches!(outcome, mesosflow_workflow::Outcome::Lost(_)),
            "{outcome:?}"
        );
        assert!(rig.world.applied().contains(&place));
        rig.store.memory().recover();
        rig.world.take_deeds();

        assert_succeeded(&rig.resume().await);
        let acts: Vec<_> = rig
            .world
            .deeds()
            .into_iter()
            .filter(|deed| deed.place == place)
            .map(|deed| (deed.act, deed.attempt))
            .collect();
        assert_eq!(acts, [(Act::Probe, 2)], "{place} was there already");
        assert!(
            rig.story().contains(&format!("{place} #2 succeeded (Found)")),
            "{place}"
        );
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

/// For each step: it is started, and the process dies before it acts.
#[tokio::test(start_paused = true)]
async fn a_step_found_started_and_not_done_is_applied() {
    for (events, place) in starts().await {
        let rig = Rig::new();
        // The append that carries the start is kept, and never acknowledged.
        rig.store.memory().crash_after(events);
        let _lost = rig.run().await;
        assert!(
            !rig.world.applied().contains(&place),
            "{place} was applied without an acknowledged start"
        );
        rig.store.memory().recover();
        rig.world.take_deeds();

        assert_succeeded(&rig.resume().await);
        let acts: Vec<_> = rig
            .world
            .deeds()
            .into_iter()
            .filter(|deed| deed.place == place)
            .map(|deed| (deed.act, deed.attempt))
            .collect();
        assert_eq!(
            acts,
            [(Act::Probe, 2), (Act::Apply, 2), (Act::Verify, 2)],
            "{place}"
        );
        assert_complete(&rig);
        assert_lawful(&rig);
    }
}

/// A replay begins while an effect of the generation before may still be going on: that is settled first.
#[tokio::test(start_paused = true)]
async fn an_effect_in_doubt_is_settled_before_its_step_acts_again() {
    for (events, place) in starts().await {
        let rig = Rig::new();
        rig.store.memory().fail_after(events);
        let _lost = rig.run().await;
        rig.store.memory().recover();
        let doubts: Vec<_> = rig.state().effects.into_keys().collect();
        assert!(!doubts.is_empty(), "{place}");
        rig.world.take_deeds();
        let before = rig.world.effects().len();
        assert_succeeded(&rig.replay(from("groups")).await);
        let settled = rig.world.settled();
        for doubt in doubts {
            let found = settled.iter().find(|(key, _)| *key == doubt.to_string());
            let (_, happened) = found.unwrap_or_else(|| panic!("{doubt} was not settled"));
            let anew = doubt.as_str().replace("-g1-", "-g2-");
            let effects = rig.world.effects();
            let at = effects.iter().position(|key| *key == anew).unwrap();
            assert!(
                at >= *happened && at >= before,
                "{anew} came before {doubt} was settled"
            );
        }
        assert!(rig.state().effects.is_empty());
        assert_lawful(&rig);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_succeeded_has_nothing_left_to_do() {
    let rig = Rig::that_succeeded().await;
    let before = rig.history().len();
    assert_succeeded(&rig.resume().await);
    assert_eq!(rig.story_after(before), ["run_adopted", "run_succeeded"]);
    assert!(rig.world.deeds().is_empty(), "{:?}", rig.world.deeds());
}
