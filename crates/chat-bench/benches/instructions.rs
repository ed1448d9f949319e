//! The benchmarks of `parts`, measured in instructions instead of time. The count is the same in
//! every run and on a busy machine. Needs valgrind, and `cargo install gungraun-runner` in the
//! version of the library.

#![allow(
    clippy::unwrap_used,
    clippy::exit,
    missing_docs,
    unused_qualifications,
    reason = "a benchmark may panic; a macro defines the groups"
)]

mod channel;

use std::hint::black_box;

use bytes::Bytes;
use chat_proto::command::{ParsedLine, parse};
use chat_proto::encoding::encoded;
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::line::LineCodec;
use chat_server::store::{Durability, Store, StoreLocation, WriteOp, Writer};
use gungraun::{library_benchmark, library_benchmark_group, main};

use channel::{ChannelFixture, TEXT, line, message};

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
fn command(line: String) -> ParsedLine {
    parse(black_box(&line))
}

#[library_benchmark]
#[bench::text(message(), Format::Text)]
#[bench::json(message(), Format::Json)]
fn encoding(event: Event, format: Format) -> Bytes {
    encoded(black_box(&event), format)
}

fn writer() -> Writer {
    let (mut writer, _) =
        Store::open(&StoreLocation::Memory, Durability::Process).unwrap().into_parts();
    let (name, shown) = ("#general", "general");
    writer.commit(&[WriteOp::Channel { number: 1, name, shown, topic: None, open: true }]).unwrap();
    writer
}

#[library_benchmark]
#[bench::of_256(args = (), setup = writer)]
fn store(mut writer: Writer) -> Writer {
    writer.commit(&(1..=256).map(line).collect::<Vec<_>>()).unwrap();
    writer.flush().unwrap();
    writer
}

#[library_benchmark]
#[bench::to_100(args = (100), setup = ChannelFixture::of)]
fn sixteen_lines(mut channel: ChannelFixture) -> ChannelFixture {
    let mut said = format!("{TEXT}\n").repeat(15);
    said.push_str("the last\n");
    channel.say(said.as_bytes(), b"the last");
    channel
}

library_benchmark_group!(
    name = parts,
    benchmarks = [cut_off_the_stream, command, encoding, store, sixteen_lines]
);
main!(library_benchmark_groups = parts);
