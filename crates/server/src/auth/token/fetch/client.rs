//! One `GET` of a small document, with bounds on everything. It goes where the configuration says
//! and nowhere else: an answer that sends it on is a failure.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls::{Connector, Trust};

/// The largest set of keys, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// How long it may take in all.
const WITHIN: Duration = Duration::from_secs(10);

/// What was had.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) body: Vec<u8>,
    /// How long it may be kept, if it says so.
    pub(super) cached_for: Option<Duration>,
}

/// Fetches a document.
///
/// # Errors
/// What went wrong, in words.
pub(super) async fn get(url: &str) -> Result<Got, String> {
    let late = |_elapsed| format!("there was no answer within {} s", WITHIN.as_secs());
    tokio::time::timeout(WITHIN, get_at_leisure(url)).await.map_err(late)?
}

async fn get_at_leisure(url: &str) -> Result<Got, String> {
    let uri: Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(|error| format!("it cannot be connected to: {error}"))?;
    if !is_secure {
        return ask(stream, &uri).await;
    }
    let stream = connector()?
        .connect(&host, stream)
        .await
        .map_err(|error| format!("there is no safe connection to it: {error}"))?;
    ask(stream, &uri).await
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: S, uri: &Uri) -> Result<Got, String> {
    let broken = |error: hyper::Error| format!("it does not speak HTTP: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json, application/jwk-set+json")
        .header(header::USER_AGENT, concat!("fanfare/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("it cannot be asked: {error}"))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response).await
    };
    tokio::pin!(connection);
    tokio::pin!(answered);
    tokio::select! {
        got = &mut answered => got,
        // Its last bytes may have been read already.
        _ended = &mut connection => answered.await,
    }
}

async fn read(response: http::Response<Incoming>) -> Result<Got, String> {
    let (head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => {}
        status if status.is_redirection() => {
            return Err(format!("it answered {status}, and redirects are not followed"));
        }
        status => return Err(format!("it answered {status}")),
    }
    let cached_for = head
        .headers
        .get(header::CACHE_CONTROL)
        .and_then(|value| cached_for(value.to_str().unwrap_or_default()));
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|_error| {
        format!("its answer broke off, or is larger than {} KiB", BODY_BYTES_MAX / 1024)
    })?;
    Ok(Got { body: body.to_bytes().to_vec(), cached_for })
}

/// How long an answer with this `Cache-Control` may be kept (RFC 9111 §5.2.2), if it says so.
fn cached_for(value: &str) -> Option<Duration> {
    let mut directives = value.split(',').map(|it| it.trim().to_ascii_lowercase());
    if directives.clone().any(|it| it == "no-store" || it == "no-cache") {
        return Some(Duration::ZERO);
    }
    directives.find_map(|it| {
        let seconds = it.strip_prefix("max-age=")?.trim_matches('"').parse().ok()?;
        Some(Duration::from_secs(seconds))
    })
}

/// What connects to whom this machine trusts.
fn connector() -> Result<&'static Connector, String> {
    static CONNECTOR: LazyLock<Result<Connector, String>> =
        LazyLock::new(|| Trust::System.connector().map_err(|error| format!("{error:#}")));
    CONNECTOR.as_ref().map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::cached_for;

    #[test]
    fn how_long_an_answer_may_be_kept() {
        for (value, seconds) in [
            ("max-age=600", Some(600)),
            ("public, max-age=60, must-revalidate", Some(60)),
            ("Max-Age=\"5\"", Some(5)),
            ("no-store", Some(0)),
            ("max-age=9, no-cache", Some(0)),
            ("private", None),
            ("max-age=-1", None),
            ("", None),
        ] {
            assert_eq!(cached_for(value), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
