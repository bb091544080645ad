//! `ui`: clusters and runs for this machine's browser.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;

use clap::Args;
use mesosflow_workflow::Stop;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::page::{Site, serve};
use crate::signals::stop_on_signals;

/// Show clusters and runs in a browser, live
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct UiArgs {
    /// Open the page in this machine's browser
    #[arg(long)]
    open: bool,
    /// Where to serve it, an address of this machine's loopback interface; port 0 is a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

const HELP: &str = "\
Prints a link, and serves the pages until Ctrl-C: every cluster and run of the journal, what each step did when, the critical path, what went \
wrong and what goes on with it, all events. They come from the journal and from what `check` found last; no node is asked, nothing can be \
changed, and nothing is fetched from elsewhere. Whoever has the link sees all of it: the token in it is for this process only.

From another machine: `ssh -L PORT:127.0.0.1:PORT` with the port of --listen, and the link as it is. As a file to be sent: `mesosflow report --html FILE`.";

#[derive(Serialize)]
struct Served {
    url: String,
}

/// Serves the pages.
pub(crate) async fn ui(app: &App, args: &UiArgs) -> Result<(), CliError> {
    if !args.listen.ip().is_loopback() {
        return Err(CliError::usage(format!(
            "--listen {}: the pages are served on the loopback interface alone, since nothing hides them on the way",
            args.listen
        ))
        .hint("serve them on 127.0.0.1, and come by `ssh -L PORT:127.0.0.1:PORT`"));
    }
    // One that cannot be read is told here, not on a page.
    drop(app.existing_journal()?);
    let cannot = |error: std::io::Error| {
        CliError::new(Exit::Failed, format!("cannot listen on {}", args.listen))
            .because_of(&error)
            .hint("another port, or 0 for a free one: `mesosflow ui --listen 127.0.0.1:0`")
    };
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let site = Arc::new(Site::new(app.clone(), listener.local_addr().map_err(cannot)?)?);
    let stop = Stop::default();
    // Nothing is under way that would have to end.
    stop_on_signals(stop.clone(), |_| ())?;
    let url = site.link();
    match app.ui.json {
        true => app.ui.object(&Served { url: url.clone() })?,
        false => app.ui.line(&url)?,
    }
    let _page = match args.open {
        true => open(app, &url).await,
        false => None,
    };
    serve(site, listener, stop).await
}

/// Opens the link in a browser, by way of a file that only its owner can read: a link on a command line is everybody's. The file goes
/// with what is returned.
async fn open(app: &App, url: &str) -> Option<NamedTempFile> {
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={url}\"><title>mesosflow</title>"
    );
    let opened = async {
        let mut file = tempfile::Builder::new().suffix(".html").tempfile()?;
        file.write_all(page.as_bytes())?;
        file.flush()?;
        let mut browser = Command::new("xdg-open");
        browser
            .arg(file.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match browser.status().await?.success() {
            true => Ok(file),
            false => Err(std::io::Error::other("`xdg-open` found no browser")),
        }
    };
    match opened.await {
        Ok(file) => Some(file),
        Err(error) => {
            app.ui.warn(&format!(
                "no browser was opened ({error}): open the link yourself"
            ));
            None
        }
    }
}
