//! The flags that `dev`, `demo`, `serve` and `config show` share, and how they become settings.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::config::effective::Effective;
use crate::config::machine::raise_limits;
use crate::config::settings::{Mode, Settings};
use crate::config::source::Source;
use crate::config::standing::{Reader, Standing};
use crate::config::{Sources, storage_keys, table, tls_keys};

/// Flags of a server; each wins over the environment and the file.
#[derive(Debug, Args)]
pub(crate) struct ServerFlags {
    /// The configuration file [default: ./fanfare.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// An address to listen on; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,
    /// An address to speak TLS on; may be repeated.
    #[arg(long, value_name = "ADDRESS:PORT")]
    tls_listen: Vec<String>,
    /// The certificate of a TLS server with those that lead to its root, in PEM; may be repeated.
    #[arg(long, value_name = "FILE")]
    tls_certificate: Vec<String>,
    /// The private key of a certificate, in PEM, in the order of the certificates.
    #[arg(long, value_name = "FILE")]
    tls_key: Vec<String>,
    /// Threads that own connections and channels [default: the number of cores].
    #[arg(long, value_name = "N")]
    shards: Option<String>,
    /// The URL under which browsers reach this server.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A Host value that is answered; may be repeated.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// An origin whose pages may read and publish; may be repeated.
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// A key that may publish; may be repeated.
    #[arg(long, value_name = "KEY")]
    publisher_key: Vec<String>,
    /// Let anyone read every channel, but those of a namespace that says otherwise.
    #[arg(long)]
    anonymous_subscribe: bool,
    /// Keep history in memory alone: it ends with the process.
    #[arg(long, conflicts_with = "data")]
    memory: bool,
    /// Where history is kept [default: ./.fanfare].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// How log lines look: auto, pretty or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// The least important level that is logged: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl ServerFlags {
    /// Lays the flags over the other sources.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source.
    pub(crate) fn effective(&self) -> Result<Effective> {
        Ok(Sources::read(self.config.as_deref())?.overlay(self.source())?)
    }

    /// The configuration and the settings of a server that is about to start; raises the limit on
    /// open files.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source, alone or beside the others or on this machine.
    pub(crate) fn standing(&self, mode: Mode) -> Result<(Standing, Settings)> {
        let reader = Reader::new(self.config.clone(), self.source());
        Ok(Standing::begin(reader, mode, raise_limits())?)
    }

    /// The settings of a server that is about to start; raises the limit on open files.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source, alone or beside the others or on this machine.
    pub(crate) fn settings(&self, mode: Mode) -> Result<Settings> {
        let effective = self.effective()?;
        Ok(Settings::build(&effective, mode, raise_limits())?)
    }

    /// The same, with a configuration of the program's own below all sources: its name and text.
    ///
    /// # Errors
    ///
    /// Everything wrong in any source, alone or beside the others or on this machine.
    pub(crate) fn settings_above(
        &self,
        (name, text): (&str, &str),
        mode: Mode,
    ) -> Result<Settings> {
        let sources = Sources::read(self.config.as_deref())?.above(name, text)?;
        let effective = sources.overlay(self.source())?;
        Ok(Settings::build(&effective, mode, raise_limits())?)
    }

    fn source(&self) -> Source {
        let mut source = Source::default();
        source.flags(&table::LISTEN, "--listen", &self.listen);
        source.flags(&tls_keys::TLS_LISTEN, "--tls-listen", &self.tls_listen);
        source.flags(&tls_keys::TLS_CERTIFICATE, "--tls-certificate", &self.tls_certificate);
        source.flags(&tls_keys::TLS_KEY, "--tls-key", &self.tls_key);
        source.flag(&table::SHARDS, "--shards", self.shards.as_deref());
        source.flag(&table::PUBLIC_URL, "--public-url", self.public_url.as_deref());
        source.flags(&table::HOSTS, "--host", &self.host);
        source.flags(&table::ORIGINS, "--origin", &self.origin);
        source.flags(&table::PUBLISHER_KEYS, "--publisher-key", &self.publisher_key);
        let anonymous = self.anonymous_subscribe.then_some("true");
        source.flag(&table::ANONYMOUS_SUBSCRIBE, "--anonymous-subscribe", anonymous);
        source.flag(&storage_keys::ENGINE, "--memory", self.memory.then_some("memory"));
        source.flag(&storage_keys::LOG_DIRECTORY, "--data", self.data.as_deref());
        source.flag(&table::LOG_FORMAT, "--log-format", self.log_format.as_deref());
        source.flag(&table::LOG_LEVEL, "--log-level", self.log_level.as_deref());
        source
    }
}
