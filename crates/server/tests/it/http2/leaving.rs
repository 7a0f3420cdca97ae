//! The drain, and who goes without a word.

use super::Client;
use super::client::End;
use crate::server::Server;
use crate::wire::frame;

#[test]
fn a_drain_tells_every_stream_to_come_back_and_aborts_it() {
    let mut server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let mut client = Client::connect(&server);
    let mut sse = client.events("/c/news");
    sse.body.until("fanfare.open");
    let mut ndjson = client.get("/c/news?as=ndjson");
    ndjson.body.until("\"open\"");
    let mut socket = client.websocket("/c/news", &[]);
    assert_eq!(socket.status.as_u16(), 200);
    let mut idle = Client::connect(&server);
    assert_eq!(idle.get("/ready").status.as_u16(), 200);

    server.terminate();
    let (told, end) = sse.body.end();
    assert!(told.contains("retry: "), "{told}");
    assert!(matches!(end, End::Reset(_)), "a clean end would be final: {end:?}");
    let (told, end) = ndjson.body.end();
    assert!(matches!(end, End::Reset(_)), "{end:?} {told}");
    let (head, told) = socket.body.frame();
    assert_eq!((head, &told[..2]), (0x88, 1012_u16.to_be_bytes().as_slice()));
    socket.body.say(&frame(0x88, &1012_u16.to_be_bytes()));
    assert_eq!(socket.body.end().1, End::Closed);
    idle.ended().unwrap();
    client.ended().unwrap();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn members_leave_with_their_stream_and_with_their_connection() {
    let server = Server::dev(&[("FANFARE_PRESENCE", "true")]);
    let mut watcher = Client::connect(&server);
    let mut seen = watcher.get("/c/room?as=ndjson&presence=1");
    seen.body.until("\"open\"");
    let mut client = Client::connect(&server);
    let mut first = client.events("/c/room?client=first");
    first.body.until("fanfare.open");
    let mut second = client.websocket("/c/room?client=second", &[]);
    assert_eq!(second.status.as_u16(), 200);
    seen.body.until("\"client\":\"first\"");
    seen.body.until("\"client\":\"second\"");
    second.body.say(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(second.body.frame().0, 0x88);
    first.body.reset();
    seen.body.until("\"leave\"");
    seen.body.until("\"leave\"");
    let mut third = client.events("/c/room?client=third");
    third.body.until("fanfare.open");
    seen.body.until("\"client\":\"third\"");
    drop((third, second, client));
    seen.body.until("\"leave\"");
}
