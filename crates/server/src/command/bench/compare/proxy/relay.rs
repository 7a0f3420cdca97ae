//! One way of one connection: what is read goes on a line, and comes out when it has been on it for
//! long enough.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::hold::{Hold, Holding};

/// What happens to the bytes of one way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction {
    pub(super) delay: Duration,
    /// Nothing goes on the line before.
    pub(super) not_before: Instant,
    pub(super) hold: Option<Hold>,
}

/// What is on the line; nothing at all is the end.
#[derive(Debug)]
struct Parcel {
    due: Instant,
    bytes: Vec<u8>,
}

/// What comes next.
enum Next {
    Read(usize),
    Due,
    Held,
}

/// Passes on until the end, and the end as well.
///
/// # Errors
/// If one of the two sides breaks.
pub(super) async fn relay(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    direction: Direction,
) -> io::Result<()> {
    let mut line: VecDeque<Parcel> = VecDeque::new();
    let mut on_line = 0;
    let mut holding = direction.hold.map(Holding::new);
    let mut buffer = vec![0; READ_BYTES];
    let mut ended = false;
    loop {
        while let Some(parcel) = line.pop_front_if(|parcel| parcel.due <= Instant::now()) {
            if parcel.bytes.is_empty() {
                return to.shutdown().await;
            }
            on_line -= parcel.bytes.len();
            to.write_all(&parcel.bytes).await?;
        }
        let due = line.front().map(|parcel| parcel.due);
        let held = holding.as_ref().and_then(Holding::until);
        let room = !ended && on_line < LINE_BYTES_MAX;
        let next = tokio::select! {
            read = from.read(&mut buffer), if room => Next::Read(read?),
            () = at(due), if due.is_some() => Next::Due,
            () = at(held), if held.is_some() => Next::Held,
        };
        let bytes = match next {
            Next::Due => continue,
            Next::Held => holding.as_mut().map(Holding::release).unwrap_or_default(),
            Next::Read(0) => {
                ended = true;
                holding.as_mut().map(Holding::release).unwrap_or_default()
            }
            Next::Read(count) => {
                let came = buffer.get(..count).unwrap_or_default();
                holding.as_mut().map_or_else(|| came.to_vec(), |holding| holding.take(came))
            }
        };
        let due = Instant::now().max(direction.not_before) + direction.delay;
        if !bytes.is_empty() {
            on_line += bytes.len();
            line.push_back(Parcel { due, bytes });
        }
        if ended {
            line.push_back(Parcel { due, bytes: Vec::new() });
        }
    }
}

/// Waits until then.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

const READ_BYTES: usize = 32 * 1_024;
/// What may be on a line; beyond it nothing more is read, as where a real one is full.
const LINE_BYTES_MAX: usize = 4 << 20;
