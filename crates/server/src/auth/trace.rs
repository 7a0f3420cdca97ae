//! Refusals in the log: `serve` tells strangers little, and keeps the rest under a number that they
//! are told.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use fanfare_protocol::native::problem::Problem;

/// What a client is told of a refusal: the same, with the number of the line of the log that says the
/// rest. To be called where a refusal is told, and nowhere else: each call that finds something to
/// say writes a line.
pub(crate) fn told(mut problem: Problem) -> Problem {
    let Some(untold) = problem.take_untold() else { return problem };
    // A number that stands in no log would be a promise broken.
    if !tracing::enabled!(tracing::Level::INFO) || !LINES.take() {
        return problem;
    }
    let trace = fastrand::u64(..) >> 16;
    let shown = Problem::shown_trace(trace);
    let (code, channel) = (problem.code().name(), problem.channel());
    let (why, change) = (untold.why.as_ref(), untold.change.as_ref());
    tracing::info!(trace = shown, code, channel, why, change, "a request is refused");
    problem.with_trace(trace)
}

/// The lines that are written.
static LINES: Lines = Lines { this_second: Mutex::new(None) };

/// Lines at most a second: whoever is refused again and again is not to fill a disk.
struct Lines {
    this_second: Mutex<Option<Second>>,
}

struct Second {
    began: Instant,
    written: u32,
    left_out: u32,
}

impl Lines {
    /// Whether one more line may be written; says once a second how many were not.
    fn take(&self) -> bool {
        let now = Instant::now();
        let mut this_second = self.this_second.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Second { began: now, written: 0, left_out: 0 };
        let second = this_second.get_or_insert(fresh);
        if now.saturating_duration_since(second.began) >= Duration::from_secs(1) {
            let left_out = second.left_out;
            *second = Second { began: now, written: 0, left_out: 0 };
            if left_out > 0 {
                tracing::info!(left_out, "more requests were refused, which no line tells of");
            }
        }
        if second.written < LINES_PER_SECOND {
            second.written += 1;
            return true;
        }
        second.left_out = second.left_out.saturating_add(1);
        false
    }
}

const LINES_PER_SECOND: u32 = 50;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{LINES_PER_SECOND, Lines};

    #[test]
    fn who_is_refused_again_and_again_fills_no_log() {
        let lines = Lines { this_second: Mutex::new(None) };
        let written = (0..10_000).filter(|_| lines.take()).count();
        // Unless the machine stands still in between, one second's worth.
        assert!(written >= LINES_PER_SECOND as usize && written < 1_000, "{written}");
    }
}
