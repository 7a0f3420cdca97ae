//! Prices that wander: a thousand updates a second over fifty symbols, as a ticker has them.

use std::time::Duration;

use fanfare_core::name::ChannelName;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::demo::desk::{Desk, Message};

/// How often some symbols change.
const EVERY: Duration = Duration::from_millis(10);

/// Symbols that change each time.
const AT_ONCE: usize = 10;

/// How far a price wanders in one step, as a part of itself.
const STEP: f64 = 0.001;

/// How strongly it is drawn back to where it began, so that none is lost in a long demo.
const PULL: f64 = 0.0005;

const SYMBOLS: [&str; 50] = [
    "AERO", "ALDR", "AMBR", "ASTR", "BIRCH", "BOLT", "BRIO", "CEDR", "CIRR", "CLAY", "COBLT",
    "CORAL", "DELTA", "DRIFT", "DUNE", "EMBR", "ETHER", "FERN", "FJRD", "FLINT", "GALE", "GLAD",
    "GROVE", "HALO", "HAZEL", "IRIS", "JADE", "JUNO", "KELP", "KITE", "LARK", "LOOM", "LYNX",
    "MAPLE", "MIRA", "NOVA", "OAK", "ONYX", "OPAL", "ORBT", "PINE", "QRTZ", "REEF", "SAGE",
    "SLATE", "TERN", "TIDE", "VALE", "WREN", "ZEPH",
];

/// A symbol and what it costs.
#[derive(Debug)]
struct Quote {
    symbol: &'static str,
    /// Where it began, and what its change is told from.
    first: f64,
    price: f64,
}

/// Publishes the symbols in turn, some every few milliseconds. Of one symbol only the newest matters.
pub(in crate::demo) async fn wander(desk: Desk, channel: ChannelName) {
    let mut quotes = SYMBOLS.map(Quote::new);
    let mut ticks = interval(EVERY);
    // A machine that was busy does not make up for it with a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        for some in quotes.chunks_mut(AT_ONCE) {
            ticks.tick().await;
            for quote in some {
                quote.wander(fastrand::f64());
                desk.publish(&channel, quote.message()).await;
            }
        }
    }
}

impl Quote {
    fn new(symbol: &'static str) -> Self {
        let first = (20.0 + 380.0 * fastrand::f64()).round();
        Self { symbol, first, price: first }
    }

    /// One step, by a chance from 0 to 1.
    fn wander(&mut self, chance: f64) {
        let drawn_back = (self.first - self.price) * PULL;
        self.price += self.price * STEP * (chance - 0.5) * 2.0 + drawn_back;
    }

    fn message(&self) -> Message {
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let change = (self.price / self.first - 1.0) * 100.0;
        let value = json!({
            "symbol": self.symbol,
            "price": hundredths(self.price),
            "change": hundredths(change),
        });
        Message::json(&value).named("price-update").superseding(self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Quote, SYMBOLS};

    #[test]
    fn symbols_differ_and_prices_stay_near_where_they_began() {
        assert_eq!(SYMBOLS.iter().collect::<BTreeSet<_>>().len(), SYMBOLS.len());
        let mut quote = Quote { symbol: "OAK", first: 100.0, price: 100.0 };
        for _ in 0..100_000 {
            quote.wander(1.0);
        }
        assert!(quote.price > 100.0 && quote.price.is_finite());
        for chance in [0.0, 1.0] {
            let mut quote = Quote { symbol: "OAK", first: 100.0, price: 100.0 };
            quote.wander(chance);
            assert!((quote.price - 100.0).abs() <= 0.1, "{}", quote.price);
        }
    }
}
