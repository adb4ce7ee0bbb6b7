//! Real processes for tests: nodes on loopback, commands with their output, ports that are free.
//! A node that a test leaves behind is killed when its handle is dropped.
#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests of real processes need the real world")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const STORMGLASS: &str = env!("CARGO_BIN_EXE_stormglass");

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished command printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program to its end.
pub(crate) fn stormglass(arguments: &[&str]) -> Printed {
    printed(Command::new(STORMGLASS).args(arguments).output().unwrap())
}

pub(crate) fn printed(output: Output) -> Printed {
    Printed {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Ports that nobody listens on now.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Configuration files of a cluster, one a node, in a folder.
pub(crate) struct ClusterFiles {
    pub(crate) folder: PathBuf,
    pub(crate) ports: Vec<u16>,
}

impl ClusterFiles {
    pub(crate) fn new(folder: &Path, nodes: usize, extra: &str) -> Self {
        let ports = free_ports(nodes);
        let members: String = (1..).zip(&ports).map(|(node, port)| format!("  n{node}: 127.0.0.1:{port}\n")).collect();
        for node in 1..=nodes {
            let text = format!("node: n{node}\ndata: data-n{node}\nnodes:\n{members}partitions: 16\n{extra}");
            std::fs::write(folder.join(format!("n{node}.yaml")), text).unwrap();
        }
        Self { folder: folder.to_path_buf(), ports }
    }

    pub(crate) fn config(&self, node: usize) -> PathBuf {
        self.folder.join(format!("n{node}.yaml"))
    }

    pub(crate) fn data(&self, node: usize) -> PathBuf {
        self.folder.join(format!("data-n{node}"))
    }

    pub(crate) fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.ports[node - 1])
    }

    /// Starts a node and waits until it serves.
    pub(crate) fn serve(&self, node: usize) -> Server {
        Server::start(Command::new(STORMGLASS).args(["serve", "--config"]).arg(self.config(node)))
    }

    /// Starts a node that must refuse to; waits for its end.
    pub(crate) fn refuse(&self, node: usize) -> Printed {
        printed(Command::new(STORMGLASS).args(["serve", "--config"]).arg(self.config(node)).output().unwrap())
    }
}

/// A running node.
pub(crate) struct Server {
    child: Child,
    /// What it said when it was ready.
    pub(crate) greeting: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("serves on") {
            let mut line = String::new();
            if errors.read_line(&mut line).unwrap() == 0 {
                panic!("the node ended before it served: {greeting}{:?}", child.wait());
            }
            greeting.push_str(&line);
        }
        // Whatever it says later must not fill the pipe.
        thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = errors.read_to_end(&mut rest);
        });
        Self { child, greeting }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and wait for a clean end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until `look` says yes; panics with `what` when it never does.
pub(crate) fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
