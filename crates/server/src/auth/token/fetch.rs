//! Fetches the keys of issuers that have them at a URL, on the edge's runtime: at the start, as often
//! as their `Cache-Control` asks for, and when a token names a key that is not there. When that fails
//! the keys at hand go on, and it is tried again after longer and longer waits.

mod client;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::Tokens;
use super::issuer::{Issuer, Remote};
use super::keys::KeySet;
use crate::edge::{Drain, unix_millis};

/// How often keys are fetched whose answer says nothing about it.
const EVERY: Duration = Duration::from_hours(1);

/// Whatever an answer says, they are fetched not more often than this.
const EVERY_MIN: Duration = Duration::from_mins(1);

/// And not less often than this, so that a key that was taken away is not taken for good for ever.
const EVERY_MAX: Duration = Duration::from_hours(24);

/// The first wait after a failure; each further one is twice as long.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);

/// The longest such wait.
const BACK_OFF_MAX: Duration = Duration::from_mins(5);

/// Fetches from now on, until the server drains.
pub(crate) fn start(tokens: &Arc<Tokens>, drain: &Drain, tracker: &TaskTracker) {
    for place in 0..tokens.issuers.len() {
        let (tokens, mut drain) = (Arc::clone(tokens), drain.clone());
        tracker.spawn(async move {
            let Some(issuer) = tokens.issuers.get(place) else { return };
            let Some(remote) = &issuer.remote else { return };
            tokio::select! {
                () = drain.begun() => {}
                () = tokens.retired.cancelled() => {}
                () = go_on(&tokens, issuer, remote) => {}
            }
        });
    }
}

/// Fetches the keys of every issuer once, for a command; says in words what could not be had.
pub(crate) async fn once(tokens: &Tokens) -> Vec<String> {
    let mut troubles = Vec::new();
    for issuer in &tokens.issuers {
        let Some(remote) = &issuer.remote else { continue };
        match fetch(issuer, remote, &mut Vec::new()).await {
            Ok(_) => remote.end(Ok(unix_millis())),
            Err(why) => {
                troubles
                    .push(format!("the keys of issuers.{} cannot be fetched: {why}", issuer.name));
            }
        }
    }
    troubles
}

async fn go_on(tokens: &Tokens, issuer: &Issuer, remote: &Remote) {
    let mut known = Vec::new();
    let mut back_off = BACK_OFF_MIN;
    loop {
        remote.begin();
        let wait = match fetch(issuer, remote, &mut known).await {
            Ok(every) => {
                remote.end(Ok(unix_millis()));
                back_off = BACK_OFF_MIN;
                every
            }
            Err(why) => {
                remote.end(Err(()));
                let wait = back_off;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
                let (issuer, url) = (&*issuer.name, &*remote.url);
                tracing::warn!(issuer, url, why, ?wait, "an issuer's keys cannot be fetched");
                wait
            }
        };
        tokens.rounds.send_modify(|rounds| *rounds += 1);
        // Not all servers of one kind at once.
        let jittered = wait.mul_f64(0.9 + fastrand::f64() * 0.2);
        tokio::select! {
            () = tokio::time::sleep(jittered) => {}
            () = remote.wanted.notified() => {}
        }
    }
}

/// Fetches once; says when to do so again.
async fn fetch(issuer: &Issuer, remote: &Remote, known: &mut Vec<u8>) -> Result<Duration, String> {
    let got = client::get(&remote.url).await?;
    if got.body != *known {
        let keys = KeySet::of_jwks(&got.body, issuer.algorithms)?;
        tracing::info!(issuer = &*issuer.name, keys = keys.len(), "an issuer's keys were fetched");
        issuer.exchange(keys);
        *known = got.body;
    }
    Ok(got.cached_for.unwrap_or(EVERY).clamp(EVERY_MIN, EVERY_MAX))
}
