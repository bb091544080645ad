//! `mesosflow.toml`: read, and refused with the line, the key and the nearest known key.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::CliError;
use crate::nearest::nearest;
use crate::notify::{self, Channels};
use crate::shape::{self, Shape};
use crate::wiring::{ClusterSpec, config_keys};

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The spec: the file over the defaults.
    pub(crate) spec: ClusterSpec,
    /// Whether it says where Mesos comes from.
    pub(crate) source_given: bool,
    /// Whether it says how many masters there are.
    pub(crate) masters_given: bool,
    /// Whether it says how many slaves there are.
    pub(crate) slaves_given: bool,
    /// The keys that it names, as far as anybody may give them.
    pub(crate) named: Vec<&'static str>,
}

/// Reads the file at `path`, which the user knows as `name`. Its relative paths start at its folder.
pub(crate) fn read(path: &Path, name: &Path) -> Result<Parsed, CliError> {
    let unreadable = |error: &dyn std::error::Error| {
        CliError::usage(format!("cannot read the configuration `{}`", name.display())).because_of(error)
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(&error))?;
    let mut parsed = parse(&text, name)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let spec = &mut parsed.spec;
    refuse_empty(spec, name)?;
    spec.deploy_dir = spec.deploy_dir.take().map(|dir| folder.join(dir));
    spec.mesos.url = spec.mesos.url.take().map(|url| resolve_url(&url, folder));
    for url in [&mut spec.hadoop.url, &mut spec.spark.url] {
        *url = url.take().map(|url| resolve_url(&url, folder));
    }
    spec.mesos.netrc = spec.mesos.netrc.take().map(|path| folder.join(from_home(path)));
    spec.local.engine = spec.local.engine.take().map(|engine| match engine.contains('/') {
        true => folder.join(engine).to_string_lossy().into_owned(),
        false => engine,
    });
    spec.ec2.user_data = spec.ec2.user_data.take().map(|path| folder.join(path));
    spec.hosts.identity_file = spec
        .hosts
        .identity_file
        .take()
        .map(|path| folder.join(from_home(path)));
    Ok(parsed)
}

/// Refuses a path that is empty: from the file's folder on, it would be that folder.
fn refuse_empty(spec: &ClusterSpec, name: &Path) -> Result<(), CliError> {
    let paths = [
        ("deploy_dir", spec.deploy_dir.as_deref()),
        ("mesos.url", spec.mesos.url.as_deref().map(Path::new)),
        ("hadoop.url", spec.hadoop.url.as_deref().map(Path::new)),
        ("spark.url", spec.spark.url.as_deref().map(Path::new)),
        ("mesos.netrc", spec.mesos.netrc.as_deref()),
        ("ec2.user_data", spec.ec2.user_data.as_deref()),
        ("hosts.identity_file", spec.hosts.identity_file.as_deref()),
    ];
    match paths
        .iter()
        .find(|(_, path)| path.is_some_and(|path| path.as_os_str().is_empty()))
    {
        None => Ok(()),
        Some((key, _)) => Err(CliError::usage(format!("`{}`: `{key}` is empty", name.display()))
            .hint("name a path, or leave the key out")),
    }
}

/// `url` as it is, or, where it is a path, from `folder` or, with `~`, from home on.
pub(crate) fn resolve_url(url: &str, folder: &Path) -> String {
    if url.contains("://") {
        url.to_owned()
    } else {
        folder.join(from_home(url.into())).to_string_lossy().into_owned()
    }
}

/// A path below `~` as one below home. Others stay as they are.
fn from_home(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(below), Ok(home)) => home.join(below),
        _ => path,
    }
}

/// Who is told of the end of a run by a file, whatever else it says. One that is not there, or is no TOML, keeps no run from being
/// driven: whoever has `named` it, or has written it, is told so.
pub(crate) fn channels(path: &Path, named: bool) -> Result<Channels, CliError> {
    let unread =
        |why: &str| Channels::unread(format!("`{}` names nobody who is told: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
            return Ok(Channels::default());
        }
        Err(error) => return Ok(unread(&error.to_string())),
    };
    match tables_of(&text, path) {
        Ok(mut table) => take_channels(&mut table, &text, path),
        Err(error) => Ok(unread(&error.message)),
    }
}

/// What is wrong with a file, and where.
fn wrong(text: &str, name: &Path, span: Option<Range<usize>>, what: &str) -> CliError {
    let line = span
        .map(|span| format!(", line {}", line_of(text, span.start)))
        .unwrap_or_default();
    CliError::usage(format!("cannot use `{}`{line}: {what}", name.display()))
}

fn tables_of<'t>(text: &'t str, name: &Path) -> Result<Spanned<DeTable<'t>>, CliError> {
    DeTable::parse(text).map_err(|error| wrong(text, name, error.span(), &one_line(error.message())))
}

/// Takes out of a file what is no part of the spec: who is told of the end of a run.
fn take_channels(table: &mut Spanned<DeTable<'_>>, text: &str, name: &Path) -> Result<Channels, CliError> {
    notify::read(table.get_mut()).map_err(|refused| {
        let error = wrong(text, name, Some(refused.span), &refused.what);
        match (refused.hint, refused.unknown) {
            (Some(hint), _) => error.hint(hint),
            (None, Some(path)) => error.hint(hint_for_key(&path)),
            (None, None) => error,
        }
    })
}

fn parse(text: &str, name: &Path) -> Result<Parsed, CliError> {
    let wrong = |span: Option<Range<usize>>, what: String| wrong(text, name, span, &what);
    let mut table = tables_of(text, name)?;
    take_channels(&mut table, text, name)?;
    if let Some((span, path)) = unknown_key(table.get_ref(), &[]) {
        let mut error = wrong(Some(span), format!("unknown key `{path}`"));
        error.hints.push(hint_for_key(&path));
        return Err(error);
    }
    let spec = ClusterSpec::deserialize(toml::Deserializer::from(table.clone())).map_err(
        |error: toml::de::Error| {
            let found = error.span().and_then(|span| value_at(table.get_ref(), &span));
            let key = match &found {
                Some((path, _)) => format!("`{}`: ", path.join(".")),
                None => String::new(),
            };
            let mut refused = wrong(error.span(), format!("{key}{}", in_words(error.message())));
            refused
                .hints
                .extend(found.and_then(|(path, value)| hint_for_value(value, &path)));
            refused
        },
    )?;
    let mesos = table
        .get_ref()
        .get("mesos")
        .and_then(|value| value.get_ref().as_table());
    Ok(Parsed {
        spec,
        source_given: mesos.is_some_and(|mesos| mesos.contains_key("source")),
        masters_given: table.get_ref().contains_key("masters"),
        slaves_given: table.get_ref().contains_key("slaves"),
        named: config_keys().filter(|key| names(table.get_ref(), key)).collect(),
    })
}

/// Whether a table has a value at a dotted key.
fn names(table: &DeTable<'_>, key: &str) -> bool {
    match key.split_once('.') {
        None => table.contains_key(key),
        Some((first, rest)) => {
            let inner = table.get(first).and_then(|value| value.get_ref().as_table());
            inner.is_some_and(|inner| names(inner, rest))
        }
    }
}

/// The first key (in the order of the file) that the spec does not have, as a dotted path.
fn unknown_key(table: &DeTable<'_>, path: &[&str]) -> Option<(Range<usize>, String)> {
    let Shape::Table(fields) = shape::at::<ClusterSpec>(path) else {
        return None;
    };
    let mut found = Vec::new();
    for (key, value) in table {
        let inner = [path, &[key.get_ref()]].concat();
        if !fields.contains(&key.get_ref().as_ref()) {
            found.push((key.span(), inner.join(".")));
        } else {
            for table in tables(value.get_ref()) {
                found.extend(unknown_key(table, &inner));
            }
        }
    }
    found.into_iter().min_by_key(|(span, _)| span.start)
}

/// The tables in a value: itself, or the items of a list.
fn tables<'v, 'i>(value: &'v DeValue<'i>) -> Vec<&'v DeTable<'i>> {
    match value {
        DeValue::Table(table) => vec![table],
        DeValue::Array(items) => items
            .iter()
            .filter_map(|item| item.get_ref().as_table())
            .collect(),
        _ => Vec::new(),
    }
}

/// The innermost value that `span` lies in, with the key that it stands at.
fn value_at<'v, 'i>(table: &'v DeTable<'i>, span: &Range<usize>) -> Option<(Vec<String>, &'v DeValue<'i>)> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref().to_string();
        let within = tables(value.get_ref())
            .into_iter()
            .find_map(|inner| value_at(inner, span))
            .map(|(path, value)| ([vec![name.clone()], path].concat(), value));
        let at = value.span();
        let itself = || (at.start <= span.start && span.end <= at.end).then(|| (vec![name], value.get_ref()));
        within.or_else(itself)
    })
}

fn hint_for_key(path: &str) -> String {
    let mut keys = shape::keys::<ClusterSpec>();
    // Nobody's to give: it is found out when a run starts.
    keys.retain(|key| !key.starts_with("made_by.") && !key.starts_with("members"));
    keys.extend(notify::KEYS.map(str::to_owned));
    let leaf = path.rsplit('.').next().unwrap_or(path);
    // The right name in the wrong table is nearer than any misspelling.
    let moved = keys.iter().find(|key| key.rsplit('.').next() == Some(leaf));
    let tables = keys.iter().filter_map(|key| Some(key.rsplit_once('.')?.0));
    if let Some(near) = moved
        .map(String::as_str)
        .or_else(|| nearest(path, keys.iter().map(String::as_str).chain(tables)))
    {
        return format!("did you mean `{near}`?");
    }
    let leaves = keys
        .iter()
        .map(|key| (key.rsplit('.').next().unwrap_or(key), key.as_str()));
    match nearest(leaf, leaves.clone().map(|(leaf, _)| leaf)) {
        Some(near) => match leaves.clone().find(|(leaf, _)| *leaf == near) {
            Some((_, key)) => format!("did you mean `{key}`?"),
            None => format!("did you mean `{near}`?"),
        },
        None => format!("the known keys are {}", keys.join(", ")),
    }
}

fn hint_for_value(value: &DeValue<'_>, path: &[String]) -> Option<String> {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let Shape::Choice(words) = shape::at::<ClusterSpec>(&names) else {
        return None;
    };
    let near = match value {
        DeValue::String(given) => nearest(given, words.iter().copied()),
        _ => None,
    };
    Some(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", words.join(", ")),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', ", ")
}

/// serde's message without the names of Rust's types.
fn in_words(message: &str) -> String {
    let message = one_line(message);
    if let Some((what, _)) = message.split_once(", expected struct ") {
        return format!("{what}, expected a table");
    }
    message
        .replace("expected u16", "expected a number from 0 to 65535")
        .replace("expected u32", "expected a number from 0 to 4294967295")
        .replace("expected path string", "expected a path")
        .replace("expected a sequence", "expected a list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::{change_of, is_nobodys};

    fn refused(text: &str) -> String {
        parse(text, Path::new("mesosflow.toml"))
            .unwrap_err()
            .render(str::to_owned)
    }

    #[test]
    fn a_path_that_is_empty_is_refused_and_no_folder_is_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesosflow.toml");
        for (text, key) in [
            ("deploy_dir = ''\n", "`deploy_dir`"),
            ("mesos.url = ''\n", "`mesos.url`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let refused = read(&path, Path::new("mesosflow.toml")).unwrap_err();
            assert!(refused.render(str::to_owned).contains(&format!("{key} is empty")));
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
        insta::assert_snapshot!(refused("# demo\nmasters = 3\nslavs = 2\n"), @r"
        error: cannot use `mesosflow.toml`, line 3: unknown key `slavs`
          hint: did you mean `slaves`?
        ");
        insta::assert_snapshot!(refused("[mesos]\nsorce = 'git'\n"), @r"
        error: cannot use `mesosflow.toml`, line 2: unknown key `mesos.sorce`
          hint: did you mean `mesos.source`?
        ");
        insta::assert_snapshot!(refused("source = 'git'\n"), @r"
        error: cannot use `mesosflow.toml`, line 1: unknown key `source`
          hint: did you mean `mesos.source`?
        ");
        insta::assert_snapshot!(refused("[quux]\nzone = 1\n"));
        assert!(
            refused("z = 1\n[mesos]\nsorce = 1\n").contains("line 1: unknown key `z`"),
            "the first one counts"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_its_line_and_key() {
        insta::assert_snapshot!(refused("masters = 'three'\n"), @r#"error: cannot use `mesosflow.toml`, line 1: `masters`: invalid type: string "three", expected a number from 0 to 65535"#);
        insta::assert_snapshot!(refused("\n\n[mesos]\nsource = 'gti'\n"), @r"
        error: cannot use `mesosflow.toml`, line 4: `mesos.source`: unknown variant `gti`, expected one of `none`, `tarball`, `git`
          hint: did you mean `git`?
        ");
        insta::assert_snapshot!(refused("masters = -1\n"));
        insta::assert_snapshot!(refused("mesos = 3\n"));
    }

    const KEY: &str =
        "host_key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt9TsmTDRxb/zJtI6PBkEdS9jkdI9IQQcRmUp1dnz1Q'";

    /// A list of one host, the last line of which is `line`.
    fn host(line: &str) -> String {
        format!(
            "[hosts]\nidentity_file = 'k'\n\n[[hosts.nodes]]\nrole = 'master'\naddress = '192.0.2.1'\n{line}\n"
        )
    }

    #[test]
    fn a_key_of_a_listed_host_is_refused_like_any_other() {
        insta::assert_snapshot!(refused(&host("adress = '192.0.2.1'")), @r"
        error: cannot use `mesosflow.toml`, line 7: unknown key `hosts.nodes.adress`
          hint: did you mean `hosts.nodes.address`?
        ");
        insta::assert_snapshot!(refused(&host("[[hosts.nodes]]\nname = 'b'\nkey = 'x'")), @r"
        error: cannot use `mesosflow.toml`, line 9: unknown key `hosts.nodes.key`
          hint: did you mean `hosts.nodes.host_key`?
        ");
        insta::assert_snapshot!(refused("[[hosts.node]]\nrole = 'master'\n"), @r"
        error: cannot use `mesosflow.toml`, line 1: unknown key `hosts.node`
          hint: did you mean `hosts.nodes`?
        ");
        insta::assert_snapshot!(refused("hosts.nodes = [{ roll = 'master' }]\n"), @r"
        error: cannot use `mesosflow.toml`, line 1: unknown key `hosts.nodes.roll`
          hint: did you mean `hosts.nodes.role`?
        ");
    }

    #[test]
    fn a_value_of_a_listed_host_is_refused_with_its_line_and_key() {
        insta::assert_snapshot!(refused(&host("host_key = 'ssh-ed25519 AAAA'")), @r"error: cannot use `mesosflow.toml`, line 7: `hosts.nodes.host_key`: not an OpenSSH public key line: Base64 encoding error: invalid Base64 length");
        insta::assert_snapshot!(refused(&host("port = 70000")), @r"error: cannot use `mesosflow.toml`, line 7: `hosts.nodes.port`: invalid value: integer `70000`, expected a number from 0 to 65535");
        insta::assert_snapshot!(refused(&host(&format!("{KEY}\n[[hosts.nodes]]\nrole = 'salve'"))), @r"
        error: cannot use `mesosflow.toml`, line 9: `hosts.nodes.role`: unknown variant `salve`, expected one of `master`, `slave`, `zookeeper`
          hint: did you mean `slave`?
        ");
        insta::assert_snapshot!(refused(&host(&format!("{KEY}\n[[hosts.nodes]]\naddress = 'rack1'"))), @r"error: cannot use `mesosflow.toml`, line 9: `hosts.nodes.address`: invalid IP address syntax");
        insta::assert_snapshot!(refused(&host("")), @r"error: cannot use `mesosflow.toml`, line 4: `hosts.nodes`: missing field `host_key`");
        insta::assert_snapshot!(refused("hosts.nodes = 3\n"), @r"error: cannot use `mesosflow.toml`, line 1: `hosts.nodes`: invalid type: integer `3`, expected a list");
    }

    #[test]
    fn a_key_is_looked_for_from_the_home_folder_where_it_is_written_so() {
        let home = etcetera::home_dir().unwrap();
        assert_eq!(
            from_home("~/.ssh/id_ed25519".into()),
            home.join(".ssh/id_ed25519")
        );
        assert_eq!(from_home("keys/~/x".into()), Path::new("keys/~/x"));
        assert_eq!(from_home("~other/x".into()), Path::new("~other/x"));
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        insta::assert_snapshot!(refused("masters = 3\nslaves 2\n"));
        insta::assert_snapshot!(refused("masters = 3\nmasters = 4\n"));
    }

    #[test]
    fn the_keys_that_are_named_are_known_however_they_are_written() {
        let named = |text: &str| parse(text, Path::new("x")).unwrap().named;
        assert!(named("").is_empty());
        assert_eq!(
            named("hdfs.heap_mb = 300\nmasters = 1\n[ec2.volume]\nsize_gb = 3\n[ec2.tags]\na = 'b'\n"),
            ["masters", "hdfs.heap_mb", "ec2.volume.size_gb", "ec2.tags"]
        );
    }

    #[test]
    fn who_is_told_is_no_part_of_the_spec() {
        let text = "masters = 1\n[notify]\ncommand = 'mail'\nurl = 'https://hooks.example.org/S3CRET'\n";
        let parsed = parse(text, Path::new("x")).unwrap();
        assert_eq!(parsed.named, ["masters"]);
        let without = parse("masters = 1\n", Path::new("x")).unwrap();
        assert_eq!(parsed.spec, without.spec);
        let frozen = serde_json::to_string(&parsed.spec).unwrap();
        assert!(
            !frozen.contains("notify") && !frozen.contains("S3CRET"),
            "{frozen}"
        );
    }

    #[test]
    fn what_cannot_be_told_is_refused_with_where_and_what_to_do_and_without_the_secret() {
        for (text, error, hint) in [
            (
                "[notify]\n\nuri = 'S3CRET'\n",
                "line 3: unknown key `notify.uri`",
                "did you mean `notify.url`?",
            ),
            (
                "[notfy]\nurl = 'S3CRET'\n",
                "line 1: unknown key `notfy`",
                "did you mean `notify`?",
            ),
            (
                "notify = 'https://S3CRET'\n",
                "line 1: `notify` is no table",
                "write `[notify]`",
            ),
            (
                "[[notify]]\nurl = 'S3CRET'\n",
                "line 1: `notify` is no table",
                "write `[notify]`",
            ),
            (
                "[notify]\nurl = ['S3CRET']\n",
                "line 2: `notify.url` is no string",
                "quotes",
            ),
            (
                "[notify]\ncommand = 3\n",
                "line 2: `notify.command` is no string",
                "quotes",
            ),
            (
                "[notify]\ncommand = ' '\n",
                "line 2: `notify.command` is empty",
                "leave the key out",
            ),
            (
                "[notify]\ncommand = \"a\\u0000S3CRET\"\n",
                "line 2: `notify.command` holds a NUL",
                "name a command",
            ),
            (
                "[notify]\nurl = ''\n",
                "line 2: `notify.url` is empty",
                "leave the key out",
            ),
            (
                "[notify]\nurl = 'S3CRET'\n",
                "line 2: `notify.url` is no http:// or https:// URL",
                "name a whole URL",
            ),
            (
                "[notify]\nurl = 'https://u:S3CRET@h/'\n",
                "line 2: `notify.url` holds a name or password",
                "curl --netrc",
            ),
            ("[notify]\nurl = https://h/S3CRET\n", "line 2: ", ""),
        ] {
            let refused = refused(text);
            assert!(refused.contains(error) && refused.contains(hint), "{refused}");
            assert!(!refused.contains("S3CRET"), "{refused}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_names_nobody_and_says_so_where_it_should_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesosflow.toml");
        assert_eq!(channels(&path, false).unwrap().unread, None);
        assert!(
            channels(&path, true)
                .unwrap()
                .unread
                .unwrap()
                .contains("No such file")
        );
        std::fs::write(&path, "masters = \n").unwrap();
        assert!(channels(&path, false).unwrap().unread.unwrap().contains("line 1"));
        // What it says beside is a matter of who reads it.
        std::fs::write(&path, "mastrs = 1\n[notify]\ncommand = 'mail'\n").unwrap();
        let told = channels(&path, false).unwrap();
        assert!(told.unread.is_none() && !told.is_empty());
        std::fs::write(&path, "[notify]\ncommand = ''\n").unwrap();
        assert!(channels(&path, false).is_err());
    }

    /// A key that the spec gets has to be placed in the table of what can change.
    #[test]
    fn it_is_known_of_every_key_whether_it_can_change() {
        let mut known: Vec<&str> = config_keys().collect();
        let of_files = |key: &String| !is_nobodys(key);
        let mut keys: Vec<_> = shape::keys::<ClusterSpec>()
            .into_iter()
            .filter(of_files)
            .collect();
        for key in &keys {
            assert!(
                change_of(key).is_some(),
                "{key}: can it change while its cluster lives?"
            );
        }
        keys.retain(|key| !key.starts_with("hosts.nodes."));
        known.retain(|key| *key != "hosts.nodes");
        keys.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, keys);
    }

    #[test]
    fn whether_the_source_of_mesos_is_given_is_known() {
        let given = |text: &str| parse(text, Path::new("x")).unwrap().source_given;
        assert!(given("[mesos]\nsource = 'none'\n"));
        assert!(given("mesos.source = 'none'\n"));
        assert!(!given("[mesos]\npackages = ['curl']\n"));
        assert!(!given(""));
    }
}
