//! The same parts as in `parts`, by the instructions that they take instead of the time: the same in every run and on a
//! busy machine. It needs valgrind, and `cargo install gungraun-runner` in the version of the library.

#![allow(
    clippy::unwrap_used,
    clippy::exit,
    missing_docs,
    unused_qualifications,
    reason = "a benchmark fails by it; the groups are a macro's"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use chat_proto::command::{Asked, parse};
use chat_proto::event::{Event, Placed};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::line::LineCodec;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::rendition::{Form, rendered};
use chat_proto::text::Text;
use chat_server::store::{Book, Durability, Entry, Place, Store};
use chat_testkit::house::House;
use gungraun::{library_benchmark, library_benchmark_group, main};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::{Builder, Runtime};

/// 64 bytes, as everywhere in the benchmarks.
const TEXT: &str = "how soon is the deploy of today's release going to be done, bob?";

#[library_benchmark]
#[bench::of_64(format!("{TEXT}\r\n").repeat(64))]
fn cut_off_the_stream(input: String) -> usize {
    let mut codec = LineCodec::new();
    let mut chunk = input.as_bytes();
    std::iter::from_fn(|| codec.feed(&mut chunk)).map(black_box).count()
}

#[library_benchmark]
#[bench::plain_text(TEXT.to_owned())]
#[bench::said_into_a_room(format!("/say #general {TEXT}"))]
#[bench::about_the_past("/history #general 20 before 100".to_owned())]
fn command(line: String) -> Asked {
    parse(black_box(&line))
}

fn message() -> Event {
    Event::Message {
        placed: Placed { id: LineId(1_234_567), time: Timestamp(1_795_333_445_120) },
        channel: ChannelName::new("general").unwrap(),
        from: UserName::new("alice").unwrap(),
        text: Text::new(TEXT).unwrap(),
        action: false,
        past: false,
    }
}

#[library_benchmark]
#[bench::text(message(), Form::Text)]
#[bench::json(message(), Form::Json)]
fn rendition(event: Event, form: Form) -> Bytes {
    rendered(black_box(&event), form)
}

fn book() -> Book {
    let (mut book, _) = Store::open(&Place::Memory, Durability::Process).unwrap().into_parts();
    let (name, shown) = ("#general", "general");
    book.commit(&[Entry::Channel { number: 1, name, shown, topic: None, open: true }]).unwrap();
    book
}

#[library_benchmark]
#[bench::of_256(args = (), setup = book)]
fn store(mut book: Book) -> Book {
    let line = |id| Entry::Line {
        number: 1,
        id,
        time: 1_795_333_445_120,
        author: "alice",
        action: false,
        by_other: false,
        account: None,
        text: TEXT,
        once: None,
        hidden: false,
    };
    book.commit(&(1..=256).map(line).collect::<Vec<_>>()).unwrap();
    book.flush().unwrap();
    book
}

/// A room of people at pipes in this process: no system call is in the way.
struct Room {
    runtime: Runtime,
    speaker: DuplexStream,
    hearers: Vec<DuplexStream>,
}

fn room(people: usize) -> Room {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (speaker, hearers) = runtime.block_on(async {
        let house = House::default();
        let mut all = Vec::new();
        for at in 0..people {
            let mut pipe = house.pipe(64 * 1024, &[usize::MAX]);
            let word = if at == 0 { "create" } else { "enter" };
            let lines = format!("p{at}\n/{word} room\n/ping settled\n");
            pipe.write_all(lines.as_bytes()).await.unwrap();
            until(&mut pipe, b"settled").await;
            all.push(pipe);
        }
        let speaker = all.remove(0);
        (speaker, all)
    });
    Room { runtime, speaker, hearers }
}

async fn until(pipe: &mut DuplexStream, awaited: &[u8]) {
    let mut read = BytesMut::new();
    while memmem::find(&read, awaited).is_none() {
        assert!(pipe.read_buf(&mut read).await.unwrap() > 0, "{}", read.escape_ascii());
    }
}

#[library_benchmark]
#[bench::to_100(args = (100), setup = room)]
fn sixteen_lines(mut room: Room) -> Room {
    let mut said = format!("{TEXT}\n").repeat(15);
    said.push_str("the last\n");
    let Room { runtime, speaker, hearers } = &mut room;
    runtime.block_on(async {
        speaker.write_all(said.as_bytes()).await.unwrap();
        for hearer in hearers {
            until(hearer, b"the last").await;
        }
    });
    room
}

library_benchmark_group!(
    name = parts,
    benchmarks = [cut_off_the_stream, command, rendition, store, sixteen_lines]
);
main!(library_benchmark_groups = parts);
