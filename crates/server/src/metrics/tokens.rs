//! The figures of tokens and of the keys that check them.

use super::sample::{Sample, Value};
use crate::auth::token::Tokens;
use crate::edge::unix_millis;

/// The samples of tokens, all zero where there is no issuer.
pub(super) fn samples(tokens: Option<&Tokens>) -> Vec<Sample> {
    let none = Tokens::new([], 0, 0);
    let tokens = tokens.unwrap_or(&none);
    let figures = tokens.figures();
    let refused = figures.refused_counts();
    let fetched: Vec<_> = tokens.fetched(unix_millis()).collect();
    let outcomes = |place: usize| {
        let each = fetched.iter().map(|(name, _, outcomes)| {
            ((*name).to_owned(), outcomes.get(place).copied().unwrap_or_default())
        });
        Value::Counters("issuer", each.collect())
    };
    let ages = fetched.iter().filter_map(|(name, age, _)| Some(((*name).to_owned(), (*age)?)));
    vec![
        Sample {
            name: "fanfare_tokens_verified",
            help: "Tokens whose signature was checked and right",
            value: Value::Counter(figures.verified_count()),
        },
        Sample {
            name: "fanfare_tokens_remembered",
            help: "Times that a token was known already, so that its signature was not checked again",
            value: Value::Counter(figures.remembered_count()),
        },
        Sample {
            name: "fanfare_tokens_refused",
            help: "Times that a token did not hold, by the check that failed",
            value: Value::Counters(
                "reason",
                refused.map(|(reason, count)| (reason.to_owned(), count)).collect(),
            ),
        },
        Sample {
            name: "fanfare_issuer_keys_age_seconds",
            help: "Since when the keys of an issuer have not been had from its URL",
            value: Value::Gauges("issuer", ages.collect()),
        },
        Sample {
            name: "fanfare_issuer_keys_fetched",
            help: "Times that the keys of an issuer were had from its URL",
            value: outcomes(0),
        },
        Sample {
            name: "fanfare_issuer_keys_failed",
            help: "Times that they were not",
            value: outcomes(1),
        },
    ]
}
