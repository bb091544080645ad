//! The pages in a real browser, on journals made up for it. Needs what `make setup-test` installs; no node.
//!
//! Pictures of them are left in the target folder's `tmp`, to be looked at.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod browser;
mod story;
#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "the other tests of the program need all of it")]
mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use fantoccini::Locator;
use fantoccini::key::Key;
use mesosflow_workflow::Event;
use serde_json::Value;

use crate::browser::{Browser, Served};
use crate::story::{Begin, Story, catalogue, error, failed, node, step};
use crate::support::Bench;

/// For whatever the program and a browser on a busy machine take.
const LIMIT: Duration = Duration::from_secs(180);
/// The widths of a phone, a laptop and a large screen, in CSS pixels.
const WIDTHS: [u32; 3] = [390, 1280, 2560];

/// Drives what a test does. What it works on is made outside: it has a runtime of its own, which cannot end within another.
fn within(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

/// Waits until it is so.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Exchanges the link, and comes to the first page.
async fn enter(served: &Served, browser: &Browser) {
    browser.client.goto(&served.link).await.unwrap();
    let wait = browser.client.wait().at_most(LIMIT);
    let there = wait.for_element(Locator::Css("#runs")).await;
    if let Err(error) = there {
        panic!("{error}: {}", browser.text("body").await);
    }
}

/// A run of a few steps that has failed on one node of three.
async fn failing(bench: &Bench, cluster: &str) -> Story {
    let begin = Begin {
        cluster,
        slaves: 3,
        catalogue: catalogue(),
    };
    let mut story = Story::begin(bench.journal(), begin).await;
    story.fan_out("launch-slaves", 3, |_| None).await;
    story.fan_out("await-nodes", 3, |_| None).await;
    let full = || {
        error(
            &format!("cannot set up a node of {cluster}"),
            "dd: No space left on device",
            "free some, then `mesosflow resume`",
        )
    };
    story
        .fan_out("setup-nodes", 3, |number| (number == 2).then(full))
        .await;
    story
        .tell([Event::RunFailed {
            step: Some(step("setup-nodes")),
            error: full(),
        }])
        .await;
    story
}

#[test]
fn a_failed_run_is_found_opened_by_keyboard_and_filtered() {
    let bench = Bench::new();
    within(async {
        let run = failing(&bench, "demo").await.run();
        let served = Served::begin(&bench);
        let browser = Browser::open().await;
        let page = &browser.client;
        // Without the link there is nothing, with it all.
        page.goto(&served.address("/")).await.unwrap();
        assert!(
            browser
                .text("body")
                .await
                .contains("the link that `mesosflow ui` printed")
        );
        enter(&served, &browser).await;
        assert!(!page.current_url().await.unwrap().as_str().contains("token"));
        assert!(browser.text("main").await.contains("demo"));

        page.goto(&served.address(&format!("/runs/{run}"))).await.unwrap();
        assert!(browser.text(".next").await.contains("mesosflow resume"));
        let opened = "return document.getElementById('g1-setup-nodes').open";
        assert_eq!(browser.ask(opened).await, false);
        browser
            .ask("document.querySelector('#g1-setup-nodes > summary').focus()")
            .await;
        let focused = page.active_element().await.unwrap();
        focused.send_keys(&Key::Enter.to_string()).await.unwrap();
        assert_eq!(browser.ask(opened).await, true);
        let inside = browser.text("#g1-setup-nodes .inside").await;
        for part in [
            "3 items: 2 succeeded, 1 failed",
            "big-slave-2",
            "No space left on device",
            &format!("mesosflow resume {run}"),
        ] {
            assert!(inside.contains(part), "{part:?} is missing in {inside:?}");
        }
        assert!(browser.text("#g1-hdfs-format").await.is_empty());
        for width in WIDTHS {
            let picture = browser.picture("failed", width).await;
            assert!(browser.fits().await, "{}", picture.display());
        }

        page.goto(&served.address(&format!("/runs/{run}/history")))
            .await
            .unwrap();
        let rows = || browser.ask("return document.querySelectorAll('.events tbody tr').length");
        let all = rows().await.as_u64().unwrap();
        browser
        .ask("document.querySelector('[name=kind]').value = 'step_failed'; document.querySelector('.filter').requestSubmit()")
        .await;
        until("only failures are listed", || async { rows().await == 2 }).await;
        assert!(all > 20, "{all}");
        browser
        .ask("document.querySelector('[name=item]').value = 'slave-2'; document.querySelector('.filter').requestSubmit()")
        .await;
        until("and only of that node", || async { rows().await == 1 }).await;
    });
}

#[test]
fn a_page_follows_the_run_and_keeps_what_was_opened() {
    let bench = Bench::new();
    within(async {
        let begin = Begin {
            cluster: "demo",
            slaves: 3,
            catalogue: catalogue(),
        };
        let mut story = Story::begin(bench.journal(), begin).await;
        story.fan_out("launch-slaves", 3, |_| None).await;
        let served = Served::begin(&bench);
        let browser = Browser::open().await;
        let page = &browser.client;
        enter(&served, &browser).await;
        let run = story.run();
        page.goto(&served.address(&format!("/runs/{run}"))).await.unwrap();
        browser
        .ask("document.getElementById('g1-launch-slaves').open = true; document.querySelector('#g1-launch-slaves > summary').focus()")
        .await;
        assert_eq!(browser.text(".state").await, "running");
        let is_there = |id: &'static str| {
            let browser = &browser;
            move || async move {
                browser
                    .ask(&format!("return !!document.getElementById('{id}')"))
                    .await
                    == true
            }
        };
        assert!(!is_there("g1-await-nodes")().await);
        story.fan_out("await-nodes", 3, |_| None).await;
        until("the next step is there", is_there("g1-await-nodes")).await;
        story.plain("hdfs-format", 4).await;
        until("and the one after it", is_there("g1-hdfs-format")).await;
        let kept = browser
        .ask("return document.getElementById('g1-launch-slaves').open && document.activeElement.closest('details')?.id")
        .await;
        assert_eq!(kept, "g1-launch-slaves");
        // What is typed stays, too.
        page.goto(&served.address(&format!("/runs/{run}/history")))
            .await
            .unwrap();
        browser
            .ask("const item = document.querySelector('[name=item]'); item.value = 'typed'; item.focus()")
            .await;
        let rows = || browser.ask("return document.querySelectorAll('.events tbody tr').length");
        let before = rows().await.as_u64().unwrap();
        story.tell([story.started("hdfs-start", None, 1)]).await;
        until("the new event is listed", || async {
            rows().await.as_u64().unwrap() > before
        })
        .await;
        let typed = browser
            .ask("return document.activeElement.name + document.querySelector('[name=item]').value")
            .await;
        assert_eq!(typed, "itemtyped");
        story
            .tell([failed(
                "hdfs-start",
                None,
                error("it is full", "no space", "free some"),
            )])
            .await;
        drop(story);
        drop(served);
        let status = || async { browser.text("#live").await.contains("does not answer") };
        until("the page says that nobody keeps it up to date", status).await;
    });
}

#[test]
fn a_thousand_nodes_in_three_generations_are_readable() {
    let bench = Bench::new();
    within(async {
        let begin = Begin {
            cluster: "big",
            slaves: 1000,
            catalogue: catalogue(),
        };
        let mut story = Story::begin(bench.journal(), begin).await;
        story.fan_out("launch-slaves", 1000, |_| None).await;
        story.fan_out("await-nodes", 1000, |_| None).await;
        let full = || {
            error(
                "cannot set up the node",
                "dd: No space left on device",
                "free some",
            )
        };
        for generation in 1..=3 {
            let fails = |number: usize| (number % 97 == 5 && generation < 3).then(full);
            story.fan_out("setup-nodes", 1000, fails).await;
            match generation {
                3 => {
                    story.plain("hdfs-format", 60).await;
                    story.plain("hdfs-start", 90).await;
                    story.tell([Event::RunSucceeded]).await;
                }
                _ => {
                    let failed = Event::RunFailed {
                        step: Some(step("setup-nodes")),
                        error: full(),
                    };
                    story.tell([failed]).await;
                    story.replay_from("setup-nodes").await;
                }
            }
        }
        let run = story.run();
        drop(story);
        let served = Served::begin(&bench);
        let browser = Browser::open().await;
        let page = &browser.client;
        enter(&served, &browser).await;
        for path in [
            format!("/runs/{run}"),
            format!("/runs/{run}/history"),
            "/".to_owned(),
        ] {
            page.goto(&served.address(&path)).await.unwrap();
            let sizes = "return performance.getEntries().filter((it) => it.decodedBodySize).map((it) => it.decodedBodySize)";
            let sizes = browser.ask(sizes).await;
            let sizes: Vec<u64> = serde_json::from_value(sizes).unwrap();
            assert!(
                !sizes.is_empty() && sizes.iter().all(|size| *size < 1_000_000),
                "{path}: {sizes:?}"
            );
        }
        page.goto(&served.address(&format!("/runs/{run}"))).await.unwrap();
        let tabs = browser
            .ask("return document.querySelectorAll('.tabs a').length")
            .await;
        assert_eq!(tabs, 3);
        let said = browser.text("#g1-setup-nodes .inside").await;
        assert!(said.contains("1000 items: 989 succeeded, 11 failed"), "{said}");
        assert!(said.contains(&node(5).to_string()), "{said}");
        let shown = browser
            .ask("return document.querySelectorAll('#g1-setup-nodes .item').length")
            .await;
        assert!(
            shown.as_u64().is_some_and(|shown| (11..=60).contains(&shown)),
            "{shown}"
        );
        for width in WIDTHS {
            let picture = browser.picture("thousand", width).await;
            assert!(browser.fits().await, "{}", picture.display());
        }
        assert_eq!(browser.barriers().await, Vec::<String>::new());
    });
}

#[test]
fn hostile_names_are_text_and_nothing_stands_in_anybodys_way() {
    let bench = Bench::new();
    within(async {
        let script = "<script>document.title = 'taken'</script>";
        let long = "x".repeat(300);
        let names = [script, "\u{202e}olleh", &long, "'\"><img src=x onerror=alert(1)>"];
        let mut runs = Vec::new();
        for name in names {
            let story = failing(&bench, name).await;
            runs.push(story.run());
        }
        let served = Served::begin(&bench);
        let browser = Browser::open().await;
        let page = &browser.client;
        enter(&served, &browser).await;
        let rows =
            browser.ask("return document.querySelectorAll('#main section:nth-of-type(2) tbody tr').length");
        assert_eq!(rows.await, 4);
        assert_eq!(browser.barriers().await, Vec::<String>::new());
        for (run, name) in runs.iter().zip(names) {
            for path in [format!("/runs/{run}"), format!("/runs/{run}/history")] {
                page.goto(&served.address(&path)).await.unwrap();
                assert!(browser.text("h1").await.contains(name), "{path}");
                assert!(page.title().await.unwrap().contains("of "), "{path}");
                let foreign = "return document.querySelectorAll('main script, main img').length";
                assert_eq!(browser.ask(foreign).await, 0, "{path}");
                assert!(browser.fits().await, "{path}");
                assert_eq!(browser.barriers().await, Vec::<String>::new(), "{path}");
            }
            // The file has no script at all, and says the same.
            let said = bench.run(&["report", &run.to_string(), "--html", "-"]);
            assert_eq!(said.code, 0, "{said:?}");
            assert!(!said.out.contains("<script"), "{name}");
            let file = bench.path("report.html");
            std::fs::write(&file, said.out).unwrap();
            page.goto(&format!("file://{}", file.display())).await.unwrap();
            assert!(browser.text("h1").await.contains(name));
            assert_eq!(browser.barriers().await, Vec::<String>::new(), "{name}");
        }
        let asked: Value = browser
            .ask("return performance.getEntriesByType('resource').map((it) => it.name)")
            .await;
        assert_eq!(asked, serde_json::json!([]), "a file fetches something");
    });
}
