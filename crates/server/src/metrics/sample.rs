//! Samples: named figures as a scrape tells them, and their text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Delays;

/// One metric with all its series.
#[derive(Debug)]
pub(super) struct Sample {
    /// Without the `_total` of counters, which the encoding adds.
    pub name: &'static str,
    /// One sentence, without its full stop, which the encoding adds.
    pub help: &'static str,
    /// What was counted.
    pub value: Value,
}

/// What was counted, by label where there is one.
#[derive(Debug)]
pub(super) enum Value {
    /// Only rises.
    Counter(u64),
    /// Rises and falls.
    Gauge(u64),
    /// Counters that differ in one label.
    Counters(&'static str, Vec<(String, u64)>),
    /// Counters that differ in two.
    CountersByTwo([&'static str; 2], Vec<([&'static str; 2], u64)>),
    /// Gauges that differ in one label.
    Gauges(&'static str, Vec<(String, u64)>),
    /// How long things took, by one label.
    Delays(&'static str, Vec<(String, Delays)>),
    /// Texts, as the labels of a gauge that is 1.
    Info(Vec<(&'static str, String)>),
}

/// The samples in the text format of OpenMetrics.
///
/// # Errors
/// When a value cannot be formatted, which no value here does.
pub(super) fn text(samples: Vec<Sample>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Samples(samples)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The media type of [`text`].
pub(crate) const TEXT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug)]
struct Samples(Vec<Sample>);

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for sample in &self.0 {
            let kind = sample.value.kind();
            let help = format!("{}.", sample.help);
            let metric = encoder.encode_descriptor(sample.name, &help, None, kind)?;
            sample.value.encode(metric)?;
        }
        Ok(())
    }
}

impl Value {
    fn kind(&self) -> MetricType {
        match self {
            Self::Counter(_) | Self::Counters(..) | Self::CountersByTwo(..) => MetricType::Counter,
            Self::Gauge(_) | Self::Gauges(..) => MetricType::Gauge,
            Self::Delays(..) => MetricType::Histogram,
            Self::Info(_) => MetricType::Info,
        }
    }

    fn encode(&self, mut metric: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Counter(value) => metric.encode_counter::<NoLabelSet, _, u64>(value, None),
            Self::Gauge(value) => metric.encode_gauge(value),
            Self::Counters(label, series) => {
                for (name, value) in series {
                    let labels = [(*label, name.as_str())];
                    let mut one = metric.encode_family(&labels)?;
                    one.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                }
                Ok(())
            }
            Self::CountersByTwo([first, second], series) => {
                for ([one, other], value) in series {
                    let labels = [(*first, *one), (*second, *other)];
                    let mut one = metric.encode_family(&labels)?;
                    one.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                }
                Ok(())
            }
            Self::Gauges(label, series) => {
                for (name, value) in series {
                    let labels = [(*label, name.as_str())];
                    metric.encode_family(&labels)?.encode_gauge(value)?;
                }
                Ok(())
            }
            Self::Delays(label, series) => {
                for (name, delays) in series {
                    let labels = [(*label, name.as_str())];
                    let mut one = metric.encode_family(&labels)?;
                    let (sum, count, buckets) = (delays.sum(), delays.count(), delays.buckets());
                    one.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
                }
                Ok(())
            }
            Self::Info(labels) => {
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                metric.encode_info(&labels)
            }
        }
    }
}
