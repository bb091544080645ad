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
use mesosflow_workflow::{RunId, Stop};
use serde::Serialize;
use tokio::net::TcpListener;

use super::frame::{Frame, SCRIPT, STYLE};
use super::guard::{Guard, Verdict, close};
use super::history::{self, Filter};
use super::news::{About, News};
use super::reading::Readings;
use super::{cluster, overview, run};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::views::timeline::Told;
use crate::wiring::Journal;

/// How often the journal is looked at for a page that is open.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the pages are made from.
pub(crate) struct Site {
    app: App,
    readings: Readings,
    news: News,
    guard: Guard,
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
            news: News::default(),
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

    /// What is around a page about that. To be made before its content is read: what comes between the two is then news for the page.
    async fn frame(&self, about: About) -> Frame {
        let seen = self.news.of(&self.app, about).await;
        let about = About {
            seen: Some(seen),
            ..about
        };
        let query = serde_urlencoded::to_string(about).unwrap_or_default();
        let journal = self.app.places.journal().to_string_lossy();
        Frame::served(&journal, self.guard.base(), &format!("/live?{query}"))
    }

    async fn nothing(&self, what: &str) -> Response<Body> {
        let error = CliError::usage(format!("there is no {what} in this journal"));
        self.problem(StatusCode::NOT_FOUND, &error).await
    }

    async fn answer(&self, page: Result<Option<String>, CliError>, what: &str) -> Response<Body> {
        match page {
            Ok(Some(page)) => Html(page).into_response(),
            Ok(None) => self.nothing(what).await,
            Err(error) => self.problem(StatusCode::INTERNAL_SERVER_ERROR, &error).await,
        }
    }

    async fn problem(&self, status: StatusCode, error: &CliError) -> Response<Body> {
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
        let frame = self.frame(About::default()).await;
        match frame.around("problem.html", &page) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, error.message.clone()).into_response(),
        }
    }
}

/// Serves the pages until `stop` is requested.
pub(crate) async fn serve(site: Arc<Site>, listener: TcpListener, stop: Stop) -> Result<(), CliError> {
    let pages = Router::new()
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
        );
    let base = site.guard.base().to_owned();
    let routes = Router::new()
        .nest(&base, pages)
        // What is nested has no page for its folder with the slash.
        .route(&format!("{base}/"), get(overview_page))
        .fallback(|State(site): State<Arc<Site>>| async move { site.nothing("page of that name").await })
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
        let frame = site.frame(About::default()).await;
        overview::served(&site.app, site.journal()?.as_ref(), frame).await
    };
    site.answer(page.await.map(Some), "page").await
}

async fn cluster_page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response<Body> {
    let page = async {
        let Ok(id) = id.parse() else { return Ok(None) };
        let about = About {
            cluster: Some(id),
            ..About::default()
        };
        let frame = site.frame(about).await;
        let Some(journal) = site.journal()? else {
            return Ok(None);
        };
        cluster::served(&site.app, &journal, id, frame).await
    };
    site.answer(page.await, "cluster of that id").await
}

async fn run_page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response<Body> {
    let page = async {
        let Ok(id) = id.parse() else { return Ok(None) };
        let frame = site.frame(of_run(id)).await;
        let Some(journal) = site.journal()? else {
            return Ok(None);
        };
        run::served(&site.app, &journal, &site.readings, id, frame).await
    };
    site.answer(page.await, "run of that id").await
}

async fn history_page(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Response<Body> {
    let page = async {
        let Ok(id) = id.parse() else { return Ok(None) };
        let frame = site.frame(of_run(id)).await;
        let Some(journal) = site.journal()? else {
            return Ok(None);
        };
        history::served(&site.app, &journal, &site.readings, (id, &filter), frame).await
    };
    site.answer(page.await, "run of that id").await
}

/// Tells a page that is open whenever there is something new for it, also since it was made.
async fn live(
    State(site): State<Arc<Site>>,
    Query(about): Query<About>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let begun = match about.seen {
        Some(seen) => seen,
        None => site.news.of(&site.app, about).await,
    };
    let moved = stream::unfold((site, begun), move |(site, last)| async move {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let now = site.news.of(&site.app, about).await;
            if now != last {
                // Browsers pass over an event without data.
                return Some((Ok(Event::default().event("moved").data("look")), (site, now)));
            }
        }
    });
    Sse::new(moved).keep_alive(KeepAlive::default())
}

fn of_run(run: RunId) -> About {
    About {
        run: Some(run),
        ..About::default()
    }
}
