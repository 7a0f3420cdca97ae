//! A proxy that cuts less than it says, or delays less, makes every figure behind it a lie.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Conditions, Cut, Proxy};

/// Says everything back.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || say_back(stream));
        }
    });
    address
}

fn say_back(mut stream: TcpStream) {
    let mut buffer = [0; 1_024];
    // However the client leaves, it is the end.
    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..bytes]).is_err() {
            return;
        }
    }
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Says something and waits for it to come back.
fn talk(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    stream.write_all(b"there and back").unwrap();
    let mut buffer = [0; 14];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"there and back");
    began.elapsed()
}

fn cut(proxy: &Proxy, cut: Cut, connections: usize) -> anyhow::Result<()> {
    crate::command::runtime().unwrap().block_on(proxy.cut(cut, connections))
}

#[test]
fn each_way_takes_the_delay_and_the_first_word_waits_for_a_handshake_too() {
    let delay = Duration::from_millis(30);
    let proxy = Proxy::start(echo(), Conditions { delay, hold: None }).unwrap();
    let mut stream = connect(&proxy);
    let first = talk(&mut stream);
    // The proxy accepts a little after the client has connected, never before.
    assert!(first >= delay * 4 - Duration::from_millis(2), "{first:?}");
    let second = talk(&mut stream);
    assert!(second >= delay * 2, "{second:?}");
}

#[test]
fn the_end_of_one_side_is_told_to_the_other() {
    let proxy = Proxy::start(echo(), Conditions::default()).unwrap();
    let mut stream = connect(&proxy);
    talk(&mut stream);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn cuts_are_what_they_are_called_and_spare_who_comes_later() {
    for way in [Cut::Fin, Cut::Reset, Cut::Silence] {
        let proxy = Proxy::start(echo(), Conditions::default()).unwrap();
        let mut cut_off: Vec<_> = (0..3).map(|_| connect(&proxy)).collect();
        for stream in &mut cut_off {
            talk(stream);
        }
        cut(&proxy, way, 3).unwrap();
        let mut later = connect(&proxy);
        for stream in &mut cut_off {
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let read = stream.read(&mut [0; 8]).map_err(|error| error.kind());
            match way {
                Cut::Fin => assert_eq!(read, Ok(0)),
                Cut::Reset => assert_eq!(read, Err(ErrorKind::ConnectionReset)),
                Cut::Silence => assert_eq!(read, Err(ErrorKind::WouldBlock)),
            }
        }
        talk(&mut later);
    }
}

#[test]
fn a_cut_that_reaches_too_few_is_told() {
    let proxy = Proxy::start(echo(), Conditions::default()).unwrap();
    let mut stream = connect(&proxy);
    talk(&mut stream);
    let error = cut(&proxy, Cut::Reset, 2).unwrap_err().to_string();
    assert!(error.contains("of 2 connections through the proxy 1 could be cut"), "{error}");
}
