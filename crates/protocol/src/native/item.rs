//! JSON objects of publishers: an item of a batch, or a `publish` command.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Data, Draft, End, Publisher, SessionId};
use serde_json::value::RawValue;

use crate::native::channels::{self, Each, Named};
use crate::native::media::Kind;
use crate::native::options::{Options, invalid};
use crate::native::problem::Problem;
use crate::native::publish::{data, end_of};
use crate::native::route::Rules;
use crate::native::walk;

/// The members of a JSON object that mean something, each with its own bytes. Of two with one name
/// the last counts; others are passed over, so that they cost no more than their bytes.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    /// By place in [`NAMES`].
    members: [Option<&'a str>; NAMES.len()],
}

impl<'a> Members<'a> {
    /// Reads a JSON object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Problem> {
        let mut known = Self::default();
        let read = walk::members(text, |name, json| {
            if let Some(member) = place_of(name).and_then(|place| known.members.get_mut(place)) {
                *member = Some(json);
            }
        });
        read.map(|()| known).ok_or_else(|| {
            let why = match walk::is_worth_a_reason(text)
                .then(|| serde_json::from_str::<&RawValue>(text))
            {
                Some(Err(error)) => error.to_string(),
                Some(Ok(_)) => "it is of another kind".to_owned(),
                None => "it cannot be read".to_owned(),
            };
            Problem::new(
                Code::BatchInvalid,
                format!("This is no JSON object: {why}."),
                "Send one such as `{\"channel\":\"news\",\"data\":\"Hello\"}`.",
            )
        })
    }

    /// The JSON of a member; `null` counts as absent.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.json(name).filter(|json| *json != "null")
    }

    /// Whether a member is there, `null` included.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.json(name).is_some()
    }

    /// The JSON of a member, `null` included.
    fn json(&self, name: &str) -> Option<&'a str> {
        let place = place_of(name)?;
        self.members.get(place).copied().flatten()
    }

    /// A member that is a string; an empty one counts as absent.
    pub(crate) fn string(&self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        let Some(json) = self.raw(name) else {
            return Ok(None);
        };
        let text = string(name, json)?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// A member that is a string or a number, as text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        match self.raw(name) {
            Some(json)
                if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) =>
            {
                Ok(Some(Cow::Borrowed(json)))
            }
            _ => self.string(name),
        }
    }

    /// A member that is a list of at most [`STRINGS_MAX`] strings.
    fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(json) = self.raw(name) else {
            return Ok(None);
        };
        let wrong = |why: &str| {
            Problem::new(
                Code::ParameterInvalid,
                format!("`{name}` is no list of strings: {why}."),
                "Write it as in `[\"a\",\"b\"]`.",
            )
        };
        let items = walk::items(json, STRINGS_MAX).ok_or_else(|| wrong("it is no list"))?;
        if items.len() > STRINGS_MAX {
            return Err(wrong(&format!("it has more than {STRINGS_MAX} items")));
        }
        let read = |item: &str| serde_json::from_str(item);
        let strings: Result<_, _> = items.into_iter().map(read).collect();
        strings.map(Some).map_err(|error: serde_json::Error| wrong(&error.to_string()))
    }

    /// The member `channel`.
    pub(crate) fn channel(&self) -> Result<ChannelName, Problem> {
        self.channel_after(None)
    }

    /// The same, where the channel is often the one that the object before it named: hashing a
    /// name costs more than comparing it.
    pub(crate) fn channel_after(
        &self,
        before: Option<&ChannelName>,
    ) -> Result<ChannelName, Problem> {
        match self.string("channel")? {
            Some(name) => match before.filter(|before| before.as_str() == name) {
                Some(before) => Ok(before.clone()),
                None => channels::channel(&name),
            },
            None => Err(Problem::new(
                Code::ChannelMissing,
                "There is no `channel`.",
                "Add the channel's name, as in `\"channel\":\"news\"`.",
            )),
        }
    }

    /// The member `channels`, each once.
    pub(crate) fn channels(&self) -> Result<Option<Vec<Named>>, Problem> {
        let Some(names) = self.strings("channels")? else {
            return Ok(None);
        };
        if self.raw("channel").is_some() {
            return Err(Problem::new(
                Code::ParameterConflict,
                "`channels` stands beside `channel`.",
                "Give one of the two.",
            ));
        }
        let mut named = Vec::with_capacity(names.len().min(channels::CHANNELS_MAX));
        for name in &names {
            channels::add(&mut named, channels::channel(name))?;
        }
        if named.is_empty() {
            return Err(invalid("channels", "is empty", "Name at least one channel."));
        }
        Ok(Some(named))
    }

    /// What each channel's owner is to be asked.
    pub(crate) fn drafts(
        &self,
        channels: Vec<Named>,
        exclude: Option<SessionId>,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Vec<Each<Draft>>, Problem> {
        let (options, data) = self.content(exclude, rules)?;
        options.drafts(channels, data, publisher)
    }

    /// What the owner of the one channel is to be asked.
    pub(crate) fn draft(
        &self,
        channel: &ChannelName,
        exclude: Option<SessionId>,
        publisher: &Publisher,
        rules: &Rules,
    ) -> Result<Draft, Problem> {
        let (options, data) = self.content(exclude, rules)?;
        Ok(options.draft(channel, data, publisher))
    }

    /// What is to be published, and how.
    fn content(
        &self,
        exclude: Option<SessionId>,
        rules: &Rules,
    ) -> Result<(Options, Option<Data>), Problem> {
        let mut options = self.options()?;
        options.set_exclude(exclude);
        let kind = self
            .string("content_type")?
            .map(|content_type| options.set_content_type(&content_type))
            .transpose()?;
        let data = self.data(kind, rules)?;
        if data.is_none() && options.end == End::Open {
            return Err(Problem::new(
                Code::ParameterInvalid,
                "There is no `data`.",
                "Add `data`, or `\"end\":true` to close the channel without a last publication.",
            ));
        }
        Ok((options, data))
    }

    /// How it is to be published.
    pub(crate) fn options(&self) -> Result<Options, Problem> {
        let mut options = Options::default();
        if OPTIONS.iter().all(|place| self.members.get(*place).is_none_or(Option::is_none)) {
            return Ok(options);
        }
        if let Some(event) = self.string("event")? {
            options.set_event(&event)?;
        }
        if let Some(tags) = self.strings("tags")? {
            options.set_tags(tags.iter().map(String::as_str))?;
        }
        if let Some(ttl) = self.text("ttl")? {
            options.set_ttl(&ttl)?;
        }
        if let Some(key) = self.string("key")? {
            options.set_key(&key)?;
        }
        if let Some(conflate) = self.string("conflate")? {
            options.set_conflate(&conflate)?;
        }
        if let Some(expect) = self.string("expect")? {
            options.set_expect(&expect)?;
        }
        if let Some(end) = self.raw("end") {
            options.end = end_of(end)?;
        }
        Ok(options)
    }

    /// The payload: a string is text, anything else JSON, unless the content type or the encoding
    /// say otherwise.
    pub(crate) fn data(&self, kind: Option<Kind>, rules: &Rules) -> Result<Option<Data>, Problem> {
        let Some(json) = self.json("data") else {
            return Ok(None);
        };
        let is_string = json.starts_with('"');
        let (bytes, kind) = match self.string("encoding")?.as_deref() {
            Some("base64") => {
                let text = string("data", json)?;
                (base64(&text)?, kind.unwrap_or(Kind::Binary))
            }
            Some(other) => {
                return Err(Problem::new(
                    Code::ParameterInvalid,
                    format!("The encoding `{}` is not known.", other.escape_debug()),
                    "Use `\"encoding\":\"base64\"`, or leave it out.",
                ));
            }
            None => match kind {
                Some(Kind::Json) => (json.as_bytes().to_vec(), Kind::Json),
                None if !is_string => (json.as_bytes().to_vec(), Kind::Json),
                None | Some(Kind::Text) => {
                    (string("data", json)?.into_owned().into_bytes(), Kind::Text)
                }
                Some(Kind::Binary) => {
                    return Err(Problem::new(
                        Code::ParameterInvalid,
                        "The content type is binary, and `data` is not encoded.",
                        "Write `data` in base64 and add `\"encoding\":\"base64\"`.",
                    ));
                }
            },
        };
        data(Bytes::from(bytes), kind, rules).map(Some)
    }
}

fn place_of(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

fn string<'a>(name: &str, json: &'a str) -> Result<Cow<'a, str>, Problem> {
    walk::string_of(json).map_err(|error| {
        Problem::new(
            Code::ParameterInvalid,
            format!("`{name}` is no string: {error}."),
            "Write it in double quotes.",
        )
    })
}

fn base64(text: &str) -> Result<Vec<u8>, Problem> {
    BASE64.decode(text).map_err(|error| {
        Problem::new(
            Code::ParameterInvalid,
            format!("`data` is not base64: {error}."),
            "Encode the bytes as RFC 4648 says in section 4.",
        )
    })
}

/// The padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The names of members that mean something, in an item or in a command.
const NAMES: [&str; 21] = [
    "id",
    "type",
    "channel",
    "channels",
    "since",
    "until",
    "limit",
    "order",
    "data",
    "encoding",
    "content_type",
    "event",
    "tags",
    "ttl",
    "key",
    "conflate",
    "expect",
    "end",
    "presence",
    "after",
    "token",
];

/// The places of those that say how to publish, of which most publishes have none.
const OPTIONS: [usize; 7] = [11, 12, 13, 14, 15, 16, 17];

/// Strings of one list at most; more than there can be tags or channels, which have their own
/// bounds and may be named twice.
const STRINGS_MAX: usize = 1_000;
