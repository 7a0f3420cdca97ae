//! The wheel against a plain list of deadlines.

use fanfare_core::shard::ConnectionId;

use super::{TICK_MILLIS, Wheel};

fn id(index: u32) -> ConnectionId {
    ConnectionId { index, generation: 0 }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn every_deadline_passes_once_in_its_tick() {
    for seed in 1..=40_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut now = random.below(1_000_000);
        let mut wheel = Wheel::new(now);
        let mut model: Vec<(u32, u64)> = Vec::new();
        let mut due = Vec::new();
        for index in 0..600_u32 {
            let span = [200, 20_000, 90_000, 5_000_000][usize::try_from(random.below(4)).unwrap()];
            let at = now + random.below(span);
            wheel.arm(id(index), wheel.tick_of(at));
            model.push((index, at));
            now += match random.below(4) {
                0 => 0,
                1 => random.below(50),
                2 => random.below(3_000),
                _ => random.below(60_000),
            };
            due.clear();
            wheel.advance(now, &mut due);
            check(&wheel, &mut model, &due, now);
        }
        now += 10_000_000;
        due.clear();
        wheel.advance(now, &mut due);
        check(&wheel, &mut model, &due, now);
        assert!(model.is_empty(), "seed {seed}: {} were lost", model.len());
        assert_eq!(wheel.next(), None);
    }
}

fn check(wheel: &Wheel, model: &mut Vec<(u32, u64)>, due: &[(ConnectionId, u32)], now: u64) {
    for (connection, _) in due {
        let place =
            model.iter().position(|(index, _)| *index == connection.index).expect("due once");
        let (_, at) = model.swap_remove(place);
        assert!(at <= now, "due {} ms early", at - now);
    }
    for (index, at) in model.iter() {
        assert!(at + TICK_MILLIS * 2 > now, "{index} is {} late", now - at);
    }
    if let Some(first) = model.iter().map(|(_, at)| *at).min() {
        let next = wheel.next().expect("something is set");
        assert!(next <= first.max(now) + 2 * TICK_MILLIS, "would oversleep");
    }
}

#[test]
fn an_empty_wheel_sleeps_for_ever_and_a_set_one_does_not_spin() {
    let mut wheel = Wheel::new(1_000);
    assert_eq!(wheel.next(), None);
    wheel.arm(id(1), wheel.tick_of(31_000));
    let next = wheel.next().expect("something is set");
    assert!(next > 1_000 + TICK_MILLIS, "a far deadline is not polled for");
    let mut due = Vec::new();
    wheel.advance(30_999, &mut due);
    assert!(due.is_empty());
    wheel.advance(31_000 + TICK_MILLIS, &mut due);
    assert_eq!(due.len(), 1);
}
