//! The pages, served to this machine's browser.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Response, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, PhaseKind, RunId, Stop};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::frame::{Frame, SCRIPT, STYLE};
use super::guard::{Guard, Verdict, close};
use super::history::{self, Filter};
use super::reading::Readings;
use super::{cluster, overview, run};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::health::Health;
use crate::views::timeline::Told;
use crate::wiring::Journal;

/// How often the journal is looked at for a page that is open.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often a page is made anew while somebody drives its run, be nothing told meanwhile: bars grow.
const GROWS: i64 = 5;

/// What the pages are made from.
pub(crate) struct Site {
    app: App,
    readings: Readings,
    guard: Guard,
}

/// What a page is about.
#[derive(Debug, Clone, Copy, Deserialize)]
struct About {
    run: Option<RunId>,
    cluster: Option<ClusterId>,
}

impl Site {
    /// Pages of what `app` works with, at that address.
    pub(crate) fn new(app: App, address: std::net::SocketAddr) -> Result<Self, CliError> {
        let guard = Guard::new(address).map_err(|error| {
            CliError::new(Exit::Failed, "cannot make a token for the link").because_of(&error)
        })?;
        Ok(Self {
            app,
            readings: Readings::default(),
            guard,
        })
    }

    /// The link that lets in.
    pub(crate) fn link(&self) -> String {
        self.guard.link()
    }

    /// Opened for each answer: whatever is at the journal's path by then.
    fn journal(&self) -> Result<Option<Journal>, CliError> {
        self.app.existing_journal()
    }

    fn frame(&self, live: &str) -> Frame {
        Frame::served(&self.app.places.journal().to_string_lossy(), live)
    }

    fn nothing(&self, what: &str) -> Response<Body> {
        let error = CliError::usage(format!("there is no {what} in this journal"));
        self.problem(StatusCode::NOT_FOUND, &error)
    }

    fn answer(&self, page: Result<Option<String>, CliError>, what: &str) -> Response<Body> {
        match page {
            Ok(Some(page)) => Html(page).into_response(),
            Ok(None) => self.nothing(what),
            Err(error) => self.problem(StatusCode::INTERNAL_SERVER_ERROR, &error),
        }
    }

    fn problem(&self, status: StatusCode, error: &CliError) -> Response<Body> {
        #[derive(Serialize)]
        struct Page {
            title: &'static str,
            error: Told,
        }
        let page = Page {
            title: if status == StatusCode::NOT_FOUND {
                "Not here"
            } else {
                "This page cannot be made"
            },
            error: Told {
                message: error.message.clone(),
                causes: error.causes.clone(),
                hint: error.hints.first().map(|hint| self.app.places.named_in(hint)),
            },
        };
        match self.frame("/live").around("problem.html", &page) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, error.message.clone()).into_response(),
        }
    }

    /// What changes whenever a page about that has something new.
    async fn state(&self, about: About) -> Result<String, CliError> {
        let Some(journal) = self.journal()? else {
            return Ok(String::new());
        };
        let rows = journal.runs().await?;
        let cluster = about.cluster.or_else(|| {
            let of_run = rows.iter().find(|row| Some(row.run) == about.run)?;
            Some(of_run.cluster_id)
        });
        let mut state = String::new();
        let mut checks = std::collections::BTreeMap::new();
        for row in rows
            .iter()
            .filter(|row| cluster.is_none_or(|cluster| row.cluster_id == cluster))
        {
            let is_held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
            let grown = is_held.then(|| Timestamp::now().as_second() / GROWS);
            state.push_str(&format!("{} {} {grown:?};", row.run, row.summary.seq));
            let folder = self.app.places.cluster_dir(row.cluster_id);
            checks.insert(row.cluster_id.to_string(), Health::kept(&folder));
        }
        let checks = checks.values().flatten().map(|health| health.checked_at);
        checks.for_each(|at| state.push_str(&at.to_string()));
        Ok(state)
    }
}

/// Serves the pages until `stop` is requested.
pub(crate) async fn serve(site: Arc<Site>, listener: TcpListener, stop: Stop) -> Result<(), CliError> {
    let routes = Router::new()
        .route("/", get(overview_page))
        .route("/clusters/{id}", get(cluster_page))
        .route("/runs/{id}", get(run_page))
        .route("/runs/{id}/history", get(history_page))
        .route("/live", get(live))
        .route(
            "/assets/style.css",
            get(|| asset("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/assets/page.js",
            get(|| asset("text/javascript; charset=utf-8", SCRIPT)),
        )
        .fallback(|State(site): State<Arc<Site>>| async move { site.nothing("page of that name") })
        .layer(middleware::from_fn_with_state(site.clone(), at_the_door))
        .with_state(site);
    let served = axum::serve(listener, routes);
    tokio::select! {
        ended = served => ended.map_err(|error| CliError::new(Exit::Failed, "the pages are not served any more").because_of(&error)),
        // Pages that stay open would hold up a graceful end for ever.
        () = stop.requested() => Ok(()),
    }
}

async fn at_the_door(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response<Body> {
    let mut response = match site.guard.judge(&request) {
        Verdict::Pass => next.run(request).await,
        Verdict::Exchange(response) | Verdict::Refuse(response) => response,
    };
    close(response.headers_mut());
    response
}

async fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

async fn overview_page(State(site): State<Arc<Site>>) -> Response<Body> {
    let page = async {
        let journal = site.journal()?;
        overview::served(&site.app, journal.as_ref(), site.frame("/live")).await
    };
    site.answer(page.await.map(Some), "page")
}

async fn cluster_page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response<Body> {
    let page = async {
        let (Ok(id), Some(journal)) = (id.parse(), site.journal()?) else {
            return Ok(None);
        };
        let frame = site.frame(&format!("/live?cluster={id}"));
        cluster::served(&site.app, &journal, id, frame).await
    };
    site.answer(page.await, "cluster of that id")
}

async fn run_page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response<Body> {
    let page = async {
        let (Ok(id), Some(journal)) = (id.parse(), site.journal()?) else {
            return Ok(None);
        };
        let frame = site.frame(&format!("/live?run={id}"));
        run::served(&site.app, &journal, &site.readings, id, frame).await
    };
    site.answer(page.await, "run of that id")
}

async fn history_page(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Response<Body> {
    let page = async {
        let (Ok(id), Some(journal)) = (id.parse(), site.journal()?) else {
            return Ok(None);
        };
        let frame = site.frame(&format!("/live?run={id}"));
        history::served(&site.app, &journal, &site.readings, (id, &filter), frame).await
    };
    site.answer(page.await, "run of that id")
}

/// Tells a page that is open whenever there is something new for it.
async fn live(
    State(site): State<Arc<Site>>,
    Query(about): Query<About>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begun = site.state(about).await.ok();
    let moved = stream::unfold((site, begun), move |(site, mut last)| async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            // A journal that cannot be read now is news, too: the page says so.
            let now = site.state(about).await.unwrap_or_else(|error| error.message);
            if last.as_ref() != Some(&now) {
                last = Some(now);
                // Browsers pass over an event without data.
                return Some((Ok(Event::default().event("moved").data("look")), (site, last)));
            }
        }
    });
    Sse::new(moved).keep_alive(KeepAlive::default())
}
