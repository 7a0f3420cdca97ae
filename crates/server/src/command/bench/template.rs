//! Texts with places to fill in: the requests and messages of a server's description.

use std::fmt;

use anyhow::{Result, bail};

/// What can stand between braces in a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hole {
    /// The address and port that is asked.
    Host,
    /// One channel's name.
    Channel,
    /// Bytes of that name.
    ChannelLength,
    /// All channels of a connection, with the transport's separator between them.
    Channels,
    /// What `--query` adds to a request for a subscription.
    Query,
    /// The cursor that a connection comes back with.
    Cursor,
    /// A publication's payload.
    Payload,
    /// The items of a batch, with the way's separator between them.
    Items,
    /// The bytes of the request's body.
    Length,
    /// The bytes of one item of a batch.
    Each,
    /// A number that no other connection has.
    Unique,
    /// The folder that the files of a description are copied to.
    Folder,
    /// A free port to listen on.
    Port,
    /// A second one, to publish through.
    PublishPort,
    /// A third one, for what stands behind the server.
    OriginPort,
    /// This very program.
    Fanfare,
    /// What `--shards` says.
    Shards,
}

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Hole),
}

/// What fills the holes; what is not said is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values<'a> {
    pub(super) host: &'a str,
    pub(super) channel: &'a str,
    pub(super) channels: &'a str,
    pub(super) query: &'a str,
    pub(super) cursor: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) items: &'a [u8],
    pub(super) length: usize,
    pub(super) each: usize,
    pub(super) unique: usize,
    pub(super) folder: &'a str,
    pub(super) ports: [u16; 3],
    pub(super) fanfare: &'a str,
    pub(super) shards: usize,
}

impl Hole {
    const ALL: [(&'static str, Self); 17] = [
        ("host", Self::Host),
        ("channel", Self::Channel),
        ("channel_length", Self::ChannelLength),
        ("channels", Self::Channels),
        ("query", Self::Query),
        ("cursor", Self::Cursor),
        ("payload", Self::Payload),
        ("items", Self::Items),
        ("length", Self::Length),
        ("each", Self::Each),
        ("unique", Self::Unique),
        ("folder", Self::Folder),
        ("port", Self::Port),
        ("publish_port", Self::PublishPort),
        ("origin_port", Self::OriginPort),
        ("fanfare", Self::Fanfare),
        ("shards", Self::Shards),
    ];
}

impl Template {
    /// Reads a text. A word of small letters and underscores between braces is a hole; braces
    /// around anything else, as in JSON, are text.
    ///
    /// # Errors
    /// If such a word is no hole.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, behind) = rest.split_at(at);
            plain.push_str(before);
            let Some((word, after)) = word(behind) else {
                plain.push('{');
                rest = behind.get(1..).unwrap_or_default();
                continue;
            };
            let Some((_, hole)) = Hole::ALL.iter().find(|(name, _)| *name == word) else {
                let names: Vec<_> = Hole::ALL.iter().map(|(name, _)| *name).collect();
                bail!("{{{word}}} cannot be filled in; there are {}", names.join(", "));
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Hole(*hole));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// Whether something stands there to be filled in.
    pub(super) fn has(&self, hole: Hole) -> bool {
        self.0.contains(&Part::Hole(hole))
    }

    /// Appends the text with its holes filled.
    pub(super) fn fill(&self, out: &mut Vec<u8>, values: &Values<'_>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Hole(hole) => values.put(*hole, out),
            }
        }
    }

    /// The text with its holes filled.
    pub(super) fn filled(&self, values: &Values<'_>) -> String {
        let mut out = Vec::new();
        self.fill(&mut out, values);
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// A hole's word at the beginning of a text, and what stands behind it.
fn word(text: &str) -> Option<(&str, &str)> {
    let (word, after) = text.strip_prefix('{')?.split_once('}')?;
    let fits =
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    fits.then_some((word, after))
}

impl Values<'_> {
    fn put(&self, hole: Hole, out: &mut Vec<u8>) {
        let [port, publish_port, origin_port] = self.ports;
        match hole {
            Hole::Host => out.extend_from_slice(self.host.as_bytes()),
            Hole::Channel => out.extend_from_slice(self.channel.as_bytes()),
            Hole::ChannelLength => put_number(out, self.channel.len()),
            Hole::Channels => out.extend_from_slice(self.channels.as_bytes()),
            Hole::Query => out.extend_from_slice(self.query.as_bytes()),
            Hole::Cursor => out.extend_from_slice(self.cursor.as_bytes()),
            Hole::Payload => out.extend_from_slice(self.payload),
            Hole::Items => out.extend_from_slice(self.items),
            Hole::Length => put_number(out, self.length),
            Hole::Each => put_number(out, self.each),
            Hole::Unique => put_number(out, self.unique),
            Hole::Folder => out.extend_from_slice(self.folder.as_bytes()),
            Hole::Port => put_number(out, port),
            Hole::PublishPort => put_number(out, publish_port),
            Hole::OriginPort => put_number(out, origin_port),
            Hole::Fanfare => out.extend_from_slice(self.fanfare.as_bytes()),
            Hole::Shards => put_number(out, self.shards),
        }
    }
}

fn put_number(out: &mut Vec<u8>, number: impl fmt::Display) {
    out.extend_from_slice(number.to_string().as_bytes());
}

/// A request: a head, whose lines end with CRLF on the wire, and a body behind an empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    head: Template,
    body: Template,
}

impl Request {
    /// Reads a request whose lines end with LF.
    ///
    /// # Errors
    /// As [`Template::read`].
    pub(super) fn read(text: &str) -> Result<Self> {
        let text = text.trim_start_matches('\n');
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let head = head.trim_end().lines().collect::<Vec<_>>().join("\r\n");
        Ok(Self { head: Template::read(&format!("{head}\r\n\r\n"))?, body: Template::read(body)? })
    }

    /// Whether something stands there to be filled in.
    pub(super) fn has(&self, hole: Hole) -> bool {
        self.head.has(hole) || self.body.has(hole)
    }

    /// Appends the request; the length of its body is found out.
    pub(super) fn fill(&self, out: &mut Vec<u8>, values: &Values<'_>) {
        let mut body = Vec::new();
        self.body.fill(&mut body, values);
        self.head.fill(out, &Values { length: body.len(), ..*values });
        out.extend_from_slice(&body);
    }
}

#[cfg(test)]
#[path = "template_test.rs"]
mod tests;
