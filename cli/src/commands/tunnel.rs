//! `tunnel`: the cluster's web interfaces for this machine's browser, through the first master.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use clap::Args;
use mesosflow_workflow::Stop;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::login::no_ssh;
use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::signals::stop_on_signals;
use crate::ssh::SshFiles;

/// Where SOCKS proxies listen, if nobody does there.
const SOCKS_PORT: u16 = 1080;
/// Says that the tunnel is dug, and ends it with this program's end of the pipe, however that comes about.
const HOLD: &str = "echo up; exec cat >/dev/null";

/// Open a way to the web interfaces of a cluster
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct TunnelArgs {
    #[command(flatten)]
    of: ClusterArgs,
    /// A port of this machine for each web interface, instead of a SOCKS proxy
    #[arg(long)]
    forward: bool,
    /// The port of the SOCKS proxy; by default 1080, or a free one
    #[arg(short = 'D', long = "port", value_name = "PORT", conflicts_with = "forward")]
    port: Option<u16>,
}

const HELP: &str = "\
Prints the links once they work, and stays until Ctrl-C. With the SOCKS proxy a browser sees the cluster's private addresses, \
and so the pages of slaves, too. It listens on 127.0.0.1 only.";

#[derive(Serialize)]
struct Tunnel {
    #[serde(skip_serializing_if = "Option::is_none")]
    socks: Option<String>,
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Link {
    name: String,
    url: String,
}

/// Digs it, and holds it.
pub(crate) async fn tunnel(app: &App, args: &TunnelArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    drop(journal);
    let files = SshFiles::write(&living)?;
    let hub = living.first();
    let mut ssh = Command::new("ssh");
    ssh.arg("-F")
        .arg(&files.config)
        .args(["-T", "-o", "ExitOnForwardFailure=yes"]);
    let home = Ipv4Addr::LOCALHOST;
    let tunnel = match args.forward {
        true => {
            let mut links = Vec::new();
            let mut taken = Vec::new();
            for ui in living.web_interfaces() {
                let port = free_port(ui.port, &taken)?;
                taken.push(port);
                let (address, far) = (ui.node.private_ip, ui.port);
                let address = if address.is_ipv6() {
                    format!("[{address}]")
                } else {
                    address.to_string()
                };
                ssh.args(["-L", &format!("{home}:{port}:{address}:{far}")]);
                links.push(Link {
                    url: ui.url(home.into(), port),
                    name: ui.name,
                });
            }
            Tunnel { socks: None, links }
        }
        false => {
            let port = match args.port {
                Some(port) if port != 0 => port,
                _ => free_port(SOCKS_PORT, &[])?,
            };
            let socks = format!("{home}:{port}");
            ssh.args(["-D", &socks]);
            let all = living.web_interfaces().into_iter();
            let links = all.map(|ui| Link {
                url: ui.url(ui.node.private_ip, ui.port),
                name: ui.name,
            });
            Tunnel {
                socks: Some(socks),
                links: links.collect(),
            }
        }
    };
    ssh.args(["--", &hub.name, HOLD])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    hold(app, ssh, &tunnel).await
}

async fn hold(app: &App, mut ssh: Command, tunnel: &Tunnel) -> Result<(), CliError> {
    let stop = Stop::default();
    stop_on_signals(stop.clone(), |_| {})?;
    let mut child = ssh.spawn().map_err(|error| no_ssh(&error))?;
    let ended = || CliError::new(Exit::Failed, "the tunnel has ended");
    let mut said = BufReader::new(child.stdout.take().ok_or_else(ended)?).lines();
    let mut is_up = false;
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            line = said.next_line() => match line {
                // A login shell may have said something before.
                Ok(Some(line)) => {
                    if line == "up" && !is_up {
                        is_up = true;
                        tell(app, tunnel)?;
                    }
                }
                _ => break,
            },
        }
    }
    let status = child.wait().await;
    let how = status.map_or_else(|error| error.to_string(), |status| format!("ssh: {status}"));
    Err(match is_up {
        true => ended().because(how),
        false => CliError::new(Exit::Failed, "the tunnel cannot be dug").because(how),
    })
}

fn tell(app: &App, tunnel: &Tunnel) -> Result<(), CliError> {
    if app.ui.json {
        return app.ui.object(tunnel);
    }
    let wide = tunnel.links.iter().map(|link| link.url.len()).max().unwrap_or(0);
    for Link { name, url } in &tunnel.links {
        app.ui.line(&format!("{url:<wide$}  {name}"))?;
    }
    if let Some(socks) = &tunnel.socks {
        app.ui.note(&format!(
            "through the SOCKS proxy {socks}: `curl --proxy socks5h://{socks} URL`, `chromium --proxy-server=socks5://{socks}`"
        ));
    }
    app.ui.note("Ctrl-C ends the tunnel");
    Ok(())
}

/// `wanted` if nobody listens there and it is not taken, or else any other.
fn free_port(wanted: u16, taken: &[u16]) -> Result<u16, CliError> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if !taken.contains(&wanted) && bind(wanted).is_ok() {
        return Ok(wanted);
    }
    let free = bind(0).and_then(|listener| listener.local_addr());
    free.map(|address| address.port())
        .map_err(|error| CliError::new(Exit::Failed, "no port of this machine is free").because_of(&error))
}
