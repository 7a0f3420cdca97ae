//! A publication on its way, as somebody else is shown it and may change it: in the members of an
//! item of a batch.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_core::publication::{Content, Data, Detail, Draft, End, Lifetime};

use crate::native::item::Members;
use crate::native::json;
use crate::native::options::invalid;
use crate::native::problem::Problem;
use crate::native::route::Rules;

/// Appends what is to be published, as an item of a batch without its channel. What the head has to
/// be is between the publisher and the channel, and not shown.
pub fn append_draft(out: &mut Vec<u8>, draft: &Draft) {
    out.push(b'{');
    let begin = out.len();
    if let Some(content) = &draft.content {
        append_content(out, content);
    }
    match draft.lifetime {
        Lifetime::Retained => {}
        Lifetime::Live => append_number(out, begin, "ttl", 0),
        Lifetime::Expiring(ttl) => append_number(out, begin, "ttl", seconds(ttl)),
    }
    append_text(out, begin, "key", draft.key.as_deref());
    if draft.end == End::Close {
        append_name(out, begin, "end");
        out.extend_from_slice(b"true");
    }
    out.push(b'}');
}

/// What is published where somebody wants it otherwise: each member of the JSON object takes the
/// place of what it names, and `null` takes it away. With `data` come `encoding` and `content_type`
/// anew. Who publishes, what the head has to be and whether the channel ends stay as they are.
///
/// # Errors
/// What of the object cannot be read or is not allowed, as for an item of a batch.
pub fn amend(draft: Draft, text: &str, rules: &Rules) -> Result<Draft, Problem> {
    let members = Members::parse(text)?;
    let mut wanted = members.options()?;
    let kind = members.string("content_type")?;
    let kind = kind.map(|it| wanted.set_content_type(&it)).transpose()?;
    let anew = members.has("data");
    if !anew && (members.has("content_type") || members.has("encoding")) {
        let hint = "Give the payload with them.";
        return Err(invalid("content_type", "or `encoding` stands without `data`", hint));
    }
    let Draft { content, lifetime, key, publisher, expect, end } = draft;
    let (before, detail) = match content {
        Some(Content { data, detail }) => (Some(data), detail.map(|it| *it).unwrap_or_default()),
        None => (None, Detail::default()),
    };
    let data = if anew { members.data(kind, rules)? } else { before };
    let wanted_detail = wanted.detail;
    let detail = Detail {
        event: if members.has("event") { wanted_detail.event } else { detail.event },
        tags: if members.has("tags") { wanted_detail.tags } else { detail.tags },
        conflate: if members.has("conflate") { wanted_detail.conflate } else { detail.conflate },
        content_type: if anew { wanted_detail.content_type } else { detail.content_type },
        exclude: detail.exclude,
    };
    let detail = (detail != Detail::default()).then(|| Box::new(detail));
    Ok(Draft {
        content: data.map(|data| Content { data, detail }),
        lifetime: if members.has("ttl") { wanted.lifetime } else { lifetime },
        key: if members.has("key") { wanted.key } else { key },
        publisher,
        expect,
        end,
    })
}

fn append_content(out: &mut Vec<u8>, content: &Content) {
    let begin = out.len();
    append_name(out, begin, "data");
    match &content.data {
        Data::Json(bytes) => out.extend_from_slice(bytes),
        // It was checked when it came.
        Data::Text(bytes) => json::append_string(out, str::from_utf8(bytes).unwrap_or_default()),
        Data::Binary(bytes) => {
            json::append_string(out, &STANDARD.encode(bytes));
            append_text(out, begin, "encoding", Some("base64"));
        }
    }
    let Some(detail) = &content.detail else { return };
    append_text(out, begin, "content_type", detail.content_type.as_deref());
    append_text(out, begin, "event", detail.event.as_deref());
    if !detail.tags.is_empty() {
        append_name(out, begin, "tags");
        for (place, tag) in detail.tags.iter().enumerate() {
            out.push(if place == 0 { b'[' } else { b',' });
            json::append_string(out, tag);
        }
        out.push(b']');
    }
    append_text(out, begin, "conflate", detail.conflate.as_deref());
}

/// Appends a member's name, behind a comma if it is not the first since `begin`.
fn append_name(out: &mut Vec<u8>, begin: usize, name: &str) {
    if out.len() > begin {
        out.push(b',');
    }
    json::append_string(out, name);
    out.push(b':');
}

fn append_text(out: &mut Vec<u8>, begin: usize, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        append_name(out, begin, name);
        json::append_string(out, value);
    }
}

fn append_number(out: &mut Vec<u8>, begin: usize, name: &str, value: u64) {
    append_name(out, begin, name);
    json::append_number(out, value);
}

/// Whole seconds, and one at least: none would say something else.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

#[cfg(test)]
#[path = "amend_tests.rs"]
mod tests;
