//! The log as the server has it: opened from settings, connected to the shards, and what an operator
//! is told of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use fanfare_core::name::ChannelName;
use fanfare_core::prefix::Prefixes;
use fanfare_core::settings::{Retention, ShardId};
use fanfare_core::shard::Restored;

use super::log::{
    ChannelRules, Clock, Durability, Files, Left, Log, LogFigures, LogHandle, LogOptions,
    OnCorruption, Opened, Outlets, Report, Running,
};
use crate::config::settings::{self, Settings};
use crate::exit::Exit;
use crate::node::{Letter, Mailbox};

/// An opened log.
#[derive(Debug)]
pub(crate) struct Store {
    log: Log,
    opened: Opened,
    health: Arc<Health>,
}

/// What is wrong with the log, for `/ready` and the metrics.
#[derive(Debug)]
pub(crate) struct Health {
    /// Set aside or damaged since the start, in words.
    damage: Mutex<Vec<String>>,
    full: AtomicBool,
    handle: Mutex<Option<LogHandle>>,
}

impl Store {
    /// Opens the log that the settings name.
    ///
    /// # Errors
    /// It is in use, was made by a newer version, is damaged while damage is refused, or cannot be
    /// read or written.
    pub(crate) fn open(settings: &Settings) -> Result<Self> {
        let (storage, options) = (&settings.storage, log_options(settings));
        let (log, opened) = Log::open(options, &storage.directory, Files::System).with_context(|| {
            let directory = storage.directory.display();
            format!(
                "history cannot be kept in {directory} (`log.directory`, `--data`; `--memory` keeps \
                 none)"
            )
        })?;
        tell(&opened, &storage.directory.display().to_string());
        let health = Arc::new(Health {
            damage: Mutex::new(opened.set_aside.iter().map(set_aside).collect()),
            full: AtomicBool::new(false),
            handle: Mutex::new(None),
        });
        Ok(Self { log, opened, health })
    }

    /// What was found.
    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    /// What is wrong with it.
    pub(crate) fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// The channels of one shard, each given once.
    pub(crate) fn restored(&mut self, wanted: impl Fn(&ChannelName) -> bool) -> Vec<Restored> {
        self.log.restored(wanted)
    }

    /// Starts it; its answers go to the shards from now on.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(self, mailboxes: Vec<Mailbox>) -> Result<Running> {
        let Self { log, health, .. } = self;
        let reported = Arc::clone(&health);
        let outlets = Outlets {
            deliver: Box::new(move |shard: ShardId, completions| {
                if let Some(mailbox) = mailboxes.get(usize::from(shard)) {
                    mailbox.put(Letter::Completed(completions));
                }
            }),
            report: Box::new(move |report| reported.take(report)),
        };
        let running = log.start(outlets).context("the log cannot be started")?;
        *health.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.handle());
        Ok(running)
    }
}

impl Health {
    /// What an operator has to know before the log is all right again; none if it is.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.full.load(Ordering::Relaxed) {
            return Some("the log has no room: publishes are refused".to_owned());
        }
        // What and where is for those who read the log's lines: anyone may ask for `/ready`.
        let parts = Some(self.damaged()).filter(|parts| *parts > 0)?;
        Some(format!("parts of the log were found damaged since the start: {parts}"))
    }

    /// How much was damaged.
    pub(crate) fn damaged(&self) -> u64 {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// What the log has counted, once it runs.
    pub(crate) fn figures(&self) -> Option<LogFigures> {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        handle.as_ref().map(LogHandle::figures)
    }

    fn take(&self, report: Report) {
        let damaged = |what: String| {
            self.damage.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        };
        match report {
            Report::Full(error) => {
                self.full.store(true, Ordering::Relaxed);
                tracing::error!(%error, "the log has no room: publishes are refused until it has");
            }
            Report::Healed => {
                self.full.store(false, Ordering::Relaxed);
                tracing::info!("the log has room again");
            }
            Report::Damaged { damage, channel, offset } => {
                tracing::error!(%damage, %channel, offset, "a publication is damaged; its readers are told a gap");
                damaged(damage.to_string());
            }
            Report::SetAside(segment) => {
                let what = set_aside(&segment);
                tracing::error!(what, "a segment is damaged and was set aside");
                damaged(what);
            }
            Report::Forced { segment, publications } => tracing::warn!(
                segment,
                publications,
                "the log is at log.bytes_max: the oldest publications went before their time"
            ),
            Report::Unremoved { file, error } => {
                tracing::warn!(file = %file.display(), %error, "a file of the log cannot be removed");
            }
            Report::Fatal(error) => {
                tracing::error!(%error, "the log cannot be written: the process ends");
                std::process::exit(Exit::Disk.code().into());
            }
        }
    }
}

/// What the settings say to the log.
pub(crate) fn log_options(settings: &Settings) -> LogOptions {
    let storage = &settings.storage;
    LogOptions {
        segment_bytes: storage.segment_bytes,
        bytes_max: storage.bytes_max,
        copy_bytes_per_second: storage.copy_bytes_per_second,
        on_corruption: if storage.refuses_corruption {
            OnCorruption::Refuse
        } else {
            OnCorruption::Quarantine
        },
        readers: storage.readers,
        rules: rules(settings),
        clock: Clock::System,
        random: || fastrand::u64(..),
    }
}

/// What the log is told of each channel's namespace.
fn rules(settings: &Settings) -> super::log::RulesOf {
    let shared = |rules: &settings::ChannelRules| {
        Arc::new(ChannelRules {
            durability: match rules.durability {
                settings::Durability::Sync => Durability::Sync,
                settings::Durability::Os => Durability::Os,
                settings::Durability::None => Durability::None,
            },
            retention: Retention {
                count: rules.history.count,
                bytes: rules.history.bytes,
                age: rules.history.age,
            },
        })
    };
    let prefixed =
        settings.namespaces.iter().map(|it| (it.prefix.as_str().into(), shared(&it.rules)));
    let (prefixed, rest) = (Prefixes::new(prefixed), shared(&settings.rest));
    Arc::new(move |channel: &ChannelName| {
        Arc::clone(prefixed.of(channel.as_str()).unwrap_or(&rest))
    })
}

/// Tells what was found.
fn tell(opened: &Opened, directory: &str) {
    for segment in &opened.set_aside {
        tracing::error!(what = set_aside(segment), "a segment is damaged and was set aside");
    }
    if opened.begins_anew {
        tracing::error!("which channels were damaged cannot be known: every channel begins anew");
    } else if opened.channels_anew > 0 {
        tracing::error!(channels = opened.channels_anew, "channels begin anew: a gap is told");
    }
    match opened.left {
        Left::New => tracing::info!(directory, "a new log"),
        left => tracing::info!(
            directory,
            clean = left == Left::Clean,
            copy = left == Left::Copied,
            cut_bytes = opened.cut,
            channels = opened.channels,
            publications = opened.publications,
            "the log was read"
        ),
    }
}

fn set_aside(segment: &super::log::SetAside) -> String {
    match &segment.file {
        Some(file) => format!("{}, now {}", segment.damage, file.display()),
        None => segment.damage.to_string(),
    }
}
