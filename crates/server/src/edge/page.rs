//! The pages that people see: the try-it page of `dev`, the examples of `demo`, and one that shows a
//! channel.

use bytes::Bytes;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::response::{Media, ResponseHead};
use http::{Method, request};

use super::answer::{self, AnswerBody, Answered};
use crate::demo::{self, Found};

/// Which pages there are beside those of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// The try-it page at `/`: `dev`.
    TryIt,
    /// The examples at `/`, and the try-it page at `/try`: `demo`.
    Examples,
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
        "/try" if pages == Pages::Examples => Some(page(TRY, allowed)),
        // A browser asks for it beside every page, and shows a refusal as an error of the page.
        "/favicon.ico" => Some(answer::empty(204, None, allowed)),
        path if pages == Pages::Examples => example(path, allowed),
        _ => None,
    }
}

fn example(path: &str, allowed: &AllowedOrigin) -> Option<Answered> {
    match demo::find(path)? {
        Found::File(file) => {
            let media = media_of(file.path);
            Some(answer::whole(media, file.content, None, allowed))
        }
        Found::Folder(path) => Some(elsewhere(&path, allowed)),
    }
}

/// What was asked for stands under another path.
pub(super) fn elsewhere(path: &str, allowed: &AllowedOrigin) -> Answered {
    let location = [("Location", path)];
    let mut head = ResponseHead::new(307, Media::None, allowed);
    head.extra = &location;
    answer::with_head(&head, AnswerBody::whole(Bytes::new()))
}

/// By the ending, which is how a folder of files says it.
fn media_of(path: &str) -> Media {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => Media::Html,
        Some("css") => Media::Css,
        Some("js") => Media::JavaScript,
        Some("svg") => Media::Svg,
        _ => Media::PlainText,
    }
}

fn page(html: &'static str, allowed: &AllowedOrigin) -> Answered {
    answer::whole(Media::Html, html, None, allowed)
}
