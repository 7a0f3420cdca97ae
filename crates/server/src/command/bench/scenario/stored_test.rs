//! That channels are filled in order, each by one connection.

use super::super::super::connect::Clock;
use super::Filler;
use crate::command::bench::description::Description;
use crate::command::bench::subject::Subject;

#[test]
fn each_channel_is_filled_in_order_by_one_connection() {
    // Nobody is connected to before something is sent.
    let subject = Subject::running("http://127.0.0.1:9", Vec::new()).unwrap();
    let fanfare = Description::fanfare().unwrap();
    let mut filler = Filler::connect(&subject, &fanfare, 10..17, (64, Clock::start())).unwrap();
    assert_eq!(filler.lanes.len(), 4);
    let mut seen = std::collections::BTreeMap::<u32, (usize, u32)>::new();
    for (place, lane) in filler.lanes.iter_mut().enumerate() {
        for _ in 0..5 {
            let mark = lane.mark(0);
            let (by, next) = seen.entry(mark.channel).or_insert((place, 0));
            assert_eq!((*by, *next), (place, mark.number), "channel {}", mark.channel);
            *next += 1;
        }
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (10..17).collect::<Vec<_>>());
}
