//! The channels of a request, from its path and its query.

use fanfare_core::code::Code;
use fanfare_core::cursor::CURSOR_ENTRIES_MAX;
use fanfare_core::name::ChannelName;

use crate::native::problem::Problem;
use crate::native::query::{Plus, Query, decode};
use crate::native::session::Session;

/// Channels of one request, at most: as many as a cursor has entries.
pub const CHANNELS_MAX: usize = CURSOR_ENTRIES_MAX;

/// One channel of a list, or why what was given as its name is none.
pub type Named = Result<ChannelName, Problem>;

/// One channel of a list with what belongs to it, or why what was given as its name is none. The
/// others of the list go on.
pub type Each<T> = Result<(ChannelName, T), Problem>;

/// What a path of the native protocol names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Channels, each once; none for `/c` alone.
    Channels(Vec<Named>),
    /// The history of channels.
    History(Vec<Named>),
    /// The presence of channels.
    Presence(Vec<Named>),
    /// `/publish`.
    Batch,
    /// `/sessions/{id}`; none if the id is none.
    Session(Option<Session>),
    /// Nothing of the native protocol.
    Other,
}

/// Reads a path and the `channel=` and `history` of its query.
pub(crate) fn target(path: &str, query: Query<'_>) -> Result<Target, Problem> {
    match path {
        "/publish" => return Ok(Target::Batch),
        "/c" => return with_query("", query),
        _ => {}
    }
    if let Some(id) = path.strip_prefix("/sessions/") {
        return Ok(Target::Session(Session::parse(id)));
    }
    let Some(list) = path.strip_prefix("/c/") else {
        return Ok(Target::Other);
    };
    if let Some(list) = list.strip_suffix("/presence") {
        return Ok(Target::Presence(channels(list, query)?));
    }
    match list.strip_suffix("/history") {
        Some(list) => Ok(Target::History(channels(list, query)?)),
        None => with_query(list, query),
    }
}

/// Checks one name.
///
/// # Errors
/// The rule that the name breaks, and the name.
pub fn channel(name: &str) -> Result<ChannelName, Problem> {
    ChannelName::new(name).map_err(|error| {
        let shown: String = name.chars().take(64).collect();
        Problem::new(
            Code::ChannelInvalid,
            format!("The channel `{}` is not valid: {error}.", shown.escape_debug()),
            "Use 1 to 255 bytes of UTF-8 without white space and control characters, not starting \
             with `$` or `fanfare.`.",
        )
        .about_name(name)
    })
}

/// Refuses a request if one of its channels is none.
pub(crate) fn all(channels: Vec<Named>) -> Result<Vec<ChannelName>, Problem> {
    channels.into_iter().collect()
}

/// Refuses a request to write if its only channel is none; of several each has its own result.
pub(crate) fn several(channels: Vec<Named>) -> Result<Vec<Named>, Problem> {
    match <[Named; 1]>::try_from(channels) {
        Ok([channel]) => Ok(vec![Ok(channel?)]),
        Err(channels) => some(channels),
    }
}

/// Refuses a request without a channel.
pub(crate) fn some<T>(channels: Vec<T>) -> Result<Vec<T>, Problem> {
    if channels.is_empty() {
        return Err(Problem::new(
            Code::ChannelMissing,
            "The URL names no channel; `/c` alone is for WebSockets that speak `fanfare.v1`.",
            "Write the channel into the path, as in `/c/news`, or into the query, as in \
             `/c?channel=news`.",
        ));
    }
    Ok(channels)
}

/// Adds a channel unless it is there already.
pub(crate) fn add(channels: &mut Vec<Named>, channel: Named) -> Result<(), Problem> {
    if channel.is_ok() && channels.contains(&channel) {
        return Ok(());
    }
    if channels.len() == CHANNELS_MAX {
        return Err(Problem::new(
            Code::ChannelsTooMany,
            format!("The request names more than {CHANNELS_MAX} channels."),
            "Name at most 64 channels, and open another connection for the others.",
        ));
    }
    channels.push(channel);
    Ok(())
}

fn with_query(list: &str, query: Query<'_>) -> Result<Target, Problem> {
    let channels = channels(list, query)?;
    let history = query.pairs().any(|(name, value)| name == "history" && value != "0");
    Ok(if history { Target::History(channels) } else { Target::Channels(channels) })
}

/// The channels of a path's list, then those of the query.
fn channels(list: &str, query: Query<'_>) -> Result<Vec<Named>, Problem> {
    let mut channels = Vec::with_capacity(1);
    if !list.is_empty() {
        for name in list.split(',') {
            add(&mut channels, in_path(name))?;
        }
    }
    for (name, value) in query.pairs() {
        if name == "channel" && !value.is_empty() {
            add(&mut channels, decoded(value, "query"))?;
        }
    }
    Ok(channels)
}

fn in_path(name: &str) -> Named {
    if !name.contains('/') {
        return decoded(name, "path");
    }
    let problem = Problem::new(
        Code::ChannelInvalid,
        "The path has a `/` inside of the channel's name.",
        "Write a channel with a `/` into the query, as in `/c?channel=runs/1`.",
    );
    Err(problem.about_name(name))
}

/// Decodes one name. A name has no spaces, so that a `+` stands for itself in a query too.
fn decoded(name: &str, place: &str) -> Named {
    match decode(name, Plus::Itself) {
        Ok(name) => channel(&name),
        Err(error) => Err(Problem::new(
            Code::ChannelInvalid,
            format!("A channel's name in the {place} cannot be decoded: {error}."),
            "Percent-encode the name's UTF-8, as `encodeURIComponent` does.",
        )
        .about_name(name)),
    }
}
