//! `POST /publish`: many items in one body.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, Publisher, SessionId};
use fanfare_core::shard::Answer;
use serde_json::value::RawValue;

use crate::native::channels::Each;
use crate::native::head::Head;
use crate::native::item::Members;
use crate::native::problem::Problem;
use crate::native::publish;
use crate::native::route::Rules;
use crate::native::walk;

/// Items of one batch, at most.
pub const ITEMS_MAX: usize = 1_000;

/// A request to publish a list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRequest {
    /// How the items stand in the body.
    pub form: BatchForm,
    /// The session that does not get them.
    pub exclude: Option<SessionId>,
}

/// How the items of a batch stand in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchForm {
    /// As the first byte says: `[` begins an array, anything else a line.
    #[default]
    Any,
    /// One a line (`application/x-ndjson`).
    Lines,
}

/// What one item asks for.
#[derive(Debug, Clone)]
pub enum BatchItem {
    /// It names one channel (`channel`).
    One(ChannelName, Box<Draft>),
    /// It names several (`channels`), and gets results of its own.
    Several(Vec<Each<Draft>>),
    /// It cannot be read.
    Refused(Problem),
}

/// What came of one item.
#[derive(Debug, Clone)]
pub enum ItemResult {
    /// Of one channel.
    One(ChannelName, Answer),
    /// Of several.
    Several(Vec<Each<Answer>>),
    /// It could not be read.
    Refused(Problem),
}

impl BatchRequest {
    /// The items of a body, in order, at most [`ITEMS_MAX`].
    ///
    /// # Errors
    /// What is wrong with the body as a whole; an item that cannot be read is an item.
    pub fn items(
        &self,
        body: &Bytes,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Vec<BatchItem>, Problem> {
        let text = std::str::from_utf8(body).map_err(|error| {
            invalid(format!("The body is not UTF-8 from byte {} on.", error.valid_up_to()))
        })?;
        let mut before = None;
        let read = |text: &str| self.item(text, &mut before, publisher, rules);
        let array = text.trim_start_matches(JSON_SPACE).starts_with('[');
        if array && self.form == BatchForm::Any {
            let items = array_of(text)?;
            check_count(items.len())?;
            return Ok(items.into_iter().map(read).collect());
        }
        let lines = text.split('\n').filter(|line| !line.trim_matches(JSON_SPACE).is_empty());
        let count = lines.clone().take(ITEMS_MAX + 1).count();
        check_count(count)?;
        if count == 0 {
            return Err(invalid("The body has no items.".to_owned()));
        }
        Ok(lines.map(read).collect())
    }

    fn item(
        &self,
        text: &str,
        before: &mut Option<ChannelName>,
        publisher: &Publisher,
        rules: &Rules,
    ) -> BatchItem {
        self.drafts(text, before, publisher, rules).unwrap_or_else(BatchItem::Refused)
    }

    fn drafts(
        &self,
        text: &str,
        before: &mut Option<ChannelName>,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<BatchItem, Problem> {
        let members = Members::parse(text)?;
        if let Some(channels) = members.channels()? {
            let drafts = members.drafts(channels, self.exclude, publisher, rules)?;
            return Ok(BatchItem::Several(drafts));
        }
        let channel = members.channel_after(before.as_ref())?;
        let draft = members
            .draft(&channel, self.exclude, publisher, rules)
            .map_err(|problem| problem.about(&channel, None))?;
        *before = Some(channel.clone());
        Ok(BatchItem::One(channel, Box::new(draft)))
    }
}

/// Reads the head of a `POST /publish`.
pub(crate) fn request(head: &Head<'_>) -> Result<BatchRequest, Problem> {
    let lines = head.text("content-type").is_some_and(|content_type| {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        ["application/x-ndjson", "application/jsonl", "application/ndjson"]
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
    });
    Ok(BatchRequest {
        form: if lines { BatchForm::Lines } else { BatchForm::Any },
        exclude: publish::exclude(head),
    })
}

/// The body of the answer: one result for each item, in order.
#[must_use]
pub fn answer(results: &[ItemResult]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 * results.len() + 16);
    out.extend_from_slice(b"{\"results\":[");
    for (place, result) in results.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match result {
            ItemResult::One(channel, answer) => publish::append_answer(&mut out, channel, answer),
            ItemResult::Several(answers) => publish::append_results(&mut out, answers),
            ItemResult::Refused(problem) => {
                publish::append_refused(&mut out, problem);
            }
        }
    }
    out.extend_from_slice(b"]}");
    out
}

/// The items of an array, one more than [`ITEMS_MAX`] at most.
fn array_of(text: &str) -> Result<Vec<&str>, Problem> {
    walk::items(text, ITEMS_MAX).ok_or_else(|| {
        let why = match walk::is_worth_a_reason(text)
            .then(|| serde_json::from_str::<Vec<&RawValue>>(text))
        {
            Some(Err(error)) => error.to_string(),
            _ => "it cannot be read".to_owned(),
        };
        invalid(format!("The body is no JSON array: {why}."))
    })
}

fn check_count(count: usize) -> Result<(), Problem> {
    if count <= ITEMS_MAX {
        return Ok(());
    }
    Err(Problem::new(
        Code::BatchTooLarge,
        format!("The batch has more than {ITEMS_MAX} items."),
        "Send at most 1000 items in one request.",
    ))
}

fn invalid(detail: String) -> Problem {
    Problem::new(
        Code::BatchInvalid,
        detail,
        "Send an array of items, or one item a line, as in `{\"channel\":\"news\",\"data\":\"Hello\"}`.",
    )
}

/// White space between the tokens of JSON (RFC 8259 §2).
const JSON_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
