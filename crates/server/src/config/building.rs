//! Builds [`Settings`] from values that are right one by one: checks them against each other, the
//! mode and the machine, and fills in what is found out at start.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fanfare_core::happening::Wishes;
use fanfare_protocol::native::alias::{Alias, AliasError, Posting};
use fanfare_protocol::native::route::{Compression, Rules};
use fanfare_protocol::proxy::{Naming, Network};

use super::address;
use super::admitting;
use super::effective::{Effective, RouteRows, Rows};
use super::mistake::{Mistake, Mistakes, Origin};
use super::namespace::{self, PREFIX};
use super::place::{NAMESPACES, name_of_route};
use super::route::{GREETING, POST, TO};
use super::settings::{
    Auth, ChannelRules, Drain, Durability, Engine, History, Hooks, Jitter, Limits, Log, LogFormat,
    Machine, Mode, Namespace, Rates, Settings, SlowReader, Storage, Tls,
};
use super::storage_keys;
use super::table::{self, Key};
use super::tls_keys;
use super::trust;
use crate::auth::grant::{Right, Rights};
use crate::limit::{Each, Preface, Proxies};

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
        let mut building = Building { effective, top: &effective.top, mistakes: Vec::new() };
        let settings = building.settings(mode, machine);
        if building.mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(building.mistakes)) }
    }
}

struct Building<'a> {
    effective: &'a Effective,
    top: &'a Rows,
    mistakes: Vec<Mistake>,
}

impl Building<'_> {
    fn settings(&mut self, mode: Mode, machine: Machine) -> Settings {
        let limits = self.limits(machine);
        let tls = self.tls(mode);
        Settings {
            mode,
            storage: self.storage(&limits),
            engine: self.engine(mode),
            listen: self.listen(mode, &tls),
            tls,
            shards: self.top.number(&table::SHARDS).map_or(machine.cores, saturate),
            public_url: self.public_url(),
            hosts: self.each(&table::HOSTS, address::host),
            origins: self.each(&table::ORIGINS, address::origin),
            routes: self.routes(),
            auth: self.auth(),
            hooks: self.hooks(),
            limits,
            rest: self.channel_rules(&self.effective.rest(), mode),
            namespaces: self.namespaces(mode),
            presence_told_max: self.presence_told_max(),
            idempotency_window: self.duration(&storage_keys::IDEMPOTENCY_WINDOW),
            heartbeat: self.duration(&table::HEARTBEAT),
            retry: self.jitter(&table::RETRY_MIN, &table::RETRY_MAX),
            compression: self.compression(),
            drain: Drain {
                window: self.duration(&table::DRAIN_WINDOW),
                retry: self.jitter(&table::DRAIN_RETRY_MIN, &table::DRAIN_RETRY_MAX),
            },
            log: self.log(),
            proxies: self.proxies(),
            admin_listen: self.admin_listen(mode),
            open_files: machine.open_files,
        }
    }

    fn admin_listen(&mut self, mode: Mode) -> Vec<SocketAddr> {
        let key = &trust::ADMIN_LISTEN;
        let addresses = self.each(key, address::listen);
        if addresses.len() > 16 {
            self.mistake(key, "has more than 16 addresses", "remove some");
        }
        self.refuse_foreign(key, mode, &addresses);
        addresses
    }

    fn proxies(&mut self) -> Proxies {
        let read = |text: &str| {
            let wrong = |_| "write an address or a network, such as `10.0.0.0/8`".to_owned();
            text.trim().parse::<Network>().map_err(wrong)
        };
        let proxies = Proxies {
            trusted: self.each(&trust::PROXIES_TRUSTED, read).into_iter().collect(),
            naming: match self.top.text(&trust::PROXIES_HEADER) {
                Some("forwarded") => Naming::Forwarded,
                _ => Naming::XForwardedFor,
            },
            protocol: match self.top.text(&trust::PROXIES_PROTOCOL) {
                Some("v2") => Preface::V2,
                _ => Preface::Off,
            },
        };
        if proxies.protocol == Preface::V2 && proxies.trusted.is_empty() {
            let what = "is v2, and nobody is trusted, so that no connection would be taken";
            self.mistake(&trust::PROXIES_PROTOCOL, what, "name the proxies in `proxies.trusted`");
        }
        proxies
    }

    fn rates(&self) -> Rates {
        let rate = |key| self.top.rate(key);
        Rates {
            connect: Each {
                address: rate(&trust::CONNECT_RATE_PER_ADDRESS),
                user: rate(&trust::CONNECT_RATE_PER_USER),
                channel: None,
            },
            subscribe: Each {
                address: rate(&trust::SUBSCRIBE_RATE_PER_ADDRESS),
                user: rate(&trust::SUBSCRIBE_RATE_PER_USER),
                channel: rate(&trust::SUBSCRIBE_RATE_PER_CHANNEL),
            },
            publish: Each {
                address: rate(&trust::PUBLISH_RATE_PER_ADDRESS),
                user: rate(&trust::PUBLISH_RATE_PER_USER),
                channel: rate(&trust::PUBLISH_RATE_PER_CHANNEL),
            },
        }
    }

    fn tls(&mut self, mode: Mode) -> Tls {
        let (tls, mistakes) = super::tls::tls(self.top);
        self.mistakes.extend(mistakes);
        self.refuse_foreign(&tls_keys::TLS_LISTEN, mode, &tls.listen);
        tls
    }

    fn listen(&mut self, mode: Mode, tls: &Tls) -> Vec<SocketAddr> {
        let mut addresses = self.each(&table::LISTEN, address::listen);
        let written = !self.top.list(&table::LISTEN).is_empty();
        if addresses.len() > 16 {
            self.mistake(&table::LISTEN, "has more than 16 addresses", "remove some");
        }
        self.refuse_foreign(&table::LISTEN, mode, &addresses);
        if !written {
            let ip = match mode {
                Mode::Dev | Mode::Demo => Ipv4Addr::LOCALHOST,
                // Who speaks TLS to others does not mean to speak in clear to them as well.
                Mode::Serve if !tls.listen.is_empty() => Ipv4Addr::LOCALHOST,
                Mode::Serve => Ipv4Addr::UNSPECIFIED,
            };
            addresses = vec![SocketAddr::new(IpAddr::V4(ip), PORT)];
        }
        addresses
    }

    /// In `dev` anyone who can reach it may do everything.
    fn refuse_foreign(&mut self, key: &'static Key, mode: Mode, addresses: &[SocketAddr]) {
        let foreign = addresses.iter().find(|address| !address.ip().is_loopback());
        if let (Mode::Dev | Mode::Demo, Some(foreign)) = (mode, foreign) {
            self.mistake(
                key,
                &format!(
                    "is {foreign}, which others can reach, and `{}` asks nobody who they are",
                    mode.name()
                ),
                "listen on 127.0.0.1, or start `fanfare serve`",
            );
        }
    }

    fn public_url(&mut self) -> Option<String> {
        let text = self.top.text(&table::PUBLIC_URL)?;
        match address::url(text) {
            Ok(url) => Some(url),
            Err(change) => {
                self.mistake(&table::PUBLIC_URL, &format!("is {text:?}"), &change);
                None
            }
        }
    }

    fn auth(&mut self) -> Auth {
        let (auth, mistakes) = admitting::auth(self.effective);
        self.mistakes.extend(mistakes);
        auth
    }

    fn hooks(&mut self) -> Hooks {
        let (hooks, mistakes) = super::hooks::hooks(self.top);
        self.mistakes.extend(mistakes);
        hooks
    }

    fn namespaces(&mut self, mode: Mode) -> Vec<Namespace> {
        let mut namespaces = Vec::with_capacity(self.effective.namespaces.len());
        let mut prefixes: BTreeMap<&str, (&str, &Rows)> = BTreeMap::new();
        for (name, rows) in &self.effective.namespaces {
            let prefix = rows.text(&PREFIX).unwrap_or_default();
            if let Err(change) = namespace::check_prefix(prefix) {
                self.mistake_in(rows, &PREFIX, &format!("is {prefix:?}"), &change);
            }
            if let Some((other, others)) = prefixes.insert(prefix, (name, rows)) {
                // One of them has it by its name, at most, and then the other one is wrong.
                let (own, other) = match rows.origin(&PREFIX) {
                    Origin::Default => (others, name.as_str()),
                    _ => (rows, other),
                };
                let what = format!("is {prefix:?}, which `{NAMESPACES}.{other}` has already");
                self.mistake_in(own, &PREFIX, &what, "give one of them another");
            }
            let (name, prefix) = (name.clone(), prefix.to_owned());
            let rules = self.channel_rules(rows, mode);
            namespaces.push(Namespace { name, prefix, rules });
        }
        namespaces
    }

    fn channel_rules(&mut self, rows: &Rows, mode: Mode) -> ChannelRules {
        let rules = channel_rules(rows, mode);
        let (events, mistakes) = super::hooks::events(self.top, rows, rules.presence);
        self.mistakes.extend(mistakes);
        ChannelRules { events, ..rules }
    }

    fn routes(&mut self) -> Vec<Alias> {
        let rules = Rules {
            payload_bytes_max: self.number(&table::PAYLOAD_BYTES_MAX),
            heartbeat: self.duration(&table::HEARTBEAT),
            compression: self.compression(),
        };
        let mut routes = Vec::with_capacity(self.effective.routes.len());
        for (path, route) in &self.effective.routes {
            if route.rows.text(&TO).is_none() {
                self.mistakes.push(Mistake {
                    origin: route.origin.clone(),
                    what: format!("`{}` leads nowhere", name_of_route(path)),
                    change: "say in `to` which URL it stands for".to_owned(),
                });
                continue;
            }
            match alias(path, &route.rows, &rules) {
                Ok(alias) => routes.push(alias),
                Err(error) => self.mistakes.push(wrong_route(path, route, &error)),
            }
        }
        routes
    }

    fn compression(&self) -> Compression {
        Compression {
            websocket: is_on(self.top, &table::COMPRESS_WEBSOCKET),
            streams: is_on(self.top, &table::COMPRESS_STREAMS),
        }
    }

    fn presence_told_max(&mut self) -> usize {
        let told_max = self.number(&table::PRESENCE_TOLD_MAX);
        if told_max > self.number(&table::PRESENCE_MEMBERS_MAX) {
            let key = &table::PRESENCE_TOLD_MAX;
            let what =
                "is more than `limits.presence_members_max`, and only who is listed is told of";
            self.mistake(key, what, "lower it, or raise the other");
        }
        told_max
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
            large_messages_bytes_max: self.number(&trust::LARGE_MESSAGES_BYTES_MAX),
            pages_bytes_max: self.number(&table::PAGES_BYTES_MAX),
            idempotency_keys_max: self.number(&table::IDEMPOTENCY_KEYS_MAX),
            presence_members_max: self.number(&table::PRESENCE_MEMBERS_MAX),
            history_memory_bytes_max: self.number(&storage_keys::HISTORY_MEMORY_BYTES_MAX),
            streams_per_connection_max: self.number(&table::STREAMS_PER_CONNECTION_MAX),
            large_requests_per_connection_max: self
                .number(&table::LARGE_REQUESTS_PER_CONNECTION_MAX),
            stream_resets_max: self.number(&table::STREAM_RESETS_MAX),
            connections_per_address_max: self.number(&trust::CONNECTIONS_PER_ADDRESS_MAX),
            connections_per_user_max: self.number(&trust::CONNECTIONS_PER_USER_MAX),
            rates: self.rates(),
            rate_burst: self.duration(&trust::RATE_BURST),
            rates_tracked_max: self.number(&trust::RATES_TRACKED_MAX),
            idle_timeout: self.duration(&trust::IDLE_TIMEOUT),
            write_timeout: self.duration(&trust::WRITE_TIMEOUT),
            reader_lag_bytes_max: self.number(&trust::READER_LAG_BYTES_MAX),
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

    fn engine(&self, mode: Mode) -> Engine {
        match self.top.text(&storage_keys::ENGINE) {
            Some("memory") => Engine::Memory,
            None if mode == Mode::Demo => Engine::Memory,
            _ => Engine::Log,
        }
    }

    fn storage(&mut self, limits: &Limits) -> Storage {
        let bytes = |key| self.top.number(key).unwrap_or(u64::MAX);
        let storage = Storage {
            directory: self.top.text(&storage_keys::LOG_DIRECTORY).unwrap_or_default().into(),
            segment_bytes: bytes(&storage_keys::LOG_SEGMENT_BYTES),
            bytes_max: bytes(&storage_keys::LOG_BYTES_MAX),
            copy_bytes_per_second: bytes(&storage_keys::LOG_COPY_BYTES_PER_SECOND),
            readers: self.number(&storage_keys::LOG_READERS),
            refuses_corruption: self.top.text(&storage_keys::LOG_ON_CORRUPTION) == Some("refuse"),
            memory: History {
                count: self.number(&storage_keys::HISTORY_MEMORY_COUNT),
                bytes: self.number(&storage_keys::HISTORY_MEMORY_BYTES),
                age: Duration::MAX,
            },
        };
        if storage.segment_bytes < (limits.payload_bytes_max as u64).saturating_mul(2) {
            let what = "is less than twice `limits.payload_bytes_max`";
            self.mistake(&storage_keys::LOG_SEGMENT_BYTES, what, "raise it, or lower the other");
        }
        if storage.bytes_max < storage.segment_bytes.saturating_mul(8) {
            let what = "is less than eight times `log.segment_bytes`";
            self.mistake(&storage_keys::LOG_BYTES_MAX, what, "raise it, or lower the other");
        }
        storage
    }

    fn connections_max(&mut self, machine: Machine) -> usize {
        let room = machine.open_files.saturating_sub(FILES_RESERVED).max(1);
        let Some(wanted) = self.top.number(&table::CONNECTIONS_MAX) else {
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

    fn log(&self) -> Log {
        Log {
            format: match self.top.text(&table::LOG_FORMAT) {
                Some("pretty") => LogFormat::Pretty,
                Some("json") => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            level: self.top.text(&table::LOG_LEVEL).unwrap_or("info").to_owned(),
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
        for text in self.top.list(key) {
            match read(text) {
                Ok(value) => values.push(value),
                Err(change) => self.mistake(key, &format!("has {text:?}"), &change),
            }
        }
        values
    }

    fn number(&self, key: &'static Key) -> usize {
        number(self.top, key)
    }

    fn duration(&self, key: &'static Key) -> Duration {
        self.top.duration(key).unwrap_or_default()
    }

    fn mistake(&mut self, key: &'static Key, what: &str, change: &str) {
        self.mistake_in(self.top, key, what, change);
    }

    fn mistake_in(&mut self, rows: &Rows, key: &'static Key, what: &str, change: &str) {
        self.mistakes.push(Mistake {
            origin: rows.origin(key),
            what: format!("`{}` {what}", rows.name(key)),
            change: change.to_owned(),
        });
    }
}

/// What a path stands for, by its rows.
fn alias(path: &str, rows: &Rows, rules: &Rules) -> Result<Alias, AliasError> {
    let post = match rows.text(&POST) {
        Some("read") => Posting::Reads,
        _ => Posting::Publishes,
    };
    let to = rows.text(&TO).unwrap_or_default();
    Alias::new(path, to, post, rows.text(&GREETING), rules)
}

fn wrong_route(path: &str, RouteRows { origin, rows }: &RouteRows, error: &AliasError) -> Mistake {
    let key = match error {
        AliasError::Path | AliasError::Reserved => None,
        AliasError::Greeting | AliasError::GreetingSize(_) => Some(&GREETING),
        _ => Some(&TO),
    };
    let (origin, name) = match key {
        Some(key) => (rows.origin(key), rows.name(key).to_owned()),
        None => (origin.clone(), name_of_route(path)),
    };
    Mistake { origin, what: format!("`{name}` {error}"), change: error.change() }
}

/// What holds for channels, by the rows of their namespace, without what the backend is told.
fn channel_rules(rows: &Rows, mode: Mode) -> ChannelRules {
    let open = mode != Mode::Serve;
    ChannelRules {
        history: History {
            count: number(rows, &namespace::OWN_HISTORY_COUNT),
            bytes: number(rows, &namespace::OWN_HISTORY_BYTES),
            age: rows.duration(&namespace::OWN_HISTORY_AGE).unwrap_or_default(),
        },
        durability: match rows.text(&namespace::OWN_DURABILITY) {
            Some("os") => Durability::Os,
            Some("none") => Durability::None,
            _ => Durability::Sync,
        },
        slow_reader: match rows.text(&namespace::OWN_SLOW_READER) {
            Some("latest") => SlowReader::Latest,
            Some("disconnect") => SlowReader::Disconnect,
            _ => SlowReader::Recover,
        },
        presence: rows.switch(&namespace::OWN_PRESENCE).unwrap_or(open),
        anonymous_subscribe: open || is_on(rows, &namespace::OWN_ANONYMOUS_SUBSCRIBE),
        anonymous_publish: open || is_on(rows, &namespace::OWN_ANONYMOUS_PUBLISH),
        client_publish: is_on(rows, &namespace::OWN_CLIENT_PUBLISH),
        users: rights(rows.list(&namespace::OWN_USERS)),
        ask_subscribe: is_on(rows, &namespace::OWN_ASK_SUBSCRIBE),
        ask_publish: is_on(rows, &namespace::OWN_ASK_PUBLISH),
        events: Wishes::default(),
    }
}

fn rights(names: &[String]) -> Rights {
    names.iter().filter_map(|name| Right::of(name)).collect()
}

fn number(rows: &Rows, key: &Key) -> usize {
    rows.number(key).map_or(usize::MAX, saturate)
}

fn is_on(rows: &Rows, key: &Key) -> bool {
    rows.switch(key).unwrap_or(false)
}

fn saturate(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
