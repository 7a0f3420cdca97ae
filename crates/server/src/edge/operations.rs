//! What operators ask: whether the process lives, whether it wants traffic, and its figures.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_protocol::native::cors::{self, AllowedOrigin};
use fanfare_protocol::native::problem::Problem;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::Shared;
use super::answer::{self, AnswerBody, Answered};
use crate::metrics::scrape::TEXT_TYPE;

/// The answer, if the request is an operator's.
///
/// Host and Origin are not checked for `/health` and `/ready`: probes come by address, and a page
/// that reads them learns nothing.
pub(super) async fn answer(shared: &Shared, parts: &request::Parts) -> Option<Answered> {
    let path = parts.uri.path();
    if !matches!(path, "/health" | "/ready" | "/metrics") {
        return None;
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let problem = Problem::of(Code::MethodNotAllowed);
        let mut refusal = answer::problem(&problem, &AllowedOrigin::None);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(refusal);
    }
    Some(match path {
        "/health" => text(StatusCode::OK, PLAIN, "ok\n"),
        "/ready" if shared.drain.is_announced() => {
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "draining\n")
        }
        "/ready" => match shared.sources.log.as_ref().and_then(|log| log.complaint()) {
            // It serves what it has: a balancer keeps it, and whoever looks is told.
            Some(complaint) => text(StatusCode::OK, PLAIN, format!("ready, but {complaint}\n")),
            None => text(StatusCode::OK, PLAIN, "ready\n"),
        },
        _ => metrics(shared, parts).await,
    })
}

async fn metrics(shared: &Shared, parts: &request::Parts) -> Answered {
    let headers = super::handle::headers(parts);
    let head = super::handle::head(parts, &headers);
    if let Err(problem) = cors::check(&head, &shared.policy) {
        return answer::problem(&problem, &AllowedOrigin::None);
    }
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
