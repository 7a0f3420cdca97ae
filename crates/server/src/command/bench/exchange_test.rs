//! That answers are counted as they are told, however their bytes come.

use std::path::Path;

use super::super::description::Description;
use super::{Exchange, Heard};

fn rival(name: &str) -> Description {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/rivals").join(name);
    Description::read(path.to_str().unwrap()).unwrap()
}

/// Takes bytes in pieces of every size; each has to come to as many answers.
fn answers(exchange: impl Fn() -> Exchange<'static>, bytes: &str) -> usize {
    let whole = exchange().take(bytes.as_bytes()).unwrap().answers;
    for size in 1..bytes.len() {
        let mut exchange = exchange();
        let pieces = bytes.as_bytes().chunks(size);
        let sum: usize = pieces.map(|piece| exchange.take(piece).unwrap().answers).sum();
        assert_eq!(sum, whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn answers_of_http_are_counted_by_their_lengths() {
    let fanfare: &'static Description = Box::leak(Box::new(Description::fanfare().unwrap()));
    let way = fanfare.way("post").unwrap();
    let bytes = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{\n}\nHTTP/1.1 204 No Content\r\n\r\n\
                 HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    assert_eq!(answers(|| Exchange::http(way), bytes), 3);
    let refusal = b"HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 7\r\n\r\nno room";
    let error = Exchange::http(way).take(refusal).unwrap_err().to_string();
    assert_eq!(error, "a publication was refused with 507: no room");
}

#[test]
fn the_lines_of_redis_are_answers_or_refusals() {
    let redis: &'static Description = Box::leak(Box::new(rival("redis.toml")));
    let store = redis.store.as_ref().unwrap();
    assert_eq!(answers(|| Exchange::lines(store), "$3\r\n1-0\r\n$3\r\n1-1\r\n"), 2);
    let error = Exchange::lines(store).take(b"-OOM not now\r\n").unwrap_err().to_string();
    assert_eq!(error, "a publication was refused: -OOM not now");
}

#[test]
fn the_lines_of_nats_are_answers_among_others_and_its_question_is_answered() {
    let nats: &'static Description = Box::leak(Box::new(rival("nats.toml")));
    let store = nats.store.as_ref().unwrap();
    let bytes =
        "INFO {\"max_payload\":1}\r\nPING\r\nMSG r1 1 27\r\n{\"stream\":\"bench\", \"seq\":1}\r\n";
    assert_eq!(answers(|| Exchange::lines(store), bytes), 1);
    let heard = Exchange::lines(store).take(bytes.as_bytes()).unwrap();
    assert_eq!(heard, Heard { answers: 1, reply: b"PONG\r\n".to_vec() });
    let refusal = b"MSG r1 1 27\r\n{\"error\":{\"code\":503}}\r\n";
    assert!(Exchange::lines(store).take(refusal).is_err());
}
