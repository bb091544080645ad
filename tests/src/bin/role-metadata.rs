//! EC2's metadata service for a container of the boot script's own tests, version 2 of it alone: a token first, 401 without.
//!
//!     role-metadata FOLDER        answers at 169.254.169.254:80 of the network that it is started in
//!
//! What is at `/latest/meta-data/PATH` is the file `FOLDER/PATH`; `FOLDER/PATH.hang` beside it has it never answered, and `FOLDER/PATH.500`
//! answered by a page. `token.hang`, `token.500` and a file `token` do the same to the request for a token. Standard output has a
//! line once it answers.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

const TOKEN: &str = "AQAEAD-of-this-container==";
const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body><h1>Something is wrong</h1></body></html>\n";

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("which folder?"));
    };
    let listener = TcpListener::bind("169.254.169.254:80")?;
    std::io::stdout().write_all(b"answers\n")?;
    for stream in listener.incoming().flatten() {
        let folder = folder.clone();
        std::thread::spawn(move || {
            // Whoever asks may go at any moment.
            let _gone = serve(&stream, &folder);
        });
    }
    Ok(())
}

/// Answers what comes by one connection, one after the other.
fn serve(stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(first) = lines.next().transpose()? {
        let mut headers = BTreeMap::new();
        while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
        let (status, body) = answer(folder, &first, &headers);
        let head = format!(
            "HTTP/1.1 {status} It is so\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut out = stream;
        out.write_all(head.as_bytes())?;
        out.write_all(&body)?;
    }
    Ok(())
}

fn answer(folder: &Path, first: &str, headers: &BTreeMap<String, String>) -> (u16, Vec<u8>) {
    let header = |name: &str| headers.get(name).map(String::as_str);
    let mut words = first.split(' ');
    match (words.next(), words.next()) {
        (Some("PUT"), Some("/latest/api/token")) => {
            let life = header("x-aws-ec2-metadata-token-ttl-seconds").and_then(|life| life.parse().ok());
            if headers.contains_key("x-forwarded-for")
                || !life.is_some_and(|life| (1..=21_600).contains(&life))
            {
                return (400, PAGE.to_vec());
            }
            match at(folder, "token") {
                (404, _) => (200, TOKEN.into()),
                other => other,
            }
        }
        (Some("GET"), Some(path)) if header("x-aws-ec2-metadata-token") == Some(TOKEN) => {
            match path.strip_prefix("/latest/meta-data/") {
                Some(path) => at(folder, path),
                None => (404, PAGE.to_vec()),
            }
        }
        _ => (401, PAGE.to_vec()),
    }
}

fn at(folder: &Path, path: &str) -> (u16, Vec<u8>) {
    let beside = |what: &str| folder.join(format!("{path}.{what}")).exists();
    if beside("hang") {
        loop {
            std::thread::park();
        }
    }
    match std::fs::read(folder.join(path)) {
        _ if beside("500") => (500, PAGE.to_vec()),
        Ok(text) => (200, text),
        Err(_) => (404, PAGE.to_vec()),
    }
}
