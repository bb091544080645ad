//! `inventory`: the nodes of a cluster for other programs, Ansible among them.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::ssh::{SshFiles, address};
use crate::wiring::{Node, Role, join_words};

/// Show the nodes of a cluster to other programs, such as Ansible
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct InventoryArgs {
    #[command(flatten)]
    of: ClusterArgs,
    /// For whom
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// All of it for Ansible, which asks its inventory scripts so
    #[arg(long, conflicts_with_all = ["host", "format"])]
    list: bool,
    /// What Ansible has to know of one node
    #[arg(long, value_name = "NODE", conflicts_with = "format")]
    host: Option<String>,
}

/// How the nodes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The JSON of a dynamic inventory: groups `master`, `slave`, `zookeeper`
    Ansible,
    /// `{nodes: [{name, role, private_ip, public_ip?, user, port, via?}]}`
    Json,
}

const HELP: &str = "\
For `ansible -i`, an executable file with these two lines:

  #!/bin/sh
  exec mesosflow inventory --cluster demo \"$@\"

Nodes are reached with the cluster's key, pinned host keys and, where that is the way, through the first master; where the login \
is not root's, tasks become root.";

#[derive(Serialize)]
struct Inventory<'a> {
    nodes: Vec<NodeView<'a>>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    role: Role,
    private_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_ip: Option<String>,
    user: &'a str,
    port: u16,
    /// The node through which it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'a str>,
}

/// Prints it.
pub(crate) async fn inventory(app: &App, args: &InventoryArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    if let Some(host) = &args.host {
        let node = living.node(host)?;
        return app.ui.document(&variables(&SshFiles::write(&living)?, node));
    }
    if args.list || args.format == Format::Ansible {
        return app.ui.document(&ansible(&living, &SshFiles::write(&living)?));
    }
    app.ui.document(&Inventory {
        nodes: living.nodes.iter().map(view).collect(),
    })
}

fn view(node: &Node) -> NodeView<'_> {
    NodeView {
        name: &node.name,
        role: node.role,
        private_ip: node.private_ip.to_string(),
        public_ip: node.public_ip.map(|ip| ip.to_string()),
        user: &node.user,
        port: node.port,
        via: node.via.as_ref().map(|via| via.name.as_str()),
    }
}

/// What a dynamic inventory answers to `--list`.
fn ansible(living: &Living, files: &SshFiles) -> Value {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut hosts = serde_json::Map::new();
    for node in &living.nodes {
        groups.entry(node.role.as_str()).or_default().push(&node.name);
        hosts.insert(node.name.clone(), variables(files, node));
    }
    let mut all = serde_json::Map::new();
    all.insert("_meta".to_owned(), json!({ "hostvars": hosts }));
    all.insert(
        "all".to_owned(),
        json!({ "children": groups.keys().collect::<Vec<_>>() }),
    );
    for (role, nodes) in groups {
        all.insert(role.to_owned(), json!({ "hosts": nodes }));
    }
    Value::Object(all)
}

/// What Ansible has to know of a node.
fn variables(files: &SshFiles, node: &Node) -> Value {
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let (config, known_hosts) = (text(&files.config), text(&files.known_hosts));
    // The configuration says all of it, the way through the first master included; what counts for trust is said again.
    let words = [
        "-F".to_owned(),
        config,
        "-o".to_owned(),
        format!("UserKnownHostsFile=\"{}\"", known_hosts.replace('%', "%%")),
        "-o".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "-o".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
    ];
    let mut variables = json!({
        "ansible_host": address(node),
        "ansible_port": node.port,
        "ansible_user": node.user,
        "ansible_ssh_common_args": join_words(words.iter().map(String::as_str)),
        "mesosflow_role": node.role,
        "mesosflow_private_ip": node.private_ip,
    });
    // Ansible hands it to ssh as it is, where `%` begins what is replaced; the configuration names it anyway.
    let key = text(&files.key);
    if !key.contains('%') {
        variables["ansible_ssh_private_key_file"] = Value::String(key);
    }
    if node.user != "root" {
        variables["ansible_become"] = Value::Bool(true);
    }
    variables
}
