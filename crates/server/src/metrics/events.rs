//! The figures of what the application's backend is told.

use super::sample::{Sample, Value};
use crate::hooks::events::Figures;

/// The samples of events.
pub(super) fn samples(figures: &Figures) -> Vec<Sample> {
    let named = |name: &'static str, count: u64| (name.to_owned(), count);
    let (events, bytes) = figures.waiting();
    let told = figures.told_by_kind().map(|(kind, count)| named(kind, count));
    let dead = figures.dead_by_reason().map(|(reason, count)| named(reason, count));
    vec![
        Sample {
            name: "fanfare_hook_events",
            help: "Events to tell the backend, by their type",
            value: Value::Counters("type", told.collect()),
        },
        Sample {
            name: "fanfare_hook_events_silenced",
            help: "Events not told because who had gone was back within hooks.events_grace",
            value: Value::Counter(figures.silenced_count()),
        },
        Sample {
            name: "fanfare_hook_events_delivered",
            help: "Events that the backend has taken",
            value: Value::Counter(figures.delivered_count()),
        },
        Sample {
            name: "fanfare_hook_dead_letters",
            help: "Events that will never reach the backend, by why",
            value: Value::Counters("reason", dead.collect()),
        },
        Sample {
            name: "fanfare_hook_batches_failed",
            help: "Times that a batch of events was sent and not taken",
            value: Value::Counter(figures.failed_count()),
        },
        Sample {
            name: "fanfare_hook_events_waiting",
            help: "Events that the backend has not taken, those within hooks.events_grace included",
            value: Value::Gauge(events),
        },
        Sample {
            name: "fanfare_hook_events_waiting_bytes",
            help: "Memory for them, to be held against hooks.events_bytes_max",
            value: Value::Gauge(bytes),
        },
        Sample {
            name: "fanfare_hook_events_oldest_seconds",
            help: "How long the event waits that goes next",
            value: Value::Gauge(figures.oldest_age().as_secs()),
        },
    ]
}
