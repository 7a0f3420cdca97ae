//! A proxy in a thread of its own that does what networks do: it delays each way, holds answers
//! back, and cuts connections. It passes bytes on and changes none.
//!
//! - `relay`: one way of one connection
//! - `hold`: what is held back of an answer, and until when

mod hold;
mod relay;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

pub(super) use hold::Hold;
use relay::{Direction, relay};

/// What a proxy does to what passes through it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Conditions {
    /// How long everything is on its way, in each direction.
    pub(super) delay: Duration,
    /// How answers are held back, if they are.
    pub(super) hold: Option<Hold>,
}

/// How a connection is cut. What is on its way is thrown away each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// In order: the client reads the end of its connection.
    Fin,
    /// By a reset.
    Reset,
    /// Nothing comes through any more, and nobody is told.
    Silence,
}

/// A proxy that runs; it ends with this value.
#[derive(Debug)]
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    cuts: watch::Sender<Option<Cut>>,
    carried_out: Arc<AtomicUsize>,
    leaves: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// What each connection needs.
#[derive(Debug, Clone)]
struct Passage {
    to: SocketAddr,
    line: Conditions,
    cuts: watch::Receiver<Option<Cut>>,
    carried_out: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on loopback and passes on to this address.
    ///
    /// # Errors
    /// If there is no port or no thread to be had.
    pub(super) fn start(to: SocketAddr, line: Conditions) -> Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (cuts, receiver) = watch::channel(None);
        let carried_out = Arc::new(AtomicUsize::new(0));
        let passage = Passage { to, line, cuts: receiver, carried_out: Arc::clone(&carried_out) };
        let leaves = CancellationToken::new();
        let told = leaves.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = told.cancelled() => {}
                    () = serve(listener, &passage) => {}
                }
            });
        })?;
        Ok(Self { address, cuts, carried_out, leaves, thread: Some(thread) })
    }

    /// Cuts all connections that there are, and waits until so many are cut. Those made later are
    /// not touched.
    ///
    /// # Errors
    /// If there are not so many to cut.
    pub(super) async fn cut(&self, cut: Cut, connections: usize) -> Result<()> {
        let before = self.carried_out.load(Ordering::Acquire);
        self.cuts.send_replace(Some(cut));
        let until = Instant::now() + CUT_MAX;
        loop {
            let done = self.carried_out.load(Ordering::Acquire) - before;
            if done >= connections {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("of {connections} connections through the proxy {done} could be cut");
            }
            sleep(CUT_PAUSE).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.leaves.cancel();
        // A proxy that has panicked already carries nothing any more.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: std::net::TcpListener, passage: &Passage) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let mut passage = passage.clone();
                    // Cuts of the past are none of a new connection's.
                    passage.cuts.mark_unchanged();
                    connections.spawn(carry(client, passage, Instant::now()));
                }
                // No descriptors, say; the client that waits for one is served when there is one.
                Err(_unaccepted) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// Carries one connection to its end.
async fn carry(mut client: TcpStream, mut passage: Passage, accepted: Instant) {
    let Ok(mut server) = TcpStream::connect(passage.to).await else {
        reset(client);
        return;
    };
    // Where it fails, bytes are sent a little later.
    let _unset = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let Conditions { delay, hold } = passage.line;
    let outcome = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        // On a real line the handshake of TCP takes a round trip before a client may speak. This
        // one was over at once, so what is said first waits for it here.
        let there = Direction { delay, not_before: accepted + 2 * delay, hold: None };
        let back = Direction { delay, not_before: accepted, hold };
        tokio::select! {
            cut = next_cut(&mut passage.cuts) => Ok(cut),
            ended = async {
                tokio::try_join!(
                    relay(&mut from_client, &mut to_server, there),
                    relay(&mut from_server, &mut to_client, back),
                )
            } => Err(ended),
        }
    };
    let cut = match outcome {
        Ok(cut) => cut,
        Err(Ok(_both)) => return,
        // Whoever broke it off, the other learns of it in the same way.
        Err(Err(_broken)) => {
            reset(server);
            reset(client);
            return;
        }
    };
    passage.carried_out.fetch_add(1, Ordering::AcqRel);
    match cut {
        Cut::Fin => {
            reset(server);
            // Data that nobody reads would turn the end into a reset.
            let _gone = client.shutdown().await;
            let _late = timeout(LINGER_MAX, swallow(&mut client)).await;
        }
        Cut::Reset => {
            reset(server);
            reset(client);
        }
        Cut::Silence => {
            let _gone = swallow(&mut client).await;
            reset(server);
        }
    }
}

/// The next cut; for ever away once the proxy ends.
async fn next_cut(cuts: &mut watch::Receiver<Option<Cut>>) -> Cut {
    loop {
        if cuts.changed().await.is_err() {
            return std::future::pending().await;
        }
        if let Some(cut) = *cuts.borrow() {
            return cut;
        }
    }
}

/// Reads to the end and keeps nothing.
async fn swallow(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1_024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Ends a connection by a reset.
fn reset(stream: TcpStream) {
    // Where it fails the connection ends in order, which is an end as well.
    let _unset = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

/// How long it may take until connections are cut.
const CUT_MAX: Duration = Duration::from_secs(5);
const CUT_PAUSE: Duration = Duration::from_micros(200);
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// How long a client may take to hang up after the end of its connection.
const LINGER_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
#[path = "proxy_test.rs"]
mod tests;
