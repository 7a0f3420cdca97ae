//! What shards hand out in a run, as text that the checkers read back.

use bytes::Bytes;

use crate::frame::{Format, Frame};
use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::presence::{MemberId, News};
use crate::publication::Publication;
use crate::simulation::client::Told;
use crate::simulation::presence::Heard;

/// News as fields; nothing where a format has no words for them.
pub(super) fn encode_news(news: &News, format: Format) -> Frame {
    if !format.tells_gaps() {
        return Frame::default();
    }
    let (user, client, info) = match Heard::of(news) {
        Heard::Joined(member, info) => {
            (member.user, member.client, format!("+{}", info.unwrap_or_default()))
        }
        Heard::Left(member) => (member.user, member.client, "-".to_owned()),
        Heard::Counted(count) => (None, "".into(), count.to_string()),
    };
    let user = user.unwrap_or_default();
    Frame::whole(Bytes::from(format!("!{}|{user}|{client}|{info}", news.channel)))
}

pub(super) fn parse_news(bytes: &Bytes) -> Option<(ChannelName, Heard)> {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.strip_prefix('!')?.split('|');
    let channel = ChannelName::new(fields.next()?).ok()?;
    let user = fields.next().filter(|user| !user.is_empty()).map(Into::into);
    let member = MemberId { user, client: fields.next()?.into() };
    let what = fields.next()?;
    let heard = match what.strip_prefix('+') {
        Some("") => Heard::Joined(member, None),
        Some(info) => Heard::Joined(member, Some(info.to_owned())),
        None if what == "-" => Heard::Left(member),
        None => Heard::Counted(what.parse().ok()?),
    };
    Some((channel, heard))
}

/// The plain encoder: fields that the checkers can read back.
pub(super) fn encode(publication: &Publication, prev: Offset, _format: Format) -> Frame {
    let (offset, epoch) =
        publication.position.map_or((0, 0), |position| (position.offset, position.epoch.bits()));
    let payload = String::from_utf8_lossy(publication.content.data.bytes());
    let key = publication.content.conflate().unwrap_or_default();
    let text = format!("{}|{offset}|{epoch}|{prev}|{payload}|{key}", publication.channel);
    Frame::whole(Bytes::from(text))
}

pub(super) fn parse(bytes: &Bytes) -> Told {
    let text = String::from_utf8_lossy(bytes);
    let mut fields = text.split('|');
    let channel = fields.next().unwrap_or_default().to_owned();
    let mut number = || fields.next().and_then(|field| field.parse().ok()).unwrap_or(0);
    let (offset, epoch, prev) = (number(), number(), number());
    let position = (epoch != 0).then(|| Position::new(offset, Epoch::from_bits(epoch)));
    let payload = fields.next().unwrap_or_default().to_owned();
    let key = fields.next().filter(|key| !key.is_empty()).map(str::to_owned);
    Told { channel, position, prev, payload, key }
}
