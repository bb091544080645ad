//! Files and trees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use mesosflow_steps::remote::{ModePolicy, RemoteError, TreeOptions};
use tempfile::TempDir;

use super::sshd::Sshd;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn bytes_replace_a_file_whole() {
    let server = Sshd::start();
    let session = server.session().await;
    let path = server.path("deep/er/it's a file");
    let text = path.to_str().unwrap();
    assert_eq!(session.file_digest(text).await.unwrap(), None);
    session.upload_bytes(text, "one", 0o600).await.unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o600));
    session
        .upload_bytes(text, vec![0_u8; 3_000_000], 0o755)
        .await
        .unwrap();
    assert_eq!((fs::read(&path).unwrap().len(), mode(&path)), (3_000_000, 0o755));
    session.upload_bytes(text, "", 0o644).await.unwrap();
    assert_eq!(session.download(text, 10).await.unwrap(), b"");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(session.file_digest(text).await.unwrap().as_deref(), Some(empty));
    assert_eq!(
        names(path.parent().unwrap()),
        ["it's a file"],
        "temporary files remain"
    );
}

#[tokio::test]
async fn a_file_never_goes_into_a_folder_of_its_name() {
    let server = Sshd::start();
    let session = server.session().await;
    fs::create_dir(server.path("folder")).unwrap();
    let error = session
        .upload_bytes(&server.text("folder"), "x", 0o644)
        .await
        .unwrap_err();
    assert_eq!(error.exit_status(), Some(1), "{error}");
    assert!(names(&server.path("folder")).is_empty());
}

#[tokio::test]
async fn a_download_is_bounded() {
    let server = Sshd::start();
    let session = server.session().await;
    fs::write(server.path("file"), vec![7; 100_000]).unwrap();
    assert_eq!(
        session.download(&server.text("file"), 100_000).await.unwrap(),
        vec![7; 100_000]
    );
    let error = session.download(&server.text("file"), 99_999).await.unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { .. }), "{error}");
    let error = session.download(&server.text("nothing"), 10).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn a_large_file_arrives_as_it_is() {
    let server = Sshd::with_options("RekeyLimit 30M");
    let session = server.session().await;
    let content: Vec<u8> = (0..120_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(server.path("source"), &content).unwrap();
    session
        .upload_file(&server.path("source"), &server.text("copy"), 0o640)
        .await
        .unwrap();
    assert!(fs::read(server.path("copy")).unwrap() == content);
    assert_eq!(mode(&server.path("copy")), 0o640);
    let error = session
        .upload_file(&server.path("nothing"), &server.text("copy"), 0o640)
        .await
        .unwrap_err();
    assert!(matches!(error, RemoteError::Local { .. }), "{error}");
}

fn sample_tree() -> TempDir {
    let tree = TempDir::new().unwrap();
    let root = tree.path();
    fs::create_dir_all(root.join("conf/empty")).unwrap();
    fs::write(root.join("conf/a.xml"), "<a/>").unwrap();
    fs::write(root.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(root.join("conf/a.xml"), fs::Permissions::from_mode(0o600)).unwrap();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    fs::create_dir(root.join("d".repeat(120))).unwrap();
    fs::write(root.join(long), "long").unwrap();
    symlink("conf/a.xml", root.join("link")).unwrap();
    tree
}

#[tokio::test]
async fn a_tree_is_laid_out_and_what_it_lacks_is_deleted_only_on_request() {
    let server = Sshd::start();
    let session = server.session().await;
    let tree = sample_tree();
    let (target, text) = (server.path("target/tree"), server.text("target/tree"));
    session
        .upload_tree(tree.path(), &text, TreeOptions::default())
        .await
        .unwrap();
    assert_eq!(fs::read(target.join("conf/a.xml")).unwrap(), b"<a/>");
    assert_eq!((mode(&target), mode(&target.join("conf"))), (0o755, 0o755));
    assert_eq!(
        (mode(&target.join("conf/a.xml")), mode(&target.join("run.sh"))),
        (0o644, 0o755)
    );
    assert_eq!(
        fs::read_link(target.join("link")).unwrap(),
        Path::new("conf/a.xml")
    );
    assert_eq!(
        fs::read(target.join("d".repeat(120)).join("f".repeat(120))).unwrap(),
        b"long"
    );
    assert!(target.join("conf/empty").is_dir());

    fs::write(target.join("extra"), "kept").unwrap();
    fs::write(target.join("conf/a.xml"), "<b/>").unwrap();
    session
        .upload_tree(
            tree.path(),
            &text,
            TreeOptions {
                modes: ModePolicy::Keep,
                delete: false,
            },
        )
        .await
        .unwrap();
    assert_eq!(fs::read(target.join("conf/a.xml")).unwrap(), b"<a/>");
    assert_eq!(mode(&target.join("conf/a.xml")), 0o600);
    assert!(target.join("extra").exists());

    session
        .upload_tree(
            tree.path(),
            &text,
            TreeOptions {
                delete: true,
                ..Default::default()
            },
        )
        .await
        .unwrap();
    assert!(!target.join("extra").exists());
    assert_eq!(names(target.parent().unwrap()), ["tree"], "staging remains");
}

#[tokio::test]
async fn folders_that_exist_keep_their_mode_and_links_to_folders_stay() {
    let server = Sshd::start();
    let session = server.session().await;
    let tree = sample_tree();
    let target = server.path("target");
    fs::create_dir(&target).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(server.path("elsewhere")).unwrap();
    symlink("../elsewhere", target.join("conf")).unwrap();
    session
        .upload_tree(tree.path(), &server.text("target/"), TreeOptions::default())
        .await
        .unwrap();
    assert_eq!(mode(&target), 0o700);
    assert!(target.join("conf").is_symlink());
    assert_eq!(fs::read(server.path("elsewhere/a.xml")).unwrap(), b"<a/>");
    let error = session
        .upload_tree(
            TempDir::new().unwrap().path(),
            "/",
            TreeOptions {
                delete: true,
                ..Default::default()
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.exit_status(), Some(64), "{error}");
}
