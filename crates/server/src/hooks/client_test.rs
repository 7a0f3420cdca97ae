//! A backend that is slow, dead or lying costs no more than its bounds, and is told in words.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{Client, Failure, Message};
use crate::hooks::{Endpoint, Secret, Signer};
use crate::tls::Trust;

/// How long a client waits for an answer that will not come.
const WITHIN: Duration = Duration::from_millis(300);

/// One that waits longer than any machine is busy.
fn client() -> Client {
    client_within(Duration::from_secs(20))
}

fn client_within(within: Duration) -> Client {
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    Client::new(Signer::new(&[secret]), None, within).unwrap()
}

fn message() -> Message {
    Message { id: "msg_1".to_owned(), body: Bytes::from_static(b"{\"a\":1}") }
}

/// Reads one request, and gives its head in lower case.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"{\"a\":1}") {
        if socket.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        read.extend_from_slice(&byte);
    }
    Some(String::from_utf8(read).unwrap().to_ascii_lowercase())
}

/// A backend that answers each request of each connection with these bytes in turn, and ends a
/// connection when there are no more; gives where it is.
async fn backend(
    connections: Vec<Vec<&'static str>>,
) -> (Endpoint, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = TaskTracker::new().spawn(async move {
        let mut requests = Vec::new();
        for answers in connections {
            let (mut socket, _) = listener.accept().await.unwrap();
            for answer in answers {
                let Some(request) = request(&mut socket).await else { break };
                requests.push(request);
                if answer == "wait" {
                    tokio::time::sleep(WITHIN * 3).await;
                } else {
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
        requests
    });
    (Endpoint::parse(&format!("http://{address}/hook")).unwrap(), serving)
}

const YES: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_connection_is_kept_and_a_stale_one_is_made_anew() {
    let (endpoint, serving) = backend(vec![vec![YES, YES], vec![YES]]).await;
    let client = client();
    for _ in 0..2 {
        assert_eq!(client.post(&endpoint, &message(), 100).await.unwrap(), "{}");
    }
    // The backend has ended it by now, or is about to.
    assert_eq!(client.post(&endpoint, &message(), 100).await.unwrap(), "{}");
    let requests = serving.await.unwrap();
    assert_eq!(requests.len(), 3);
    for wanted in [
        "post /hook http/1.1\r\n",
        "\r\ncontent-type: application/json\r\n",
        "\r\nwebhook-id: msg_1\r\n",
        "\r\nwebhook-signature: v1,",
        "\r\nwebhook-timestamp: ",
        "\r\nhost: 127.0.0.1:",
    ] {
        assert!(requests[0].contains(wanted), "{wanted} in {}", requests[0]);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_in_words() {
    for (answer, expected) in [
        ("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "it answered 500 Internal Server Error"),
        (
            "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "it answered 302 Found, and redirects are not followed",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", "broke off"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        ("SSH-2.0-OpenSSH_9\r\n\r\n", "broke off"),
        ("", "broke off"),
        ("wait", "no answer within 300ms"),
    ] {
        let (endpoint, serving) = backend(vec![vec![answer]]).await;
        let client = if answer == "wait" { client_within(WITHIN) } else { client() };
        let failure = client.post(&endpoint, &message(), 100).await.unwrap_err();
        assert!(failure.to_string().contains(expected), "{answer:?}: {failure}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_backend_that_is_dead_is_told_at_once_and_bytes_without_end_are_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint = Endpoint::parse(&format!("http://{address}/")).unwrap();
    let failure = client().post(&endpoint, &message(), 100).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let serving = TaskTracker::new().spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        // As long as somebody takes it.
        while socket.write_all(b"10\r\n0123456789abcdef\r\n").await.is_ok() {
            sent += 16;
        }
        sent
    });
    let failure = client().post(&endpoint, &message(), 4096).await.unwrap_err();
    assert!(matches!(failure, Failure::TooLarge(4096)), "{failure}");
    assert!(serving.await.unwrap() >= 4096);
}

#[tokio::test]
async fn a_backend_over_tls_has_to_show_who_it_is() {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let path = std::env::temp_dir().join(format!("fanfare-hooks-{}.pem", fastrand::u64(..)));
    std::fs::write(&path, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let shown = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(shown));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _serving = TaskTracker::new().spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // One that is not believed is left in the handshake.
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let mut read = [0; 4096];
            let _some = socket.read(&mut read).await.unwrap();
            socket.write_all(YES.as_bytes()).await.unwrap();
        }
    });
    let endpoint = |host: &str| Endpoint::parse(&format!("https://{host}:{port}/hook")).unwrap();
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let within = Duration::from_secs(10);
    let client = |trust: Option<&Trust>| {
        Client::new(Signer::new(std::slice::from_ref(&secret)), trust, within).unwrap()
    };
    let trusting = client(Some(&Trust::File(path.clone())));
    assert_eq!(trusting.post(&endpoint("localhost"), &message(), 100).await.unwrap(), "{}");
    for (client, host) in [(trusting, "127.0.0.1"), (client(None), "localhost")] {
        let failure = client.post(&endpoint(host), &message(), 100).await.unwrap_err();
        assert!(matches!(failure, Failure::Unsafe(_)), "{host}: {failure}");
    }
    std::fs::remove_file(&path).unwrap();
}
