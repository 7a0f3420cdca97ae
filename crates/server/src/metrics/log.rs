//! The log's figures.

use super::sample::{Sample, Value};
use crate::engine::Health;
use crate::engine::log::LogFigures;

/// The samples of a log; none before it runs.
pub(super) fn samples(health: &Health) -> Vec<Sample> {
    let Some(figures) = health.figures() else { return Vec::new() };
    let mut samples = counters(&figures);
    samples.extend(gauges(&figures));
    samples.push(Sample {
        name: "fanfare_log_damaged",
        help: "Parts of the log that were found damaged since the start, whatever became of them",
        value: Value::Gauge(health.damaged()),
    });
    samples
}

fn counters(figures: &LogFigures) -> Vec<Sample> {
    let counter = |name, help, value| Sample { name, help, value: Value::Counter(value) };
    let micros = u64::try_from(figures.sync_time.as_micros()).unwrap_or(u64::MAX);
    vec![
        counter("fanfare_log_appends", "Appends that were stored", figures.appends),
        counter("fanfare_log_appends_failed", "Appends that were not", figures.appends_failed),
        counter("fanfare_log_batches", "Writes, each of what had gathered", figures.batches),
        counter("fanfare_log_written_bytes", "Bytes written", figures.bytes_written),
        counter("fanfare_log_syncs", "Times that the disk was waited for", figures.syncs),
        counter("fanfare_log_sync_microseconds", "How long it was waited for in all", micros),
        counter(
            "fanfare_log_copied_bytes",
            "Bytes of old segments that were copied forward",
            figures.bytes_copied,
        ),
        counter("fanfare_log_segments_removed", "Segments removed", figures.segments_removed),
        counter(
            "fanfare_log_publications_forced",
            "Publications that went before their time because of log.bytes_max",
            figures.publications_forced,
        ),
        counter("fanfare_log_reads", "Pages and questions answered from the disk", figures.reads),
    ]
}

fn gauges(figures: &LogFigures) -> Vec<Sample> {
    let gauge = |name, help, value| Sample { name, help, value: Value::Gauge(value) };
    vec![
        gauge(
            "fanfare_log_bytes",
            "The directory, to be held against log.bytes_max",
            figures.bytes,
        ),
        gauge("fanfare_log_live_bytes", "Of these, what is still kept", figures.live_bytes),
        gauge("fanfare_log_segments", "Segments", figures.segments),
        gauge("fanfare_log_publications", "Publications kept", figures.publications),
        gauge("fanfare_log_channels", "Channels with a state", figures.channels),
        gauge("fanfare_log_commands_waiting", "Commands not stored yet", figures.commands_waiting),
        gauge("fanfare_log_reads_waiting", "Reads not answered yet", figures.reads_waiting),
        gauge("fanfare_log_full", "1 while there is no room", u64::from(figures.full)),
    ]
}
