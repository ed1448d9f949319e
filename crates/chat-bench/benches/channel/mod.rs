//! Fixtures of the benchmarks: a text, a store operation, a message event, and a channel whose
//! members are connected through in-memory pipes.

use bytes::BytesMut;
use chat_proto::event::{Event, MessageStamp};
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;
use chat_server::store::{NewLine, WriteOp};
use chat_testkit::test_hub::TestHub;
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::{Builder, Runtime};

/// 64 bytes, as everywhere in the benchmarks.
pub(crate) const TEXT: &str = "how soon is the deploy of today's release going to be done, bob?";

/// A message of the first conversation, as the store writes it.
pub(crate) fn line(id: u64) -> WriteOp<'static> {
    WriteOp::Line(NewLine {
        number: 1,
        id,
        time: 1_795_333_445_120,
        author: "alice",
        text: TEXT,
        ..NewLine::default()
    })
}

/// A message event of a channel.
pub(crate) fn message() -> Event {
    Event::Message {
        stamp: MessageStamp { id: MessageId(1_234_567), time: Timestamp(1_795_333_445_120) },
        channel: ChannelName::new("general").unwrap(),
        from: UserName::new("alice").unwrap(),
        text: Text::new(TEXT).unwrap(),
        action: false,
        past: false,
    }
}

/// A channel whose members are connected through pipes in this process, without system calls.
pub(crate) struct ChannelFixture {
    runtime: Runtime,
    speaker: DuplexStream,
    hearers: Vec<DuplexStream>,
}

/// Capacity of a pipe in bytes: more than all data in flight at once.
const PIPE: usize = 64 * 1024;

impl ChannelFixture {
    /// A channel with one sender; the other members receive.
    pub(crate) fn of(people: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (speaker, hearers) = runtime.block_on(async {
            let hub = TestHub::default();
            let mut all = Vec::new();
            for at in 0..people {
                let mut pipe = hub.pipe(PIPE, &[usize::MAX]);
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

    /// Sends lines in one write; returns when every member has read them.
    pub(crate) fn say(&mut self, lines: &[u8], last: &[u8]) {
        let Self { runtime, speaker, hearers } = self;
        runtime.block_on(async {
            speaker.write_all(lines).await.unwrap();
            for hearer in hearers {
                until(hearer, last).await;
            }
        });
    }
}

/// Reads until `awaited` arrives.
async fn until(pipe: &mut DuplexStream, awaited: &[u8]) {
    let mut read = BytesMut::new();
    while memmem::find(&read, awaited).is_none() {
        assert!(pipe.read_buf(&mut read).await.unwrap() > 0, "{}", read.escape_ascii());
    }
}
