//! The stages that a message passes through, each alone: line decoding, command parsing, encoding,
//! storage, and delivery to the members of a channel.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark may panic; a macro defines the group"
)]

mod channel;

use std::hint::black_box;

use chat_proto::command::parse;
use chat_proto::encoding::encoded;
use chat_proto::format::Format;
use chat_proto::line::LineCodec;
use chat_server::store::{Durability, Store, StoreLocation, WriteOp};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use channel::{ChannelFixture, TEXT, line, message};

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

fn encodings(criterion: &mut Criterion) {
    let event = message();
    let mut group = criterion.benchmark_group("encoding");
    for (name, format) in [("text", Format::Text), ("json", Format::Json)] {
        group.bench_function(name, |bench| bench.iter(|| encoded(black_box(&event), format)));
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    const BATCH: u64 = 256;
    let folder = tempfile::tempdir().unwrap();
    let place = StoreLocation::Directory(folder.path().to_owned());
    let (mut writer, _) = Store::open(&place, Durability::Process).unwrap().into_parts();
    let (name, shown) = ("#general", "general");
    writer.commit(&[WriteOp::Channel { number: 1, name, shown, topic: None, open: true }]).unwrap();
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
            (first..=last).map(line).collect::<Vec<_>>()
        };
        let mut commit = |batch: Vec<WriteOp<'_>>| {
            writer.commit(&batch).unwrap();
            if flushed {
                writer.flush().unwrap();
            }
        };
        group.bench_function(name, |bench| {
            bench.iter_batched(&mut next, &mut commit, BatchSize::PerIteration);
        });
        writer.flush().unwrap();
    }
    group.finish();
}

fn broadcast(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("broadcast");
    for (people, lines) in [(100, 1), (100, 16), (1000, 16)] {
        let mut channel = ChannelFixture::of(people);
        let mut said = format!("{TEXT}\n").repeat(lines - 1);
        said.push_str("the last\n");
        group.throughput(Throughput::Elements((people as u64 - 1) * lines as u64));
        group.bench_function(format!("{lines} lines to {people} people"), |bench| {
            bench.iter(|| channel.say(said.as_bytes(), b"the last"));
        });
    }
    group.finish();
}

criterion_group!(parts, lines, commands, encodings, store, broadcast);
criterion_main!(parts);
