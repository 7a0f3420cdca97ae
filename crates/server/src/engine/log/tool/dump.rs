//! Showing: every record that is intact, in order.

use std::fmt;
use std::path::Path;

use fanfare_core::position::Position;
use fanfare_protocol::native::cursor::position_text;

use super::{Reading, numbers, read};
use crate::engine::log::files::Files;
use crate::engine::log::format::batch::Commit;
use crate::engine::log::format::body::{EndBody, HeadBody, JumpBody, KeyBody, RemovalBody};
use crate::engine::log::format::publication::{COPIED, ENDS, PublicationBody};
use crate::engine::log::format::record::{Kind, Record};
use crate::engine::log::format::size;
use crate::engine::log::index::JUMP;
use crate::engine::log::open::{Expected, examine};
use crate::engine::log::outcome::OpenError;
use crate::engine::log::shared::Paths;

/// One record as an operator is shown it. Neither keys nor payloads are.
#[derive(Debug)]
pub(crate) struct Dumped<'a> {
    /// The number of its segment.
    pub segment: u64,
    /// Where it stands there.
    pub position: u64,
    /// Its sequence number.
    pub sequence: u64,
    /// The channel that it is about.
    pub channel: Option<&'a str>,
    /// What it says, in words.
    pub what: String,
}

impl fmt::Display for Dumped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{} #{} ", self.segment, self.position, self.sequence)?;
        if let Some(channel) = self.channel {
            write!(f, "{channel} ")?;
        }
        f.write_str(&self.what)
    }
}

/// Shows every record of the log in a directory, up to the first damage of each segment.
///
/// # Errors
/// It is no log, or the disk said no.
pub(crate) fn dump(
    directory: &Path,
    files: &Files,
    show: &mut dyn FnMut(&Dumped<'_>),
) -> Result<(), OpenError> {
    let paths = Paths::new(directory);
    let found = numbers(files, &paths)?;
    let newest = found.last().copied();
    for number in found {
        let newest = Some(number) == newest;
        let expected = Expected { number, newest, first: None, generation: None, behind: None };
        let file = paths.segment(number);
        let reading =
            read(files, &paths, &expected).map_err(|error| OpenError::Io { file, error })?;
        let Some(Reading { bytes, .. }) = reading else { continue };
        let mut names: Vec<String> = Vec::new();
        examine(&bytes, &expected, &mut |batch| {
            for record in &batch.records {
                if record.kind == Kind::Channel {
                    names.push(String::from_utf8_lossy(record.body).into_owned());
                }
                let channel = names.get(size(record.channel)).map(String::as_str);
                show(&dumped(number, record, channel));
            }
            let commit = &batch.commit;
            let loose = if commit.loose { ", loose" } else { "" };
            let (synced, mark, earlier) = (commit.synced, commit.mark, commit.earlier);
            show(&Dumped {
                segment: number,
                position: batch.end.saturating_sub(Commit::LENGTH) as u64,
                sequence: batch.sequence,
                channel: None,
                what: format!("commit: synced to #{synced}, mark {mark}, {earlier} before{loose}"),
            });
            Some(())
        });
    }
    Ok(())
}

fn dumped<'a>(segment: u64, record: &Record<'_>, channel: Option<&'a str>) -> Dumped<'a> {
    let what = said(record).unwrap_or_else(|| "unreadable".to_owned());
    let (position, sequence) = (record.position as u64, record.sequence);
    Dumped { segment, position, sequence, channel, what }
}

/// What a record says; none if it makes no sense.
fn said(record: &Record<'_>) -> Option<String> {
    let keyed = |keyed: bool| if keyed { ", under a key" } else { "" };
    Some(match record.kind {
        Kind::Channel => "named".to_owned(),
        Kind::Publication => {
            let body = PublicationBody::of(record.body, record.flags)?;
            let (at, prev, time) = (position_text(body.position()), body.prev, body.time);
            let ends = if record.flags & ENDS == 0 { "" } else { ", the last one" };
            let copied = if record.flags & COPIED == 0 { "" } else { ", copied" };
            let expires = body.expires_at.map(|at| format!(", expires {at}")).unwrap_or_default();
            let (bytes, keyed) = (body.payload().len(), keyed(body.key.is_some()));
            format!(
                "publication {at} after {prev}, time {time}{expires}, {bytes} bytes{keyed}{ends}{copied}"
            )
        }
        Kind::End => {
            let EndBody { head, time, key } = EndBody::of(record.body, record.flags)?;
            format!("end at {}, time {time}{}", position_text(head), keyed(key.is_some()))
        }
        Kind::Removal => {
            let RemovalBody { epoch, mark } = RemovalBody::of(record.body)?;
            format!("begins anew at {}", position_text(Position::new(mark, epoch)))
        }
        Kind::Jump => {
            let JumpBody { jumps, .. } = JumpBody::of(record.body)?;
            let left = if jumps == 1 { "left uncleanly" } else { "copied" };
            format!("{left}: offsets go on {} higher", JUMP.saturating_mul(jumps.into()))
        }
        Kind::Forgotten => "forgotten".to_owned(),
        Kind::Head => {
            let body = HeadBody::of(record.body)?;
            let HeadBody { epoch, start, floor, head, newest, jumps, ended } = body;
            let (at, ended) = (Position::new(head, epoch), if ended { ", ended" } else { "" });
            let at = format!("{}, start {start}, floor {floor}", position_text(at));
            format!("stands at {at}, newest {newest}, jumps {jumps}{ended}")
        }
        Kind::Key => {
            let KeyBody { position, key, .. } = KeyBody::of(record.body)?;
            format!("a key for {}, until {}", position_text(position), key.expires_at)
        }
        Kind::Commit | Kind::Footer => return None,
    })
}
