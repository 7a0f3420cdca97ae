//! One nginx of one test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cli::run::Folder;
use crate::server::Server;
use crate::wire::Wire;

/// Where Debian installs it.
const BINARY: &str = "/usr/sbin/nginx";

/// A running nginx.
#[derive(Debug)]
pub(super) struct Proxy {
    child: Child,
    address: String,
    _folder: Folder,
}

impl Proxy {
    /// An nginx in front of `server`, with these lines beside `proxy_pass`. None, and it is said, if
    /// there is no nginx on this machine.
    pub(super) fn start(server: &Server, lines: &str) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            eprintln!("SKIPPED: {BINARY} is missing; Debian's nginx-light has it");
            return None;
        }
        // The port is free when it is chosen, and somebody else may take it until nginx does.
        (0..5).find_map(|_| Self::try_start(server, lines)).or_else(|| panic!("nginx has no port"))
    }

    fn try_start(server: &Server, lines: &str) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = Folder::new();
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(free.port(), server.address(), lines)).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        command.args(["-e", "stderr"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        // It says so after it has begun to listen.
        let listens = told.any(|line| line.is_ok_and(|line| line.contains("start worker")));
        let mut proxy = Self { child, address: free.to_string(), _folder: folder };
        if !listens {
            proxy.child.wait().unwrap();
            return None;
        }
        // Whatever it has to say must find a reader.
        std::thread::spawn(move || told.for_each(drop));
        Some(proxy)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn connect(&self) -> Wire {
        Wire::connect(&self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // The master ends its workers; killed, it could not.
            let _left = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _code = self.child.wait();
    }
}

/// Debian's defaults but for the folders, the port and one worker.
fn configuration(port: u16, server: &str, lines: &str) -> String {
    format!(
        "daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{}}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
    proxy_pass http://{server};
    {lines}
    }}
  }}
}}
"
    )
}
