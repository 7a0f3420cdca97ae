//! The idempotency key that a record holds.

use super::body::{EndBody, KeyBody};
use super::publication::PublicationBody;
use super::record::{Kind, Record};

/// The key that a record was made under, or consists of, with what it stands for.
pub(in super::super) fn of<'a>(record: &Record<'a>) -> Option<KeyBody<'a>> {
    match record.kind {
        Kind::Publication => {
            let body = PublicationBody::of(record.body, record.flags)?;
            Some(KeyBody { position: body.position(), stored: true, key: body.key? })
        }
        Kind::End => {
            let body = EndBody::of(record.body, record.flags)?;
            Some(KeyBody { position: body.head, stored: false, key: body.key? })
        }
        Kind::Key => KeyBody::of(record.body),
        _ => None,
    }
}
