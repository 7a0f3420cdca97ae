//! A server under measurement: started for it and ended with it, or one that runs already.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::description::{Description, Process, Way};
use super::folder::{self, Folder};
use super::template::{Template, Values};
use super::usage::{Memory, Processes};
use crate::exit::Exit;

/// What a server is started with.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    /// `NAME=VALUE` for its environment.
    pub(super) environment: Vec<(String, String)>,
    pub(super) shards: usize,
    /// Bytes of the floor's answer.
    pub(super) answer_bytes: usize,
    /// The folder for its files, if they are to outlive it.
    pub(super) folder: Option<PathBuf>,
    /// How long it may take to listen, if that is longer than usual.
    pub(super) within: Option<Duration>,
}

/// A server that runs.
#[derive(Debug)]
pub(super) struct Subject {
    /// Where subscribers go.
    pub(super) address: SocketAddr,
    /// What a request names as its host.
    pub(super) host: String,
    processes: Processes,
    children: Vec<Child>,
    folder: Option<Folder>,
    ports: [u16; 3],
}

impl Subject {
    /// Starts a server.
    ///
    /// # Errors
    /// If it does not start, or does not listen in time.
    pub(super) fn start(description: &Description, start: &Start) -> Result<Self> {
        if description.processes.is_empty() {
            bail!("the description of {} has no [[process]]: give --url", description.name);
        }
        let mut subject = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            host: String::new(),
            processes: Processes::of(Vec::new()),
            children: Vec::new(),
            folder: None,
            ports: free_ports()?,
        };
        if start.folder.is_none() && !description.files.is_empty() {
            subject.folder = Some(Folder::new()?);
        }
        let fanfare = std::env::current_exe()?;
        let fanfare = fanfare.to_str().context("the path of this program is no text")?;
        let folder = subject.folder.as_ref().map(Folder::path).or(start.folder.as_deref());
        let folder = folder.unwrap_or(Path::new("/tmp")).display().to_string();
        let (ports, shards, length) = (subject.ports, start.shards, start.answer_bytes);
        let values =
            Values { fanfare, folder: &folder, ports, shards, length, ..Values::default() };
        for file in &description.files {
            copy(&description.folder.join(file), Path::new(&folder), &values)?;
        }
        let mut measured = Vec::new();
        for process in &description.processes {
            let (child, address) = launch(process, description, start, &values)
                .with_context(|| format!("{} does not start", description.name))?;
            thread::sleep(process.settle);
            if process.measured {
                measured.push(child.id());
                subject.address = address.unwrap_or(subject.address);
            }
            subject.children.push(child);
        }
        subject.host = subject.address.to_string();
        subject.processes = Processes::of(measured);
        Ok(subject)
    }

    /// A server that runs already. Its CPU and memory are told if its processes are named.
    ///
    /// # Errors
    /// If the URL names no address.
    pub(super) fn running(url: &str, processes: Vec<u32>) -> Result<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://"));
        let host = rest.unwrap_or(url).split('/').next().unwrap_or_default();
        let port = if host.contains(':') { "" } else { ":80" };
        let mut addresses = format!("{host}{port}")
            .to_socket_addrs()
            .with_context(|| format!("{url} is no address; write http://127.0.0.1:8300"))?;
        Ok(Self {
            address: addresses.next().with_context(|| format!("{host} has no address"))?,
            host: host.to_owned(),
            processes: Processes::of(processes),
            children: Vec::new(),
            folder: None,
            ports: [0; 3],
        })
    }

    /// Where this way of publishing leads.
    ///
    /// # Errors
    /// If that is no address.
    pub(super) fn publish_address(&self, way: &Way) -> Result<SocketAddr> {
        let Some(address) = &way.address else {
            return Ok(self.address);
        };
        let text = address.filled(&Values { ports: self.ports, ..Values::default() });
        text.parse().with_context(|| format!("{text} is no address to publish to"))
    }

    /// CPU time so far, once it has come to rest; `None` if nobody said which processes it has.
    ///
    /// # Errors
    /// If the kernel does not tell, or a process has ended.
    pub(super) fn cpu(&self) -> Result<Option<u64>> {
        if self.processes.is_empty() { Ok(None) } else { self.processes.cpu_at_rest().map(Some) }
    }

    /// CPU time so far, at this moment.
    ///
    /// # Errors
    /// As [`Self::cpu`].
    pub(super) fn cpu_now(&self) -> Result<Option<u64>> {
        if self.processes.is_empty() { Ok(None) } else { self.processes.cpu().map(Some) }
    }

    /// Ends it as an operator would and waits until it has; says how long that took.
    ///
    /// # Errors
    /// If it does not end in time, or says that something went wrong.
    pub(super) fn stop(mut self, within: Duration) -> Result<Duration> {
        let begun = Instant::now();
        for child in &mut self.children {
            tell(child.id(), Signal::TERM)?;
            loop {
                match child.try_wait()? {
                    Some(status) if status.success() => break,
                    Some(status) => bail!("the server ended with {status}"),
                    None if begun.elapsed() > within => bail!("the server does not end"),
                    None => thread::sleep(Duration::from_millis(2)),
                }
            }
        }
        self.children.clear();
        Ok(begun.elapsed())
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// If it has ended already.
    pub(super) fn kill(mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                bail!("the server had ended with {status}");
            }
            child.kill()?;
            child.wait()?;
        }
        self.children.clear();
        Ok(())
    }

    /// The most memory that it has had resident since the last time that this was asked, in bytes;
    /// `None` if nobody said which processes it has.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(super) fn memory_peak(&self) -> Result<Option<u64>> {
        if self.processes.is_empty() { Ok(None) } else { self.processes.memory_peak().map(Some) }
    }

    /// Its memory; `None` if nobody said which processes it has.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(super) fn memory(&self) -> Result<Option<Memory>> {
        if self.processes.is_empty() { Ok(None) } else { self.processes.memory().map(Some) }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let roots = self.children.iter().map(Child::id).collect();
        let all = Processes::of(roots).all().unwrap_or_default();
        // Whoever has ended already cannot be told and need not be.
        for child in &self.children {
            let _ended = tell(child.id(), Signal::TERM);
        }
        let until = Instant::now() + LEAVE_MAX;
        for child in &mut self.children {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(10));
            }
            let _ended = child.kill();
            let _code = child.wait();
        }
        // Children of children, where their parent left them behind.
        for process in all {
            if Processes::of(vec![process]).cpu().is_ok() {
                let _ended = tell(process, Signal::KILL);
            }
        }
    }
}

/// Begins to wait for Ctrl-C and SIGTERM, which end the process: its folders are removed, and its
/// servers are told by their guards.
///
/// # Errors
/// If signals cannot be waited for.
pub(super) fn leave_on_signal() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let Ok(mut terminated) = signal(SignalKind::terminate()) else {
                return;
            };
            tokio::select! {
                _interrupted = tokio::signal::ctrl_c() => {}
                _terminated = terminated.recv() => {}
            }
            folder::remove_all();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        });
    });
    Ok(())
}

/// Runs a command so that it does not outlive whoever runs the bench: the process takes a signal
/// for its parent's end, and becomes the command.
///
/// # Errors
/// If the command cannot be run; otherwise it does not come back.
pub(super) fn guard(command: &[String]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let (program, arguments) = command.split_first().context("no command")?;
    Err(Command::new(program).args(arguments).exec()).with_context(|| program.clone())
}

fn launch(
    process: &Process,
    description: &Description,
    start: &Start,
    values: &Values<'_>,
) -> Result<(Child, Option<SocketAddr>)> {
    let mut command = Command::new(values.fanfare);
    command.args(["bench", "guard", "--"]);
    command.args(process.command.iter().map(|word| word.filled(values)));
    let fill = |(name, value): &(String, Template)| (name.clone(), value.filled(values));
    command.envs(process.environment.iter().map(fill));
    command.envs(start.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(&description.folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let lines = lines(&mut child)?;
    let address = process.address.as_ref().map(|address| address.filled(values));
    let until = Instant::now() + start.within.unwrap_or(START_MAX);
    let found = match address.as_deref() {
        Some("") => Ok(None),
        Some(address) => wait_to_listen(&mut child, (address, until), &lines).map(Some),
        None => told_address(&lines, until).map(Some),
    };
    match found {
        Ok(address) => Ok((child, address)),
        Err(error) => {
            let _ended = child.kill();
            let _code = child.wait();
            Err(error)
        }
    }
}

/// What it says on stderr. Somebody has to read that, or its pipe would fill.
fn lines(child: &mut Child) -> Result<Receiver<String>> {
    let stderr = child.stderr.take().context("the child has no stderr")?;
    let (sender, receiver) = sync_channel(LINES_MAX);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // What nobody waits for any more is dropped.
            let _heard = sender.try_send(line);
        }
    });
    Ok(receiver)
}

fn told_address(lines: &Receiver<String>, until: Instant) -> Result<SocketAddr> {
    let mut said = Vec::new();
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if let Some((_, rest)) = line.split_once("127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return Ok(SocketAddr::from(([127, 0, 0, 1], port.parse::<u16>()?)));
        }
        said.push(line);
    }
    bail!("it told no address of 127.0.0.1 on stderr; it said: {}", said.join(" / "));
}

fn wait_to_listen(
    child: &mut Child,
    (address, until): (&str, Instant),
    lines: &Receiver<String>,
) -> Result<SocketAddr> {
    let address: SocketAddr = address.parse().with_context(|| address.to_owned())?;
    while Instant::now() < until {
        match TcpStream::connect(address) {
            Ok(_listens) => return Ok(address),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            let said: Vec<_> = lines.try_iter().collect();
            bail!("it ended ({status}); it said: {}", said.join(" / "));
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("it does not listen on {address}");
}

/// Copies a file of a description with its holes filled. Braces that hold anything but a word of
/// ours are text, and so are words that are none of ours: configuration files have their own.
fn copy(from: &Path, folder: &Path, values: &Values<'_>) -> Result<()> {
    let text = fs::read_to_string(from).with_context(|| from.display().to_string())?;
    let mut filled = text;
    for word in ["{folder}", "{port}", "{publish_port}", "{origin_port}"] {
        filled = filled.replace(word, &Template::read(word)?.filled(values));
    }
    let name = from.file_name().context("a file without a name")?;
    fs::write(folder.join(name), filled)?;
    Ok(())
}

fn free_ports() -> Result<[u16; 3]> {
    let listen = || TcpListener::bind(("127.0.0.1", 0));
    let listeners = [listen()?, listen()?, listen()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn tell(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("no process")?;
    Ok(kill_process(pid, signal)?)
}

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// How long a server may take to leave, before it is killed.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Lines that are kept for whoever asks why a server did not start.
const LINES_MAX: usize = 64;
