//! The figures of what the application's backend is asked.

use super::sample::{Sample, Value};
use crate::hooks::{Figures, Hook, Outcome, Questions};

/// The samples of questions, all zero where nothing is asked.
pub(super) fn samples(figures: &Figures, hooks: Option<&Questions>) -> Vec<Sample> {
    let by_outcome = Hook::ALL.into_iter().flat_map(|hook| {
        Outcome::ALL.map(|outcome| ([hook.name(), outcome.name()], figures.outcomes(hook, outcome)))
    });
    let delays = Hook::ALL.map(|hook| (hook.name().to_owned(), figures.delays(hook)));
    let failures = figures.failures().map(|(reason, count)| (reason.to_owned(), count));
    vec![
        Sample {
            name: "fanfare_hook_questions",
            help: "Questions to the application's backend, by what came of them",
            value: Value::CountersByTwo(["hook", "outcome"], by_outcome.collect()),
        },
        Sample {
            name: "fanfare_hook_failures",
            help: "Questions that had no answer that is one, by reason",
            value: Value::Counters("reason", failures.collect()),
        },
        Sample {
            name: "fanfare_hook_question_seconds",
            help: "How long questions took, those without an answer among them",
            value: Value::Delays("hook", delays.into()),
        },
        Sample {
            name: "fanfare_hook_questions_in_flight",
            help: "Questions on their way, to be held against hooks.questions_max",
            value: Value::Gauge(hooks.map_or(0, Questions::in_flight) as u64),
        },
    ]
}
