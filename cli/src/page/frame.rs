//! What is around every page, and how a page is made of its template.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde::Serialize;
use tera::{Context, Tera};

use crate::error::CliError;
use crate::exit::Exit;

/// The templates, by the names that they call each other by. Those that end in `.html` escape every value.
const TEMPLATES: [(&str, &str); 10] = [
    ("base.html", include_str!("templates/base.html")),
    ("cluster.html", include_str!("templates/cluster.html")),
    ("error.html", include_str!("templates/error.html")),
    ("events.html", include_str!("templates/events.html")),
    ("history.html", include_str!("templates/history.html")),
    ("nodes.html", include_str!("templates/nodes.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("problem.html", include_str!("templates/problem.html")),
    ("run.html", include_str!("templates/run.html")),
    ("timeline.html", include_str!("templates/timeline.html")),
];

pub(super) const STYLE: &str = include_str!("assets/style.css");
pub(super) const SCRIPT: &str = include_str!("assets/page.js");

/// The templates, read once: a page that is open is made again and again.
fn templates() -> Result<&'static Tera, &'static str> {
    static READ: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
        let mut tera = Tera::new();
        let added = tera.add_raw_templates(TEMPLATES);
        added.map(|()| tera).map_err(|error| error.to_string())
    });
    READ.as_ref().map_err(String::as_str)
}

/// What is around a page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Frame {
    /// Whether it is a file of its own, with all that it needs in it and no script.
    whole: bool,
    /// The style, of a file of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    version: &'static str,
    made_at: String,
    journal: String,
    /// The folder that all pages are in.
    base: String,
    crumbs: Vec<Crumb>,
    /// Where it is told that the page has a news.
    live: Option<String>,
}

/// A step on the way from the first page to this one.
#[derive(Debug, Clone, Serialize)]
struct Crumb {
    name: String,
    href: String,
}

impl Frame {
    /// Of a page that a server shows, which hears at `live` that there is something new.
    pub(crate) fn served(journal: &str, base: &str, live: &str) -> Self {
        Self {
            whole: false,
            style: None,
            version: env!("MESOSFLOW_VERSION"),
            made_at: date(Timestamp::now()),
            journal: journal.to_owned(),
            base: base.to_owned(),
            crumbs: Vec::new(),
            live: Some(live.to_owned()),
        }
    }

    /// Of a file of its own.
    pub(crate) fn whole() -> Self {
        Self {
            whole: true,
            style: Some(STYLE),
            live: None,
            journal: String::new(),
            ..Self::served("", "", "")
        }
    }

    /// The same, one step further from the first page.
    #[must_use]
    pub(crate) fn below(mut self, name: &str, href: String) -> Self {
        self.crumbs.push(Crumb {
            name: name.to_owned(),
            href,
        });
        self
    }

    /// The page that a template makes of `content`.
    pub(crate) fn around(&self, template: &str, content: &impl Serialize) -> Result<String, CliError> {
        let failed = |error: tera::Error| {
            CliError::new(Exit::Failed, format!("cannot make the page `{template}`")).because_of(&error)
        };
        let mut context = Context::from_serialize(content).map_err(failed)?;
        context.insert("page", self);
        let tera = templates()
            .map_err(|why| CliError::new(Exit::Failed, "cannot read the pages' templates").because(why))?;
        tera.render(template, &context).map_err(failed)
    }
}

/// `2026-03-01 09:30:00 UTC`
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The same; nothing where it is not known.
pub(super) fn date_if(at: Option<Timestamp>) -> String {
    at.map(date).unwrap_or_default()
}
