//! Running the command, and programs of others beside it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for anything before it fails. Machines that run tests may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How long a command may take to end once it was told to.
pub(crate) const ENDING_DEADLINE: Duration = Duration::from_secs(5);

/// The command with these arguments, and with nothing of it in the environment.
pub(crate) fn keyway<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(KEYWAY);
    command.args(arguments);
    command
}

/// Where the command lies, for programs that start it themselves.
pub(crate) const KEYWAY: &str = env!("CARGO_BIN_EXE_keyway");

/// A program in whose environment nothing is for the command.
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("KEYWAY_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// What a command that ended by itself left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end, with nothing on stdin.
pub(crate) fn run(command: &mut Command) -> Ended {
    run_fed(command, Vec::new())
}

/// Runs a command to its end, with this on stdin.
pub(crate) fn run_fed(command: &mut Command, stdin: Vec<u8>) -> Ended {
    let mut running = Running::start(command);
    running.feed(stdin);
    let stdout = running.rest_of_stdout();
    let code = running.wait(DEADLINE);
    Ended {
        code,
        stdout,
        stderr: running.rest_of_stderr(),
    }
}

/// A command that runs; killed when dropped.
pub(crate) struct Running {
    pid: Pid,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    /// What was taken from stderr so far.
    said: String,
    ended: Receiver<ExitStatus>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = chunks(child.stdout.take().unwrap());
        let stderr = chunks(child.stderr.take().unwrap());
        let pid = Pid::from_child(&child);
        Self {
            pid,
            stdin,
            stdout,
            stderr,
            said: String::new(),
            ended: reap(child),
        }
    }

    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.line_within(DEADLINE) {
            Ok(line) => line,
            Err(error) => panic!(
                "no line on stdout ({error}); stderr: {}",
                self.rest_of_stderr()
            ),
        }
    }

    /// The next line on stdout, if one comes within this time.
    pub(crate) fn line_within(&mut self, time: Duration) -> Result<String, RecvTimeoutError> {
        let line = self.stdout.recv_timeout(time)?;
        Ok(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    /// Waits for the line that says the command is ready, and returns what stands after that word.
    pub(crate) fn ready(&mut self) -> String {
        let line = self.line();
        let rest = line.strip_prefix("ready");
        rest.unwrap_or_else(|| panic!("`{line}` is not `ready`"))
            .trim()
            .to_owned()
    }

    /// Waits for a line on stdout with these words in it.
    pub(crate) fn wait_for_line(&mut self, words: &str) {
        while !self.line().contains(words) {}
    }

    /// Waits until so many octets have come on stdout, and returns them; no line may reach beyond them.
    pub(crate) fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.stdout.recv_timeout(DEADLINE).unwrap());
        }
        all
    }

    /// All that comes on stdout until its end.
    pub(crate) fn rest_of_stdout(&mut self) -> String {
        String::from_utf8(self.rest_of_stdout_as_octets()).unwrap()
    }

    pub(crate) fn rest_of_stdout_as_octets(&mut self) -> Vec<u8> {
        to_end(&self.stdout)
    }

    /// Waits until stderr has had a line with these words in it, and returns that line.
    pub(crate) fn wait_for_words(&mut self, words: &str) -> String {
        match self.words_within(DEADLINE, words) {
            Ok(line) => line,
            Err(error) => panic!("nobody said `{words}` ({error}) in: {}", self.said),
        }
    }

    /// The first line on stderr with these words in it, if one comes before the end, and never this long after the one before.
    pub(crate) fn words_within(
        &mut self,
        time: Duration,
        words: &str,
    ) -> Result<String, RecvTimeoutError> {
        loop {
            if let Some(line) = self.said.lines().find(|line| line.contains(words)) {
                return Ok(line.to_owned());
            }
            let line = self.stderr.recv_timeout(time)?;
            self.said.push_str(&String::from_utf8_lossy(&line));
        }
    }

    /// All that came on stderr, of a command that has ended.
    pub(crate) fn all_that_was_said(&mut self) -> String {
        self.rest_of_stderr()
    }

    fn rest_of_stderr(&mut self) -> String {
        self.kill();
        let rest = to_end(&self.stderr);
        self.said.push_str(&String::from_utf8_lossy(&rest));
        self.said.clone()
    }

    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.stdin.as_mut().unwrap()
    }

    /// Writes to stdin, and closes it.
    pub(crate) fn feed(&mut self, octets: Vec<u8>) {
        let mut stdin = self.stdin.take().unwrap();
        thread::spawn(move || stdin.write_all(&octets));
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The folder in which the kernel says what the process is doing (proc(5)).
    pub(crate) fn in_proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.pid.as_raw_nonzero()))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits until the command has ended, and returns its exit code.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Option<i32> {
        match self.ended.recv_timeout(deadline) {
            Ok(status) => status.code(),
            Err(_) => panic!("still running; stderr: {}", self.rest_of_stderr()),
        }
    }

    fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for the child in a thread, because the standard library knows no deadline for that.
fn reap(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait().unwrap()));
    ended
}

/// Lines as they come, or what there is at the end.
fn chunks(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || read_lines(BufReader::new(output), &sender));
    receiver
}

fn read_lines(mut output: impl BufRead, sender: &Sender<Vec<u8>>) {
    loop {
        let mut line = Vec::new();
        match output.read_until(b'\n', &mut line) {
            Ok(1..) if sender.send(line).is_ok() => {}
            _ => return,
        }
    }
}

fn to_end(chunks: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match chunks.recv_timeout(DEADLINE) {
            Ok(chunk) => all.extend(chunk),
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) => panic!("the output does not end"),
        }
    }
}
