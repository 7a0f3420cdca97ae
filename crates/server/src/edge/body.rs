//! Request bodies: whole, within their limit, and not too slowly.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fanfare_core::code::Code;
use fanfare_protocol::native::problem::Problem;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clerk::LARGE_BYTES;
use crate::limit::Stake;

/// What a request body is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyRules {
    /// Bytes at most.
    pub bytes_max: usize,
    /// What a larger one is refused with, and what to do about it.
    pub too_large: (Code, &'static str),
    /// Bytes that have to come in every `progress_within`, or the end.
    pub progress_bytes: usize,
    /// See `progress_bytes`.
    pub progress_within: Duration,
}

/// How long, and how far, a body that was refused is read away, so that the client gets to read the
/// refusal: closing over unread bytes resets the connection.
const DISCARD_WITHIN: Duration = Duration::from_secs(2);
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads a body to its end, which holds what it needs of `stake`.
///
/// # Errors
/// 503 if too much is held already, 413 if it is too large, 408 if it comes too slowly, 400 if it
/// breaks off or is framed wrongly.
pub(super) async fn read<B>(
    body: &mut B,
    rules: BodyRules,
    stake: &mut Stake,
) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > rules.bytes_max as u64 {
        return Err(too_large(rules));
    }
    let mut whole = BytesMut::new();
    let mut until = Instant::now() + rules.progress_within;
    let mut wanted = rules.progress_bytes;
    loop {
        let frame = match timeout_at(until, body.frame()).await {
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_broken))) => return Err(broken()),
            Err(_elapsed) => return Err(too_slow(rules)),
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > rules.bytes_max {
            return Err(too_large(rules));
        }
        let length = whole.len() + data.len();
        if length > LARGE_BYTES {
            // It holds what it announces, and has its place at once: pages that nothing has been
            // written to cost nothing.
            let announced = usize::try_from(announced).unwrap_or(usize::MAX).max(length);
            stake.grow_to(announced)?;
            whole.reserve(announced.saturating_sub(whole.len()));
        }
        wanted = wanted.saturating_sub(data.len());
        if wanted == 0 {
            wanted = rules.progress_bytes;
            until = Instant::now() + rules.progress_within;
        }
        whole.extend_from_slice(&data);
    }
}

/// Reads a refused body away, within bounds.
pub(super) async fn discard<B>(body: &mut B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let reading = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // What is still on its way after that meets a closed connection, as its sender was told.
    let _read_or_given_up = timeout(DISCARD_WITHIN, reading).await;
}

fn too_large(rules: BodyRules) -> Problem {
    Problem::new(
        rules.too_large.0,
        format!("The body is larger than {} bytes.", rules.bytes_max),
        rules.too_large.1,
    )
}

fn too_slow(rules: BodyRules) -> Problem {
    Problem::new(
        Code::RequestTimeout,
        format!(
            "The body brought less than {} bytes in {} seconds.",
            rules.progress_bytes,
            rules.progress_within.as_secs()
        ),
        "Send faster, or change `limits.request_body_progress_bytes` and \
         `limits.request_body_progress_timeout`.",
    )
}

fn broken() -> Problem {
    Problem::new(
        Code::RequestMalformed,
        "The body broke off, or its chunks cannot be read.",
        "Send the whole body with a right Content-Length or in well-formed chunks.",
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use bytes::Bytes;
    use fanfare_core::code::Code;
    use http_body::Frame;
    use http_body_util::Full;
    use tokio::time::{Instant, sleep};

    use super::{BodyRules, Stake, read};
    use crate::limit::{Limiter, Terms};

    const RULES: BodyRules = BodyRules {
        bytes_max: 10,
        too_large: (Code::PayloadTooLarge, "Send less."),
        progress_bytes: 4,
        progress_within: Duration::from_secs(30),
    };

    fn stake() -> Stake {
        let terms = Terms { large_bytes: Some(1 << 20), ..Terms::default() };
        Limiter::new(8, std::sync::Arc::default()).stake(&terms)
    }

    /// A body that yields one byte after each pause, and never ends when they are used up.
    struct Dripping(Vec<Duration>, Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

    impl http_body::Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let this = &mut *self;
            if this.1.is_none() {
                let Some(pause) = this.0.pop() else {
                    return std::task::Poll::Pending;
                };
                this.1 = Some(Box::pin(sleep(pause)));
            }
            let Some(pause) = &mut this.1 else {
                return std::task::Poll::Pending;
            };
            std::task::ready!(pause.as_mut().poll(context));
            this.1 = None;
            std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test]
    async fn a_body_within_its_limit_is_read_whole() {
        let mut body = Full::new(Bytes::from("0123456789"));
        assert_eq!(read(&mut body, RULES, &mut stake()).await.unwrap(), "0123456789");
        let refused = read(&mut Full::new(Bytes::from("0123456789a")), RULES, &mut stake()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_a_length_is_cut_at_its_limit() {
        let mut body = Dripping(vec![Duration::ZERO; 11], None);
        let refused = read(&mut body, RULES, &mut stake()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PayloadTooLarge);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripped_body_ends_when_it_falls_behind() {
        let began = Instant::now();
        let pauses = vec![Duration::from_secs(8); 8];
        let refused = read(&mut Dripping(pauses, None), RULES, &mut stake()).await;
        assert_eq!(refused.unwrap_err().code(), Code::RequestTimeout);
        // Three bytes came in 30 seconds where four were wanted.
        assert_eq!(began.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_up_may_take_its_time() {
        let began = Instant::now();
        let pauses = vec![Duration::from_secs(7); 9];
        let refused = read(&mut Dripping(pauses, None), RULES, &mut stake()).await;
        assert_eq!(refused.unwrap_err().code(), Code::RequestTimeout, "it never ends");
        // Eight bytes were two times four; the ninth alone is not enough for another 30 seconds.
        assert_eq!(began.elapsed(), Duration::from_secs(56 + 30));
    }
}
