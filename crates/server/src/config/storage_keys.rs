//! Keys about history: how much of it is kept, where, and how durably.

use std::time::Duration;

use super::table::{Key, Kind, Standard, Takes};

pub(crate) static ENGINE: Key = Key {
    name: "engine",
    kind: Kind::Choice(&["log", "memory"]),
    default: Standard::Computed {
        how: "`log` in `dev` and `serve`, `memory` in `demo`",
        example: "\"log\"",
    },
    takes: Takes::Restart,
    about: "Where history is kept: `log` keeps it in `log.directory`, from where it comes back after \
            a restart; with `memory` it ends with the process.",
};

pub(crate) static DURABILITY: Key = Key {
    name: "durability",
    kind: Kind::Choice(&["sync", "os", "none"]),
    default: Standard::Value("sync"),
    takes: Takes::Restart,
    about: "When a publish is acknowledged and seen, with the engine `log`: `sync` when the disk has \
            it, which a power cut does not undo; `os` when the operating system has it, which the \
            end of the process does not undo; `none` at once.",
};

pub(crate) static HISTORY_COUNT: Key = Key {
    name: "history.count",
    kind: Kind::Count { min: 1, max: 1_000_000 },
    default: Standard::Value("100"),
    takes: Takes::Restart,
    about: "Publications kept per channel.",
};

pub(crate) static HISTORY_BYTES: Key = Key {
    name: "history.bytes",
    kind: Kind::Bytes { min: 1, max: 4 << 30 },
    default: Standard::Value("1 MiB"),
    takes: Takes::Restart,
    about: "Bytes kept per channel; the newest publication is always kept, whatever its size.",
};

pub(crate) static HISTORY_AGE: Key = Key {
    name: "history.age",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(24 * 365) },
    default: Standard::Value("24h"),
    takes: Takes::Restart,
    about: "How long a publication is kept.",
};

pub(crate) static HISTORY_MEMORY_COUNT: Key = Key {
    name: "history.memory_count",
    kind: Kind::Count { min: 1, max: 1_000_000 },
    default: Standard::Value("1000"),
    takes: Takes::Restart,
    about: "Of the publications kept per channel, those that are kept in memory as well, with the \
            engine `log`: what is read from there costs no disk.",
};

pub(crate) static HISTORY_MEMORY_BYTES: Key = Key {
    name: "history.memory_bytes",
    kind: Kind::Bytes { min: 1, max: 4 << 30 },
    default: Standard::Value("1 MiB"),
    takes: Takes::Restart,
    about: "The same in bytes.",
};

pub(crate) static HISTORY_MEMORY_BYTES_MAX: Key = Key {
    name: "limits.history_memory_bytes_max",
    kind: Kind::Bytes { min: 1 << 20, max: 1 << 40 },
    default: Standard::Value("256 MiB"),
    takes: Takes::Restart,
    about: "Publications that are kept in memory on this node, with the engine `log`. Beyond it: the \
            channels that were idle longest are read from the disk. Watch `fanfare_history_bytes`.",
};

pub(crate) static IDEMPOTENCY_WINDOW: Key = Key {
    name: "history.idempotency_window",
    kind: Kind::Duration { min: Duration::from_secs(1), max: Duration::from_hours(24) },
    default: Standard::Value("2m"),
    takes: Takes::Restart,
    about: "How long an idempotency key is remembered.",
};

pub(crate) static LOG_DIRECTORY: Key = Key {
    name: "log.directory",
    kind: Kind::Text,
    default: Standard::Value(".fanfare"),
    takes: Takes::Restart,
    about: "Where the engine `log` keeps history; made if it is not there. One process at a time has \
            it.",
};

pub(crate) static LOG_SEGMENT_BYTES: Key = Key {
    name: "log.segment_bytes",
    kind: Kind::Bytes { min: 1 << 20, max: 256 << 20 },
    default: Standard::Value("64 MiB"),
    takes: Takes::Restart,
    about: "How large one file of the log is; it is allocated when it is begun. At least twice \
            `limits.payload_bytes_max`.",
};

pub(crate) static LOG_BYTES_MAX: Key = Key {
    name: "log.bytes_max",
    kind: Kind::Bytes { min: 8 << 20, max: 1 << 50 },
    default: Standard::Value("8 GiB"),
    takes: Takes::Restart,
    about: "The log's directory at most; at least eight times `log.segment_bytes`. At the bound the \
            oldest publications go, whatever retention says, and who reads from there is told a \
            gap. Watch `fanfare_log_bytes`.",
};

pub(crate) static LOG_COPY_BYTES_PER_SECOND: Key = Key {
    name: "log.copy_bytes_per_second",
    kind: Kind::Bytes { min: 64 << 10, max: 1 << 40 },
    default: Standard::Value("16 MiB"),
    takes: Takes::Restart,
    about: "How fast what is still kept in old files is copied to new ones, so that the old ones can \
            go.",
};

pub(crate) static LOG_READERS: Key = Key {
    name: "log.readers",
    kind: Kind::Count { min: 1, max: 64 },
    default: Standard::Value("2"),
    takes: Takes::Restart,
    about: "Threads that read history from the disk.",
};

pub(crate) static LOG_ON_CORRUPTION: Key = Key {
    name: "log.on_corruption",
    kind: Kind::Choice(&["quarantine", "refuse"]),
    default: Standard::Value("quarantine"),
    takes: Takes::Restart,
    about: "What happens at the start when a part of the log is damaged: `quarantine` sets it aside \
            and tells the readers of what it held a gap, `refuse` does not start. A tail that a \
            crash tore off is not damage.",
};
