//! What the fuzz target `native_change` does with one input; the tests run it too.
//!
//! The input is the body of a `POST /sessions/{id}`. What is read keeps its bounds, and whatever is
//! refused has an answer that is JSON.

use fanfare_protocol::native::change::{CHANGES_MAX, ChangeItem, Changed, answer, parse};

/// What came of one input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Read,
    Refused,
}

/// Panics if the decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let items = match parse(data, 1_700_000_000_000) {
        Ok(request) => request.items,
        Err(problem) => {
            assert_eq!(problem.status(), 400);
            assert!(serde_json::from_slice::<serde_json::Value>(&problem.body()).is_ok());
            return Seen::Refused;
        }
    };
    assert!(items.len() <= 2 * CHANGES_MAX);
    let results: Vec<_> = items
        .into_iter()
        .map(|item| match item {
            ChangeItem::Drop(channel) | ChangeItem::Add { channel, .. } => {
                Ok(Changed::Dropped(channel))
            }
            ChangeItem::Refused(problem) => Err(problem),
        })
        .collect();
    let answer = serde_json::from_slice::<serde_json::Value>(&answer(&results, None)).ok();
    let told = answer.as_ref().and_then(|answer| answer["results"].as_array());
    assert_eq!(told.map(Vec::len), Some(results.len()));
    Seen::Read
}
