//! Which coding a reader is given (RFC 9110 §12.5.3).

use fanfare_core::frame::Coding;

use crate::native::head::Head;

/// What an answer says of the coding of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentCoding {
    /// It is never anything but the plain one.
    #[default]
    Fixed,
    /// It depends on what the request accepts, and is this.
    Chosen(Option<Coding>),
}

impl ContentCoding {
    /// The same for a body that is sent as it is.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Fixed => Self::Fixed,
            Self::Chosen(_) => Self::Chosen(None),
        }
    }

    /// The value of `Content-Encoding`, if the body has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Chosen(Some(Coding::Gzip)) => Some("gzip"),
            Self::Chosen(Some(Coding::Zstd)) => Some("zstd"),
            Self::Chosen(Some(Coding::Deflate) | None) | Self::Fixed => None,
        }
    }
}

/// The coding that a request likes best of those that there are; none if it accepts none, or likes
/// the plain one better. Of two that it likes as much, the one that costs less.
pub(crate) fn accepted(head: &Head<'_>) -> Option<Coding> {
    let (mut gzip, mut zstd, mut identity, mut any) = (None, None, None, None);
    for element in head.list("accept-encoding") {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        let place = match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            name if name.eq_ignore_ascii_case("zstd") => &mut zstd,
            name if name.eq_ignore_ascii_case("identity") => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *place = Some(weight(parameters));
    }
    let likes = |named: Option<u16>| named.or(any).unwrap_or(0);
    let (gzip, zstd) = (likes(gzip), likes(zstd));
    let (best, coding) = if gzip > zstd { (gzip, Coding::Gzip) } else { (zstd, Coding::Zstd) };
    (best > 0 && best >= identity.unwrap_or(0)).then_some(coding)
}

/// A weight in thousandths; one that cannot be read is none.
fn weight(parameters: &str) -> u16 {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(text) = weight else { return 1_000 };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => 1_000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}
