//! Steps of the hot path, each to be counted in instructions by callgrind.
//!
//! `instructions STEP` prepares a step and makes it [`STEPS`] times within one function that
//! nothing is inlined into; `scripts/instructions` runs it under `valgrind --tool=callgrind`, which
//! collects within that function alone, and prints a row for each step. Instructions do not
//! depend on what else the machine does, so that a row can be compared with the committed one.
//!
//! - `compression`: what is compressed once for all readers, and what it costs each of them
//! - `hub`: one shard whose engine stores everything at once, and a sink that takes everything

mod compression;
mod hub;

use std::hint::black_box;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use fanfare_core::frame::{Coding, Format};
use fanfare_core::publication::Publication;
use fanfare_protocol::native::encode::encode;
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::route::{Route, Rules, route};
use fanfare_protocol::native::v1;
use fanfare_protocol::websocket::{Decoder, Frame, MessageKind, Role, append_frame};

use hub::Hub;

/// How often a step is made.
const STEPS: usize = 1_000;

/// Readers of a publication that is delivered.
const READERS: usize = 1_000;

/// Items of a batch.
const ITEMS: usize = 100;

/// What is done once and counted.
type Work = Box<dyn FnMut()>;

/// One step of the hot path.
struct Step {
    name: &'static str,
    prepare: fn() -> Result<Work>,
    /// How many operations one step is.
    operations: usize,
}

const TABLE: [Step; 15] = [
    Step { name: "decode a POST to one channel", prepare: decode_post, operations: 1 },
    Step { name: "decode an item of a batch of 100", prepare: decode_batch, operations: ITEMS },
    Step { name: "decode a WebSocket frame", prepare: decode_frame, operations: 1 },
    Step { name: "decode a publish of fanfare.v1", prepare: decode_command, operations: 1 },
    Step { name: "encode for SSE", prepare: || encode_for(Format::Sse), operations: 1 },
    Step { name: "encode for NDJSON", prepare: || encode_for(Format::Ndjson), operations: 1 },
    Step {
        name: "encode for fanfare.v1",
        prepare: || encode_for(Format::WebSocketV1),
        operations: 1,
    },
    Step { name: "publish without readers", prepare: publish_alone, operations: 1 },
    Step { name: "publish and append to a feed", prepare: publish_read, operations: 1 },
    Step { name: "deliver to one of 1000 readers", prepare: deliver, operations: READERS },
    Step { name: "deflate a message of 1 kB", prepare: compression::deflate, operations: 1 },
    Step { name: "inflate a message of 1 kB", prepare: compression::inflate, operations: 1 },
    Step {
        name: "pack an event of 1 kB as gzip",
        prepare: || compression::pack_as(Coding::Gzip),
        operations: 1,
    },
    Step {
        name: "pack an event of 1 kB as zstd",
        prepare: || compression::pack_as(Coding::Zstd),
        operations: 1,
    },
    Step { name: "note a gzipped event for a reader", prepare: compression::pass, operations: 1 },
];

#[expect(clippy::print_stdout, reason = "the script reads the table's names here")]
fn main() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.as_slice() {
        // What `cargo bench` and the script without a name ask.
        [] => {
            for step in &TABLE {
                println!("{}\t{}", step.operations * STEPS, step.name);
            }
            Ok(())
        }
        [name] => {
            let step = TABLE.iter().find(|step| step.name == name);
            let step = step.with_context(|| format!("there is no step {name:?}"))?;
            let mut work = (step.prepare)()?;
            // The first ones fill what is kept from then on.
            (0..STEPS).for_each(|_| work());
            measured(&mut work);
            Ok(())
        }
        _ => bail!("name one step, or none to list them"),
    }
}

/// What callgrind collects in.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    for _ in 0..STEPS {
        work();
    }
}

fn decode_post() -> Result<Work> {
    let request = b"POST /c/news HTTP/1.1\r\nHost: 127.0.0.1:8300\r\nContent-Type: text/plain\r\n\
                    Content-Length: 128\r\n\r\n";
    let body = Bytes::from(hub::payload());
    Ok(Box::new(move || {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Request::new(&mut headers);
        let whole = parsed.parse(request).is_ok_and(|status| status.is_complete());
        let pairs: Vec<_> = parsed.headers.iter().map(|it| (it.name, it.value)).collect();
        let (method, target) = (parsed.method.unwrap_or(""), parsed.path.unwrap_or(""));
        let head = Head::new(method, target, Version::Http11, &pairs);
        let rules = Rules::default();
        let drafts = match route(&head, &rules, hub::TIME) {
            Ok(Route::Publish(publishing)) => publishing.drafts(body.clone(), &None, &rules).ok(),
            _ => None,
        };
        assert!(whole && drafts.as_ref().is_some_and(|drafts| drafts.len() == 1));
        black_box(drafts);
    }))
}

fn decode_batch() -> Result<Work> {
    let item = |_| format!(r#"{{"channel":"news","data":"{}"}}"#, hub::payload());
    let items: Vec<_> = (0..ITEMS).map(item).collect();
    let body = Bytes::from(format!("[{}]", items.join(",")));
    let head = Head::new("POST", "/publish", Version::Http11, &[]);
    let rules = Rules::default();
    let Ok(Route::Batch(batch)) = route(&head, &rules, hub::TIME) else {
        bail!("no batch");
    };
    Ok(Box::new(move || {
        let items = batch.items(&body, &None, &rules).ok();
        assert!(items.as_ref().is_some_and(|items| items.len() == ITEMS));
        black_box(items);
    }))
}

fn decode_frame() -> Result<Work> {
    let mut frame = Vec::new();
    let payload = hub::payload();
    let message = Frame::Message { kind: MessageKind::Text, payload: payload.as_bytes() };
    append_frame(&mut frame, &message, Some([1, 2, 3, 4]));
    let mut decoder = Decoder::new(Role::Server, 1 << 20);
    Ok(Box::new(move || {
        let event = decoder.decode(&mut frame.as_slice());
        assert!(event.is_ok());
        black_box(event.ok());
    }))
}

fn decode_command() -> Result<Work> {
    let data = hub::payload();
    let command = format!(r#"{{"id":1,"type":"publish","channel":"news","data":"{data}"}}"#);
    let known = hub::channel()?;
    Ok(Box::new(move || {
        let speaker = v1::Speaker { last: Some(&known), ..Default::default() };
        let command = v1::parse(&command, speaker, &Rules::default(), hub::TIME);
        assert!(command.is_ok());
        black_box(command.ok());
    }))
}

fn encode_for(format: Format) -> Result<Work> {
    let publication: Publication = hub::publication()?;
    Ok(Box::new(move || {
        black_box(encode(&publication, 6, format));
    }))
}

fn publish_alone() -> Result<Work> {
    let mut hub = Hub::new()?;
    Ok(Box::new(move || hub.publish()))
}

fn publish_read() -> Result<Work> {
    let mut hub = Hub::new()?;
    hub.open(Format::Sse, 1);
    // With one reader, the delivery is the same number as in the row for it.
    Ok(Box::new(move || {
        hub.publish();
        hub.flush();
    }))
}

fn deliver() -> Result<Work> {
    let mut hub = Hub::new()?;
    hub.open(Format::Sse, READERS);
    Ok(Box::new(move || {
        hub.publish();
        let taken = hub.flush();
        assert_eq!(taken, READERS);
    }))
}
