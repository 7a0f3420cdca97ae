//! Builds [`Settings`] from values that are right one by one: checks them against each other, the
//! mode and the machine, and fills in what is found out at start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::address;
use super::effective::Effective;
use super::mistake::{Mistake, Mistakes};
use super::settings::{
    Auth, Drain, History, Jitter, Limits, Log, LogFormat, Machine, Mode, Settings, SlowReader,
};
use super::table::{self, Key};

/// Files that the process keeps for other things than connections: listeners, polls, logs.
const FILES_RESERVED: u64 = 512;
/// The port used if none is named.
const PORT: u16 = 8300;

impl Settings {
    /// Checks what keys mean together and builds the settings.
    ///
    /// # Errors
    ///
    /// Every value that is wrong beside the others or on this machine.
    pub(crate) fn build(
        effective: &Effective,
        mode: Mode,
        machine: Machine,
    ) -> Result<Self, Mistakes> {
        let mut building = Building { effective, mistakes: Vec::new() };
        let settings = building.settings(mode, machine);
        if building.mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(building.mistakes)) }
    }
}

struct Building<'a> {
    effective: &'a Effective,
    mistakes: Vec<Mistake>,
}

impl Building<'_> {
    fn settings(&mut self, mode: Mode, machine: Machine) -> Settings {
        Settings {
            mode,
            listen: self.listen(mode),
            shards: self.effective.number(&table::SHARDS).map_or(machine.cores, saturate),
            public_url: self.public_url(),
            hosts: self.each(&table::HOSTS, address::host),
            origins: self.each(&table::ORIGINS, address::origin),
            auth: self.auth(mode),
            limits: self.limits(machine),
            history: self.history(),
            slow_reader: match self.effective.text(&table::SLOW_READER) {
                Some("disconnect") => SlowReader::Disconnect,
                _ => SlowReader::Recover,
            },
            heartbeat: self.duration(&table::HEARTBEAT),
            retry: self.jitter(&table::RETRY_MIN, &table::RETRY_MAX),
            drain: Drain {
                window: self.duration(&table::DRAIN_WINDOW),
                retry: self.jitter(&table::DRAIN_RETRY_MIN, &table::DRAIN_RETRY_MAX),
            },
            log: self.log(),
            open_files: machine.open_files,
        }
    }

    fn listen(&mut self, mode: Mode) -> Vec<SocketAddr> {
        let mut addresses = self.each(&table::LISTEN, address::listen);
        let written = !self.effective.list(&table::LISTEN).is_empty();
        if addresses.len() > 16 {
            self.mistake(&table::LISTEN, "has more than 16 addresses", "remove some");
        }
        let foreign = addresses.iter().find(|address| !address.ip().is_loopback()).copied();
        if let (Mode::Dev | Mode::Demo, Some(foreign)) = (mode, foreign) {
            self.mistake(
                &table::LISTEN,
                &format!(
                    "is {foreign}, which others can reach, and `{}` asks nobody who they are",
                    mode.name()
                ),
                "listen on 127.0.0.1, or start `fanfare serve`",
            );
        }
        if !written {
            let ip = match mode {
                Mode::Dev | Mode::Demo => Ipv4Addr::LOCALHOST,
                Mode::Serve => Ipv4Addr::UNSPECIFIED,
            };
            addresses = vec![SocketAddr::new(IpAddr::V4(ip), PORT)];
        }
        addresses
    }

    fn public_url(&mut self) -> Option<String> {
        let text = self.effective.text(&table::PUBLIC_URL)?;
        match address::url(text) {
            Ok(url) => Some(url),
            Err(change) => {
                self.mistake(&table::PUBLIC_URL, &format!("is {text:?}"), &change);
                None
            }
        }
    }

    fn auth(&mut self, mode: Mode) -> Auth {
        let keys = self.effective.list(&table::PUBLISHER_KEYS);
        if !keys.iter().all(|key| address::is_publisher_key(key)) {
            self.mistake(
                &table::PUBLISHER_KEYS,
                "has a key that cannot be sent in a header",
                "use 1 to 255 visible ASCII characters without a comma",
            );
        }
        let anonymous = self.effective.switch(&table::ANONYMOUS_SUBSCRIBE).unwrap_or(false);
        Auth {
            publisher_keys: keys.to_vec(),
            anonymous_subscribe: anonymous || mode != Mode::Serve,
        }
    }

    fn limits(&mut self, machine: Machine) -> Limits {
        let limits = Limits {
            payload_bytes_max: self.number(&table::PAYLOAD_BYTES_MAX),
            connections_max: self.connections_max(machine),
            handshakes_max: self.number(&table::HANDSHAKES_MAX),
            request_head_bytes_max: self.number(&table::REQUEST_HEAD_BYTES_MAX),
            request_head_timeout: self.duration(&table::REQUEST_HEAD_TIMEOUT),
            request_body_progress_bytes: self.number(&table::REQUEST_BODY_PROGRESS_BYTES),
            request_body_progress_timeout: self.duration(&table::REQUEST_BODY_PROGRESS_TIMEOUT),
            channels_max: self.number(&table::CHANNELS_MAX),
            channels_per_connection_max: self.number(&table::CHANNELS_PER_CONNECTION_MAX),
            publishes_in_flight_max: self.number(&table::PUBLISHES_IN_FLIGHT_MAX),
            publishes_in_flight_bytes_max: self.number(&table::PUBLISHES_IN_FLIGHT_BYTES_MAX),
            pages_bytes_max: self.number(&table::PAGES_BYTES_MAX),
            idempotency_keys_max: self.number(&table::IDEMPOTENCY_KEYS_MAX),
        };
        if limits.publishes_in_flight_bytes_max < limits.payload_bytes_max {
            self.mistake(
                &table::PUBLISHES_IN_FLIGHT_BYTES_MAX,
                "is less than `limits.payload_bytes_max`, so that no such payload could be published",
                "raise it, or lower the other",
            );
        }
        limits
    }

    fn connections_max(&mut self, machine: Machine) -> usize {
        let room = machine.open_files.saturating_sub(FILES_RESERVED).max(1);
        let Some(wanted) = self.effective.number(&table::CONNECTIONS_MAX) else {
            return saturate(room);
        };
        if wanted > room {
            self.mistake(
                &table::CONNECTIONS_MAX,
                &format!(
                    "is {wanted}, but this process may open {} files and keeps {FILES_RESERVED} \
                     for itself",
                    machine.open_files
                ),
                &format!("raise the hard limit (`ulimit -Hn`), or write at most {room}"),
            );
        }
        saturate(wanted)
    }

    fn history(&self) -> History {
        History {
            count: self.number(&table::HISTORY_COUNT),
            bytes: self.number(&table::HISTORY_BYTES),
            age: self.duration(&table::HISTORY_AGE),
            idempotency_window: self.duration(&table::IDEMPOTENCY_WINDOW),
        }
    }

    fn log(&self) -> Log {
        Log {
            format: match self.effective.text(&table::LOG_FORMAT) {
                Some("pretty") => LogFormat::Pretty,
                Some("json") => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            level: self.effective.text(&table::LOG_LEVEL).unwrap_or("info").to_owned(),
        }
    }

    fn jitter(&mut self, min: &'static Key, max: &'static Key) -> Jitter {
        let jitter = Jitter { min: self.duration(min), max: self.duration(max) };
        if jitter.min > jitter.max {
            let change = format!("raise it, or lower `{}`", min.name);
            self.mistake(max, &format!("is less than `{}`", min.name), &change);
        }
        jitter
    }

    fn each<T>(&mut self, key: &'static Key, read: fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut values = Vec::new();
        for text in self.effective.list(key) {
            match read(text) {
                Ok(value) => values.push(value),
                Err(change) => self.mistake(key, &format!("has {text:?}"), &change),
            }
        }
        values
    }

    fn number(&self, key: &'static Key) -> usize {
        self.effective.number(key).map_or(usize::MAX, saturate)
    }

    fn duration(&self, key: &'static Key) -> Duration {
        self.effective.duration(key).unwrap_or_default()
    }

    fn mistake(&mut self, key: &'static Key, what: &str, change: &str) {
        self.mistakes.push(Mistake {
            origin: self.effective.origin(key),
            what: format!("`{}` {what}", key.name),
            change: change.to_owned(),
        });
    }
}

fn saturate(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
