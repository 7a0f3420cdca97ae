//! Keys from a URL: fetched, kept while they cannot be, and never from anywhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare_protocol::native::head::{Head, Version};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::super::algorithm::{Algorithm, KeyKind};
use super::super::{Tokens, fetch};
use super::{NOW_SECONDS, Pair, issuer, taking};
use crate::auth::tests::Rules;
use crate::edge::{drain, unix_millis};

/// Answers one request after the other, with what `answer` says for its number; counts them.
async fn serve(answer: impl Fn(usize) -> String + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    TaskTracker::new().spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _read = socket.read(&mut head).await;
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let _gone = socket.write_all(answer(number).as_bytes()).await;
            let _gone = socket.shutdown().await;
        }
    });
    (url, count)
}

/// Answers one request, when it is told to.
async fn serve_once(ready: &Arc<Notify>, answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let ready = Arc::clone(ready);
    TaskTracker::new().spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _read = socket.read(&mut [0; 4096]).await;
        ready.notified().await;
        socket.write_all(answer.as_bytes()).await.unwrap();
        let _gone = socket.shutdown().await;
    });
    url
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn keys(pairs: &[(&Pair, &str)]) -> String {
    let keys: Vec<_> = pairs.iter().map(|(pair, kid)| pair.named(kid)).collect();
    json!({"keys": keys}).to_string()
}

fn at(url: &str) -> Tokens {
    taking([super::IssuerParts { url: Some(url.to_owned()), ..issuer(super::KeySet::default()) }])
}

fn token(pair: &Pair, kid: &str) -> String {
    let claims = json!({"sub": "ada", "exp": NOW_SECONDS * 2}).to_string();
    pair.signing.token(Algorithm::Es256, Some(kid), &claims).unwrap()
}

fn holds(tokens: &Tokens, token: &str) -> bool {
    tokens.verify(token.as_bytes(), unix_millis()).is_ok()
}

/// Waits until keys have been fetched, or not.
async fn round(rounds: &mut crate::auth::Rounds) {
    timeout(Duration::from_secs(20), rounds.0.changed()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_first_used_and_old_ones_stay_when_that_fails() {
    let (old, new) = (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256));
    let (by_old, by_new) = (token(&old, "old"), token(&new, "new"));
    let (first, second) = (keys(&[(&old, "old")]), keys(&[(&old, "old"), (&new, "new")]));
    let (url, count) = serve(move |number| match number {
        0 => answer("200 OK", "Cache-Control: max-age=3600\r\n", &first),
        1 => answer("200 OK", "", &second),
        _ => answer("500 Internal Server Error", "", "no"),
    })
    .await;
    let tokens = Arc::new(at(&url));
    let mut rounds = tokens.rounds();
    let (_switch, drain) = drain();
    let tracker = TaskTracker::new();
    fetch::start(&tokens, &drain, &tracker);
    round(&mut rounds).await;
    assert!(holds(&tokens, &by_old));
    let failure = tokens.verify(by_new.as_bytes(), unix_millis()).unwrap_err();
    assert!(failure.may_pass(), "{failure}");
    assert_eq!(failure.to_string(), "no key with kid new; the keys are fetched again");
    round(&mut rounds).await;
    assert!(holds(&tokens, &by_new) && holds(&tokens, &by_old));
    // Unknown names do not have them fetched again and again.
    for number in 0..100 {
        assert!(!holds(&tokens, &token(&new, &format!("k{number}"))));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // A third fetch fails, and those at hand go on.
    tokens.issuers[0].remote.as_ref().unwrap().wanted.notify_one();
    round(&mut rounds).await;
    assert!(holds(&tokens, &by_new) && holds(&tokens, &by_old));
    let (name, age, outcomes) = tokens.fetched(unix_millis()).next().unwrap();
    assert_eq!((name, outcomes), ("app", [2, 1]));
    assert!(age.unwrap() < 60);
}

#[tokio::test]
async fn who_waits_for_the_keys_of_one_issuer_is_not_refused_when_those_of_another_have_come() {
    let (quick, slow) = (Pair::new(KeyKind::P256), Pair::new(KeyKind::P256));
    let (theirs, ours) = (keys(&[(&quick, "k")]), keys(&[(&slow, "k")]));
    let (quick_url, _) = serve(move |_| answer("200 OK", "", &theirs)).await;
    let ready = Arc::new(Notify::new());
    let slow_url = serve_once(&ready, answer("200 OK", "", &ours)).await;
    let fetched = |name: &str, url: String| super::IssuerParts {
        name: name.to_owned(),
        issuer: Some(name.to_owned()),
        url: Some(url),
        ..issuer(super::KeySet::default())
    };
    let tokens = Arc::new(taking([fetched("quick", quick_url), fetched("slow", slow_url)]));
    let access = crate::auth::tests::keyed(Rules::default(), []);
    let access = access.with_tokens(Some(Arc::clone(&tokens)));
    let claims = json!({"iss": "slow", "sub": "ada", "exp": NOW_SECONDS * 2}).to_string();
    let token = slow.signing.token(Algorithm::Es256, Some("k"), &claims).unwrap();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_bytes())];
    let head = Head::new("GET", "/c/a", Version::Http11, &headers);
    let mut rounds = tokens.rounds();
    let (_switch, drain) = drain();
    fetch::start(&tokens, &drain, &TaskTracker::new());
    let asking = access.sender_in_time(&head, unix_millis);
    let helping = async {
        round(&mut rounds).await;
        ready.notify_one();
    };
    let (caller, ()) = tokio::join!(asking, helping);
    assert_eq!(caller.user().map(|user| &**user), Some("slow:ada"));
}

#[tokio::test]
async fn keys_are_had_from_the_url_and_from_nowhere_else() {
    let pair = Pair::new(KeyKind::P256);
    let body = keys(&[(&pair, "k1")]);
    let set = body.clone();
    let (private, reached) = serve(move |_| answer("200 OK", "", &set)).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: {private}\r\n");
        let set = body.clone();
        let (url, asked) = serve(move |_| answer(status, &location, &set)).await;
        let tokens = at(&url);
        let troubles = fetch::once(&tokens).await;
        assert!(troubles[0].contains("redirects are not followed"), "{troubles:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(!holds(&tokens, &token(&pair, "k1")), "nor is its body taken");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0, "nobody went there");
    let tokens = at(&private);
    assert_eq!(fetch::once(&tokens).await, Vec::<String>::new());
    assert!(holds(&tokens, &token(&pair, "k1")));
}

#[tokio::test]
async fn what_cannot_be_a_set_of_keys_is_refused_in_words() {
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "y".repeat(300 * 1024));
    for (told, words) in [
        (answer("200 OK", "", "<html>"), "no set of keys in JSON"),
        (answer("200 OK", "", "{\"keys\":[]}"), "none of its keys can check"),
        (answer("200 OK", "", &huge), "larger than 256 KiB"),
        (answer("404 Not Found", "", "{}"), "it answered 404"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned(), "broke off"),
        ("no HTTP\r\n\r\n".to_owned(), "does not speak HTTP"),
        (String::new(), "does not speak HTTP"),
    ] {
        let (url, _) = serve(move |_| told.clone()).await;
        let troubles = fetch::once(&at(&url)).await;
        assert!(troubles[0].contains(words), "{words}: {troubles:?}");
    }
    let troubles = fetch::once(&at("http://127.0.0.1:1/keys")).await;
    assert!(troubles[0].contains("cannot be connected to"), "{troubles:?}");
}
