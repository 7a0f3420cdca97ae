//! What operators ask: whether the process lives, whether it wants traffic, and its figures.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_protocol::native::cors::{self, AllowedOrigin};
use fanfare_protocol::native::problem::Problem;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::answer::{self, AnswerBody, Answered};
use super::{MetricsPlace, Shared};
use crate::metrics::scrape::TEXT_TYPE;

/// The answer, if the request is an operator's.
///
/// Host and Origin are not checked for `/health` and `/ready`: probes come by address, and a page
/// that reads them learns nothing.
pub(super) async fn answer(shared: &Shared, parts: &request::Parts) -> Option<Answered> {
    let path = parts.uri.path();
    let apart = shared.options.metrics == MetricsPlace::Apart;
    if !matches!(path, "/health" | "/ready" | "/metrics") || path == "/metrics" && apart {
        return None;
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let problem = Problem::of(Code::MethodNotAllowed);
        let mut refusal = answer::problem(&problem, &AllowedOrigin::None);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refusal);
    }
    if path == "/metrics"
        && let Err(problem) = check(shared, parts)
    {
        return Some(answer::problem(&problem, &AllowedOrigin::None));
    }
    Some(told(shared, path).await)
}

/// The answer on a listener of operators, where nobody else is answered.
pub(super) async fn answer_apart(shared: &Shared, parts: &request::Parts) -> Answered {
    let path = parts.uri.path();
    let problem = match (path, parts.method == Method::GET || parts.method == Method::HEAD) {
        ("/health" | "/ready" | "/metrics", true) => return told(shared, path).await,
        ("/health" | "/ready" | "/metrics", false) => Problem::of(Code::MethodNotAllowed),
        _ => Problem::new(
            Code::NotFound,
            "Operators find `/metrics`, `/health` and `/ready` here.",
            "Channels are read and written on the addresses of `listen`.",
        ),
    };
    answer::problem(&problem, &AllowedOrigin::None)
}

async fn told(shared: &Shared, path: &str) -> Answered {
    match path {
        "/health" => text(StatusCode::OK, PLAIN, "ok\n"),
        "/ready" if shared.drain.is_announced() => {
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "draining\n")
        }
        "/ready" => match shared.sources.log.as_ref().and_then(|log| log.complaint()) {
            // It serves what it has: a balancer keeps it, and whoever looks is told.
            Some(complaint) => text(StatusCode::OK, PLAIN, format!("ready, but {complaint}\n")),
            None => text(StatusCode::OK, PLAIN, "ready\n"),
        },
        _ => metrics(shared).await,
    }
}

fn check(shared: &Shared, parts: &request::Parts) -> Result<(), Problem> {
    let headers = super::handle::headers(parts);
    let head = super::handle::head(parts, &headers);
    cors::check(&head, &shared.policy).map(drop)
}

async fn metrics(shared: &Shared) -> Answered {
    match shared.sources.scrape().await {
        Ok(figures) => text(StatusCode::OK, TEXT_TYPE, figures),
        Err(error) => {
            tracing::error!(%error, "the figures could not be written");
            answer::problem(&Problem::of(Code::Internal), &AllowedOrigin::None)
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn text(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Answered {
    let mut answer = Response::new(AnswerBody::whole(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
