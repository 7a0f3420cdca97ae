//! The pages that people see: the try-it page of `dev`, and one that shows a channel.

use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::response::Media;
use http::{Method, request};

use super::answer::{self, Answered};

/// Whether there is a try-it page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// At `/`: `dev`.
    TryIt,
    /// Only those of channels: `serve`.
    Channels,
}

const TRY: &str = include_str!("../../pages/try.html");
const CHANNEL: &str = include_str!("../../pages/channel.html");

/// The page that shows channels; it finds their names in its own address.
pub(super) fn channel(allowed: &AllowedOrigin) -> Answered {
    page(CHANNEL, allowed)
}

/// What is served beside channels, if it is that.
pub(super) fn other(
    parts: &request::Parts,
    pages: Pages,
    allowed: &AllowedOrigin,
) -> Option<Answered> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    match parts.uri.path() {
        "/" if pages == Pages::TryIt => Some(page(TRY, allowed)),
        // A browser asks for it beside every page, and shows a refusal as an error of the page.
        "/favicon.ico" => Some(answer::empty(204, None, allowed)),
        _ => None,
    }
}

fn page(html: &'static str, allowed: &AllowedOrigin) -> Answered {
    answer::whole(Media::Html, html, None, allowed)
}
