//! JSON objects of publishers: an item of a batch, or a `publish` command.

use std::collections::HashMap;

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

/// The members of a JSON object, each with its own bytes. Of two with one name the last counts.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    members: HashMap<String, &'a RawValue>,
}

impl<'a> Members<'a> {
    /// Reads a JSON object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Problem> {
        serde_json::from_str(text).map(|members| Self { members }).map_err(|error| {
            Problem::new(
                Code::BatchInvalid,
                format!("This is no JSON object: {error}."),
                "Send one such as `{\"channel\":\"news\",\"data\":\"Hello\"}`.",
            )
        })
    }

    /// The JSON of a member; `null` counts as absent.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.json(name).filter(|json| *json != "null")
    }

    /// The JSON of a member, `null` included.
    fn json(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).map(|value| value.get())
    }

    /// A member that is a string; an empty one counts as absent.
    pub(crate) fn string(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(json) = self.raw(name) else {
            return Ok(None);
        };
        let text = string(name, json)?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// A member that is a string or a number, as text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.raw(name) {
            Some(json)
                if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) =>
            {
                Ok(Some(json.to_owned()))
            }
            _ => self.string(name),
        }
    }

    /// A member that is a list of strings.
    fn strings(&self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(json) = self.raw(name) else {
            return Ok(None);
        };
        serde_json::from_str(json).map(Some).map_err(|error| {
            Problem::new(
                Code::ParameterInvalid,
                format!("`{name}` is no list of strings: {error}."),
                "Write it as in `[\"a\",\"b\"]`.",
            )
        })
    }

    /// The member `channel`.
    pub(crate) fn channel(&self) -> Result<ChannelName, Problem> {
        match self.string("channel")? {
            Some(name) => channels::channel(&name),
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
        options.drafts(channels, data, publisher)
    }

    fn options(&self) -> Result<Options, Problem> {
        let mut options = Options::default();
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
    fn data(&self, kind: Option<Kind>, rules: &Rules) -> Result<Option<Data>, Problem> {
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
                None | Some(Kind::Text) => (string("data", json)?.into_bytes(), Kind::Text),
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

fn string(name: &str, json: &str) -> Result<String, Problem> {
    serde_json::from_str(json).map_err(|error| {
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
