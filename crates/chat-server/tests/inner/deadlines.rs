//! Deadlines, with a paused clock that advances only when every task waits.

use std::time::Duration;

use chat_server::conn::{ConnectionConfig, ThrottleConfig};
use chat_testkit::client::Skip;
use chat_testkit::{ClientFormat, TestHub, test_hub};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_name_must_be_given_within_a_minute() {
    let hub = TestHub::default();
    let begun = Instant::now();
    let mut silent = hub.newcomer("silent", 64, &[usize::MAX]);
    let output = silent.read_to_end().await;
    assert_eq!(
        output.last().unwrap(),
        "* Bye: no name was given in time; connect again when you like."
    );
    let waited = begun.elapsed();
    assert!(waited >= 60 * SECOND && waited < 61 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_named_client_may_be_silent_for_days() {
    let hub = TestHub::default();
    let mut late = hub.newcomer("late", 64, &[usize::MAX]);
    sleep(59 * SECOND).await;
    late.settle_in(ClientFormat::Text).await;
    sleep(7 * 24 * 3600 * SECOND).await;
    late.expect_nothing().await;
}

/// A client in `#general` with alice, on a small pipe, that has stopped reading.
async fn beside_alice(hub: &TestHub) -> (chat_testkit::TestClient, tokio::io::DuplexStream) {
    let mut alice = hub.person("alice", ClientFormat::Text).await;
    alice.ask("/create general").await;
    let mut slow = hub.pipe(4096, &[usize::MAX]);
    slow.write_all(b"slow\n/enter general\n").await.unwrap();
    alice.expect_line("* slow entered #general", Skip::Nothing).await;
    (alice, slow)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_for_a_minute_is_disconnected() {
    let hub = TestHub::default();
    let (mut alice, _slow) = beside_alice(&hub).await;
    let begun = Instant::now();
    for _ in 0..20 {
        alice.send(&"x".repeat(4000)).await;
    }
    alice.expect_nothing().await;
    alice.expect_line("* slow left the system: stopped reading", Skip::Nothing).await;
    let waited = begun.elapsed();
    assert!(waited >= 60 * SECOND && waited < 61 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_served_and_a_nearly_stalled_one_disconnected_after_five_minutes() {
    for (bytes, is_served) in [(8_000, true), (100, false)] {
        let hub = TestHub::default();
        let (mut alice, mut slow) = beside_alice(&hub).await;
        for _ in 0..100 {
            alice.send(&"x".repeat(4000)).await;
        }
        alice.expect_nothing().await;
        let begun = Instant::now();
        let mut piece = vec![0; bytes];
        for _ in 0..40 {
            sleep(59 * SECOND).await;
            if slow.read_exact(&mut piece).await.is_err() {
                break;
            }
        }
        if is_served {
            alice.expect_nothing().await;
            continue;
        }
        alice.expect_line("* slow left the system: stopped reading", Skip::Nothing).await;
        assert!(begun.elapsed() >= 40 * 59 * SECOND, "{:?}", begun.elapsed());
    }
}

/// A client without a name reads its list a few bytes at a time.
#[tokio::test(start_paused = true)]
async fn slow_reading_does_not_extend_the_deadline_for_a_name() {
    let hub = TestHub::default();
    let mut newcomer = hub.pipe(64, &[usize::MAX]);
    newcomer.write_all(&b"/help\n/channels\n".repeat(3)).await.unwrap();
    let begun = Instant::now();
    let mut byte = [0];
    while newcomer.read(&mut byte).await.is_ok_and(|read| read > 0) {
        sleep(SECOND).await;
    }
    // A minute for the name, a minute for the last lines, and the content of the pipe.
    let waited = begun.elapsed();
    assert!(waited < 200 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_for_a_name_applies_after_signing_out() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Text).await;
    alice.ask("/register long-enough-1").await;
    sleep(3600 * SECOND).await;
    alice.send("/logout").await;
    let begun = Instant::now();
    let output = alice.read_to_end().await;
    assert!(output.last().unwrap().starts_with("* Bye: no name was given"), "{output:?}");
    let waited = begun.elapsed();
    assert!(waited >= 60 * SECOND && waited < 62 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_a_hundred_lines_then_ten_a_second() {
    let throttle = Some(ThrottleConfig { burst: 100, per_second: 10 });
    let hub = TestHub::new(ConnectionConfig { throttle, ..test_hub::connection_config() });
    let mut fast = hub.newcomer("fast", 64 * 1024, &[usize::MAX]);
    let begun = Instant::now();
    let lines: String = (0..200).map(|n| format!("/ping {n}\n")).collect();
    fast.send_raw(lines.as_bytes()).await;
    let mut answered = Vec::new();
    for n in 0..200 {
        fast.expect_line(&format!("* pong {n}"), if n == 0 { Skip::Others } else { Skip::Nothing })
            .await;
        answered.push(begun.elapsed().as_millis());
    }
    for (n, at) in answered.into_iter().enumerate() {
        let due = (n as u128).saturating_sub(99) * 100;
        assert!((due..due + 100).contains(&at), "line {n} after {at} ms instead of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_empty_lines_and_telnet_count_for_the_rate() {
    let long = format!("/ping {}\n", "x".repeat(3066));
    for (flood, count, least, most) in [
        // Each costs as much as three lines; the burst is a hundred lines.
        (long.as_bytes(), 40, 2, 3),
        (b"\r\n", 1600, 10, 11),
        (b"\r\0", 1600, 10, 11),
        // As many answers as the output buffer holds.
        (b"\xff\xf6", 12_000, 10, 40),
        (b"\xff\xf1\n", 1600, 10, 60),
    ] {
        let throttle = Some(ThrottleConfig { burst: 100, per_second: 10 });
        let hub = TestHub::new(ConnectionConfig { throttle, ..test_hub::connection_config() });
        let mut fast = hub.newcomer("fast", 512 * 1024, &[usize::MAX]);
        fast.settle_in(ClientFormat::Json).await;
        sleep(20 * SECOND).await;
        let begun = Instant::now();
        let mut all = flood.repeat(count);
        all.extend_from_slice(b"/ping end\n");
        fast.send_raw(&all).await;
        fast.read_until(|line| line.contains("\"end\"")).await;
        let waited = begun.elapsed().as_secs();
        assert!((least..=most).contains(&waited), "{waited} s for {:?}", &flood[..2]);
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_one_client_delays_no_other() {
    let throttle = Some(ThrottleConfig { burst: 1, per_second: 1 });
    let hub = TestHub::new(ConnectionConfig { throttle, ..test_hub::connection_config() });
    let mut fast = hub.newcomer("fast", 64 * 1024, &[usize::MAX]);
    fast.send_raw("/ping\n".repeat(1000).as_bytes()).await;
    let begun = Instant::now();
    let mut other = hub.newcomer("other", 64 * 1024, &[usize::MAX]);
    other.send("/ping").await;
    other.expect_line("* pong", Skip::Others).await;
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
}
