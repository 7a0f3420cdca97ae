//! Subprotocols: what a client offers in `Sec-WebSocket-Protocol` and what is selected of it.

use super::refusal::Refusal;

/// The most subprotocols one handshake may offer.
pub const PROTOCOLS_OFFERED_MAX: usize = 64;

/// The subprotocols of the native protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subprotocol {
    /// `fanfare.raw`: payloads both ways, as without a subprotocol.
    Raw,
    /// `fanfare.v1`: JSON text frames.
    V1,
}

impl Subprotocol {
    /// The name, as it is offered and echoed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "fanfare.raw",
            Self::V1 => "fanfare.v1",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Raw, Self::V1].into_iter().find(|known| known.name() == name)
    }
}

/// What a handshake's offer comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Selection<'a> {
    /// What is selected and echoed; `None` only if nothing was offered.
    pub subprotocol: Option<Subprotocol>,
    /// The token of `bearer.<token>`, never echoed and never logged.
    pub bearer: Option<&'a str>,
}

/// Selects the first offered subprotocol that is known, and takes the bearer token out.
///
/// # Errors
///
/// [`Refusal::SubprotocolUnknown`] if something was offered and nothing of it can be selected,
/// [`Refusal::BearerRepeated`] if there are two tokens.
pub fn select_subprotocol<'a>(offered: &[&'a str]) -> Result<Selection<'a>, Refusal> {
    let mut selection = Selection { subprotocol: None, bearer: None };
    for name in offered {
        if let Some(token) = name.strip_prefix("bearer.") {
            if selection.bearer.replace(token).is_some() {
                return Err(Refusal::BearerRepeated);
            }
        } else if selection.subprotocol.is_none() {
            selection.subprotocol = Subprotocol::from_name(name);
        }
    }
    if selection.subprotocol.is_none() && !offered.is_empty() {
        return Err(Refusal::SubprotocolUnknown);
    }
    // An empty token is as good as none.
    selection.bearer = selection.bearer.filter(|token| !token.is_empty());
    Ok(selection)
}

impl std::fmt::Debug for Selection<'_> {
    /// Tells that there is a token, never which: a debug line may reach a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Selection")
            .field("subprotocol", &self.subprotocol)
            .field("bearer", &self.bearer.map(|_| "…"))
            .finish()
    }
}
