# The commands of a working day. `just` itself is optional: each recipe is one plain command.

# List the recipes.
default:
    @just --list

# Build everything, as the tests use it.
build:
    cargo build --workspace

# All tests: the same command that the README names and CI calls.
test:
    scripts/test

# What must hold without running anything; `cargo deny` must be installed.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check

# Format the sources.
fmt:
    cargo fmt --all

# Start the development server on http://127.0.0.1:8300.
dev *flags:
    cargo run --release -- dev {{flags}}

# Measure, for instance `just bench delivery --floor`; `just bench goals --floor` takes a while.
bench *flags:
    cargo run --release -- bench {{flags}}

# Every decoder for `seconds` each; `cargo fuzz` must be installed.
fuzz seconds="60":
    cargo fuzz list | xargs -I '{}' cargo fuzz run -s none '{}' -- -max_total_time={{seconds}}

# The long runs: slow readers, black holes, floods; 1,000 kills, 500 power cuts, 10,000 flipped bits.
soak:
    FANFARE_SOAK=1 cargo test --release -p fanfare --test it -- --nocapture --test-threads=1 soak abuse vanish crash events --skip abuse::attack --skip abuse::http2
    FANFARE_LOG_FLIPS=10000 cargo test --release -p fanfare --bin fanfare -- --nocapture flips

# Every attack at its full size, on a machine that does nothing else: memory, and the time of others.
attacks:
    FANFARE_SOAK=1 cargo test --release -p fanfare --test it -- --nocapture --test-threads=1 abuse::attack abuse::http2

# The browser and client tests alone.
browser:
    scripts/test browser

# The documentation of the crates.
docs:
    cargo doc --workspace --no-deps

# h2spec over HTTP/2 with prior knowledge; Go must be installed.
h2spec:
    scripts/h2spec

# What CI runs.
ci:
    .ci/run

# What others say of TLS: `just tls acme` (pebble issues a certificate), `just tls testssl`.
tls what:
    cargo build --release
    scripts/tls {{what}}

# Instructions of each step of the hot path beside the committed table; `just instructions --write` renews it.
instructions *flags:
    scripts/instructions {{flags}}
