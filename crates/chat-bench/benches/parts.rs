//! The parts that a line passes through, each alone: cut off the stream, read as a command, made into bytes, stored,
//! handed to everybody in a room.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by it; the group is a macro's"
)]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use chat_proto::command::parse;
use chat_proto::event::{Event, Placed};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::line::LineCodec;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::rendition::{Form, rendered};
use chat_proto::text::Text;
use chat_server::store::{Durability, Entry, Place, Store};
use chat_testkit::house::House;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::{Builder, Runtime};

/// 64 bytes, as everywhere in the benchmarks.
const TEXT: &str = "how soon is the deploy of today's release going to be done, bob?";

fn lines(criterion: &mut Criterion) {
    const LINES: u64 = 64;
    let mut group = criterion.benchmark_group("line");
    group.throughput(Throughput::Elements(LINES));
    let input = format!("{TEXT}\r\n").repeat(64);
    group.bench_function("cut off the stream", |bench| {
        let mut codec = LineCodec::new();
        bench.iter(|| {
            let mut chunk = input.as_bytes();
            while let Some(line) = codec.feed(&mut chunk) {
                drop(black_box(line));
            }
        });
    });
    group.finish();
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    let say = format!("/say #general {TEXT}");
    for (name, line) in [
        ("plain text", TEXT),
        ("said into a room", say.as_str()),
        ("about the past", "/history #general 20 before 100"),
    ] {
        group.bench_function(name, |bench| bench.iter(|| parse(black_box(line))));
    }
    group.finish();
}

fn renditions(criterion: &mut Criterion) {
    let event = Event::Message {
        placed: Placed { id: LineId(1_234_567), time: Timestamp(1_795_333_445_120) },
        channel: ChannelName::new("general").unwrap(),
        from: UserName::new("alice").unwrap(),
        text: Text::new(TEXT).unwrap(),
        action: false,
        past: false,
    };
    let mut group = criterion.benchmark_group("rendition");
    for (name, form) in [("text", Form::Text), ("json", Form::Json)] {
        group.bench_function(name, |bench| bench.iter(|| rendered(black_box(&event), form)));
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    const BATCH: u64 = 256;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Directory(folder.path().to_owned());
    let (mut book, _) = Store::open(&place, Durability::Process).unwrap().into_parts();
    let (name, shown) = ("#general", "general");
    book.commit(&[Entry::Channel { number: 1, name, shown, topic: None, open: true }]).unwrap();
    let mut last = 0;
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(BATCH));
    for (name, flushed) in [
        ("a batch of 256, in the journal", false),
        ("a batch of 256, in the tables and the index", true),
    ] {
        let mut next = || {
            let first = last + 1;
            last += BATCH;
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
            (first..=last).map(line).collect::<Vec<_>>()
        };
        let mut commit = |batch: Vec<Entry<'_>>| {
            book.commit(&batch).unwrap();
            if flushed {
                book.flush().unwrap();
            }
        };
        group.bench_function(name, |bench| {
            bench.iter_batched(&mut next, &mut commit, BatchSize::PerIteration);
        });
        book.flush().unwrap();
    }
    group.finish();
}

/// A room of people at pipes in this process: no system call is in the way.
struct Room {
    runtime: Runtime,
    speaker: DuplexStream,
    hearers: Vec<DuplexStream>,
}

/// Bytes that a pipe holds: more than all that is on its way at once.
const PIPE: usize = 64 * 1024;

impl Room {
    fn of(people: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (speaker, hearers) = runtime.block_on(async {
            let house = House::default();
            let mut all = Vec::new();
            for at in 0..people {
                let mut pipe = house.pipe(PIPE, &[usize::MAX]);
                let word = if at == 0 { "create" } else { "enter" };
                let lines = format!("p{at}\n/{word} room\n/ping settled\n");
                pipe.write_all(lines.as_bytes()).await.unwrap();
                until(&mut pipe, b"settled").await;
                all.push(pipe);
            }
            let speaker = all.remove(0);
            (speaker, all)
        });
        Self { runtime, speaker, hearers }
    }

    /// Says lines at once; returns when everybody has read them.
    fn say(&mut self, lines: &Bytes, last: &[u8]) {
        let Self { runtime, speaker, hearers } = self;
        runtime.block_on(async {
            speaker.write_all(lines).await.unwrap();
            for hearer in hearers {
                until(hearer, last).await;
            }
        });
    }
}

/// Reads until this has come.
async fn until(pipe: &mut DuplexStream, awaited: &[u8]) {
    let mut read = BytesMut::new();
    while memmem::find(&read, awaited).is_none() {
        assert!(pipe.read_buf(&mut read).await.unwrap() > 0, "{}", read.escape_ascii());
    }
}

fn broadcast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast");
    for (people, lines) in [(100, 1), (100, 16), (1000, 16)] {
        let mut room = Room::of(people);
        let mut said = format!("{TEXT}\n").repeat(lines - 1);
        said.push_str("the last\n");
        let said = Bytes::from(said);
        group.throughput(Throughput::Elements((people as u64 - 1) * lines as u64));
        group.bench_function(format!("{lines} lines to {people} people"), |bench| {
            bench.iter(|| room.say(&said, b"the last"));
        });
    }
    group.finish();
}

criterion_group!(parts, lines, commands, renditions, store, broadcast);
criterion_main!(parts);
