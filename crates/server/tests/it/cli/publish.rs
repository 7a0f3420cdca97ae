//! `pub` sends exactly what it was given, and says where it went.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

use super::fake::{Fake, Received, answer, scene};
use super::run::{Folder, fanfare, finish, run, run_with_stdin};
use crate::server::Server;

/// A server that accepts every publication of one connection and tells what it got.
fn accepting() -> (Fake, Receiver<Received>) {
    let (sender, receiver) = sync_channel(100);
    let fake = Fake::start(vec![scene(move |mut socket: TcpStream| {
        let mut reading = BufReader::new(socket.try_clone().unwrap());
        let mut offset = 0;
        while let Some(received) = Received::read(&mut reading) {
            offset += 1;
            sender.send(received).unwrap();
            let body = format!(r#"{{"channel":"c","offset":{offset},"epoch":"e1","cursor":"~1"}}"#);
            answer(&mut socket, "200 OK", "", &body);
        }
    })]);
    (fake, receiver)
}

#[test]
fn an_argument_is_published_with_all_its_options() {
    let (fake, receiver) = accepting();
    let url = fake.url();
    let arguments = [
        "pub",
        "a/b",
        "n{{n}}",
        "--url",
        &url,
        "--event",
        "e v",
        "--tags",
        "x,y",
        "--ttl",
        "30s",
        "--key",
        "k-{{n}}",
        "--json",
        "--count",
        "2",
        "--publisher-key",
        "secret",
    ];
    let outcome = run(&arguments);
    fake.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.text(), "1.e1\n2.e1\n");
    for (number, received) in receiver.iter().enumerate() {
        let number = number + 1;
        let query = format!("channel=a%2Fb&event=e%20v&tags=x%2Cy&ttl=30s&key=k-{number}");
        assert_eq!(received.line, format!("POST /c?{query} HTTP/1.1"));
        assert_eq!(received.body, format!("n{number}").into_bytes());
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("authorization"), Some("Bearer secret"));
    }
}

#[test]
fn stdin_is_one_message_a_line() {
    let (fake, receiver) = accepting();
    let url = fake.url();
    let outcome = run_with_stdin(&["pub", "c", "--url", &url], "a\r\n\nü {{n}}\nlast".as_bytes());
    fake.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let bodies: Vec<_> = receiver.iter().map(|received| received.body).collect();
    assert_eq!(bodies, ["a".as_bytes(), b"", "ü 3".as_bytes(), b"last"]);
}

#[test]
fn the_channel_is_closed_after_the_last_message() {
    for (data, messages) in [(Some("only"), &["only"][..]), (None, &["one", "two"])] {
        let (fake, receiver) = accepting();
        let url = fake.url();
        let mut arguments = vec!["pub", "c", "--end", "--url", &url];
        arguments.extend(data);
        let outcome = match data {
            Some(_) => run(&arguments),
            None => run_with_stdin(&arguments, b"one\ntwo\n"),
        };
        fake.finish();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(outcome.text().lines().count(), messages.len(), "the end is no message");
        let received: Vec<_> = receiver.iter().collect();
        let (end, published) = received.split_last().unwrap();
        let bodies: Vec<_> = published.iter().map(|received| &received.body[..]).collect();
        assert_eq!(bodies, messages.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        assert!(published.iter().all(|received| !received.line.contains("end=")));
        assert_eq!(end.line, "POST /c?channel=c&end=1 HTTP/1.1");
        assert_eq!((&end.body[..], end.header("content-type")), (&b""[..], None));
    }
}

#[test]
fn a_closed_channel_refuses_to_be_closed_again() {
    let server = Server::dev(&[]);
    let url = format!("http://{}", server.address());
    let first = run(&["pub", "c", "last", "--end", "--url", &url]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let read = run(&["sub", "c", "--since", "all", "--url", &url]);
    assert_eq!((read.code, read.text()), (Some(0), "last\n".to_owned()), "{}", read.stderr);
    let again = run(&["pub", "c", "--end", "--url", &url]);
    assert_eq!(again.code, Some(4));
    assert!(again.stderr.contains("channel-ended"), "{}", again.stderr);
}

#[test]
fn a_file_is_published_byte_by_byte() {
    let folder = Folder::new();
    for (bytes, content_type) in
        [(&b"\0\xff\r\n{{n}}"[..], Some("application/octet-stream")), (b"text {{n}}\n", None)]
    {
        let path = folder.path().join("payload");
        std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        let (fake, receiver) = accepting();
        let outcome = run(&["pub", "c", "--url", &fake.url(), "--file", path.to_str().unwrap()]);
        fake.finish();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let received = receiver.recv().unwrap();
        assert_eq!(received.body, bytes);
        assert_eq!(received.header("content-type"), content_type);
    }
}

#[test]
fn url_and_key_come_from_the_environment() {
    let (fake, receiver) = accepting();
    let mut command = fanfare(&["pub", "c", "x"]);
    command.env("FANFARE_URL", fake.url()).env("FANFARE_KEY", "from-env");
    let outcome = finish(command.spawn().unwrap());
    fake.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let received = receiver.recv().unwrap();
    assert_eq!(received.header("authorization"), Some("Bearer from-env"));
}

#[test]
fn with_a_key_a_cut_before_the_answer_is_repaired_and_without_one_it_is_told() {
    for (flags, code) in [(&["--key", "k"][..], 0), (&[], 1)] {
        let cut = scene(|socket| {
            Received::only(&socket);
        });
        let mut scenes = vec![cut];
        if code == 0 {
            scenes.push(scene(|mut socket| {
                Received::only(&socket);
                let body = r#"{"channel":"c","offset":7,"epoch":"e1","duplicate":true}"#;
                answer(&mut socket, "200 OK", "", body);
            }));
        }
        let fake = Fake::start(scenes);
        let url = fake.url();
        let outcome = run(&[&["pub", "c", "x", "--url", &url], flags].concat());
        fake.finish();
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        if code == 0 {
            assert_eq!(outcome.text(), "7.e1\n");
            assert!(outcome.stderr.contains("published before"), "{}", outcome.stderr);
        } else {
            assert!(outcome.stderr.contains("unknown whether"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn failures_have_their_codes() {
    for (status, code) in [("403 Forbidden", 4), ("507 Insufficient Storage", 1)] {
        let fake = Fake::start(vec![scene(move |mut socket| {
            Received::only(&socket);
            answer(&mut socket, status, "", r#"{"code":"no","title":"why not"}"#);
        })]);
        let outcome = run(&["pub", "c", "x", "--url", &fake.url()]);
        fake.finish();
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("why not"), "{}", outcome.stderr);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for arguments in [["pub", "c", "x"], ["sub", "c", "--json"], ["history", "c", "--raw"]] {
        let outcome = run(&[&arguments[..], &["--url", &url]].concat());
        assert_eq!(outcome.code, Some(3));
        assert!(outcome.stderr.contains("`fanfare dev`"), "{}", outcome.stderr);
    }
    for url in ["ftp://127.0.0.1:1", "nonsense"] {
        assert_eq!(run(&["pub", "c", "x", "--url", url]).code, Some(2));
    }
    assert_eq!(run(&["pub", "c", "--count", "2"]).code, Some(2));
    assert_eq!(run(&["pub", "c", "x", "--every", "5"]).code, Some(2));
}
