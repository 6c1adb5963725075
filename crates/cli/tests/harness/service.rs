//! Local services that the tests expose, and what they carry.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use aws_lc_rs::digest::{Context, SHA256};

use crate::command::DEADLINE;

/// Serves each connection in a thread of its own; returns the target as the command line has it.
pub(crate) fn serve(
    handle: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, handle) = (connection.unwrap(), handle.clone());
            connection.set_read_timeout(Some(DEADLINE)).unwrap();
            thread::spawn(move || handle(connection));
        }
    });
    format!("tcp:{address}")
}

/// A web server as far as tests need one: `GET /LENGTH` answers with so many octets, and closes.
pub(crate) fn web(connection: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(&connection);
    let mut request = String::new();
    lines.read_line(&mut request)?;
    while lines.read_line(&mut String::new())? > 2 {}
    let length: usize = request
        .split_whitespace()
        .nth(1)
        .and_then(|path| path[1..].parse().ok())
        .unwrap();
    write!(
        &connection,
        "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n"
    )?;
    octets(length, |piece| (&connection).write_all(piece))
}

/// Fetches so many octets from [`web`], and returns the hash of what came.
pub(crate) fn fetch(address: SocketAddr, length: usize) -> Vec<u8> {
    let mut connection = connect(address);
    write!(connection, "GET /{length} HTTP/1.0\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = BufReader::new(connection);
    let mut status = String::new();
    answer.read_line(&mut status).unwrap();
    assert_eq!(status, "HTTP/1.0 200 OK\r\n");
    while answer.read_line(&mut String::new()).unwrap() > 2 {}
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        match answer.read(&mut buffer).unwrap() {
            0 => break,
            count => {
                digest.update(&buffer[..count]);
                total += count;
            }
        }
    }
    assert_eq!(total, length);
    digest.finish().as_ref().to_vec()
}

/// The hash of what [`web`] sends.
pub(crate) fn hash(length: usize) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    octets(length, |piece| {
        digest.update(piece);
        Ok(())
    })
    .unwrap();
    digest.finish().as_ref().to_vec()
}

/// Writes into a file what [`web`] sends, and returns its hash.
pub(crate) fn write_pattern(path: &Path, length: usize) -> Vec<u8> {
    let mut file = BufWriter::new(File::create_new(path).unwrap());
    octets(length, |piece| file.write_all(piece)).unwrap();
    file.flush().unwrap();
    hash(length)
}

/// The hash of what a file holds.
pub(crate) fn hash_of_file(path: &Path) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return digest.finish().as_ref().to_vec(),
            count => digest.update(&buffer[..count]),
        }
    }
}

/// Octets as two digits each.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Octets in which no piece equals another, so that none can be lost, doubled or swapped unseen.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(length);
    octets(length, |piece| {
        all.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    all
}

fn octets(length: usize, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    // xorshift64 (Marsaglia 2003), one word at a time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut piece = [0; 1 << 12];
    let mut left = length;
    while left > 0 {
        for word in piece.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let count = left.min(piece.len());
        each(&piece[..count])?;
        left -= count;
    }
    Ok(())
}

/// Hears everything first, and only then says it again.
pub(crate) fn echo_at_the_end(mut connection: TcpStream) -> io::Result<()> {
    let mut heard = Vec::new();
    connection.read_to_end(&mut heard)?;
    connection.write_all(&heard)?;
    connection.shutdown(Shutdown::Write)
}

/// A connection whose reads do not wait for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}
