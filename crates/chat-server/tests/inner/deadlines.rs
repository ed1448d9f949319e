//! By when something must have happened, with a clock that stands still until everybody waits.

use std::time::Duration;

use chat_server::conn::{Manners, Rate};
use chat_testkit::client::Skip;
use chat_testkit::{Form, House, house};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_name_must_be_given_within_a_minute() {
    let house = House::default();
    let begun = Instant::now();
    let mut silent = house.newcomer("silent", 64, &[usize::MAX]);
    let told = silent.read_to_end().await;
    assert_eq!(
        told.last().unwrap(),
        "* Bye: no name was given in time; connect again when you like."
    );
    let waited = begun.elapsed();
    assert!(waited >= 60 * SECOND && waited < 61 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_name_may_be_silent_for_days() {
    let house = House::default();
    let mut late = house.newcomer("late", 64, &[usize::MAX]);
    sleep(59 * SECOND).await;
    late.settle_in(Form::Text).await;
    sleep(7 * 24 * 3600 * SECOND).await;
    late.expect_nothing().await;
}

/// Somebody in `#general` with alice, at a pipe that holds little. Reads nothing from now on.
async fn beside_alice(house: &House) -> (chat_testkit::TestClient, tokio::io::DuplexStream) {
    let mut alice = house.person("alice", Form::Text).await;
    alice.ask("/create general").await;
    let mut slow = house.pipe(4096, &[usize::MAX]);
    slow.write_all(b"slow\n/enter general\n").await.unwrap();
    alice.expect_line("* slow entered #general", Skip::Nothing).await;
    (alice, slow)
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_a_minute_is_cut_off() {
    let house = House::default();
    let (mut alice, _slow) = beside_alice(&house).await;
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
async fn who_takes_a_little_now_and_then_is_not_cut_off() {
    let house = House::default();
    let (mut alice, mut slow) = beside_alice(&house).await;
    for _ in 0..20 {
        alice.send(&"x".repeat(4000)).await;
    }
    // A byte more than the pipe holds each 59 seconds, for hours.
    let mut piece = vec![0; 100];
    for _ in 0..400 {
        sleep(59 * SECOND).await;
        slow.read_exact(&mut piece).await.unwrap();
        alice.expect_nothing().await;
    }
    // And then no more.
    let begun = Instant::now();
    alice.expect_line("* slow left the system: stopped reading", Skip::Nothing).await;
    assert!(begun.elapsed() <= 61 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_lines_at_once_and_then_ten_a_second() {
    let pace = Some(Rate { burst: 100, per_second: 10 });
    let house = House::new(Manners { pace, ..house::manners() });
    let mut fast = house.newcomer("fast", 64 * 1024, &[usize::MAX]);
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
async fn pacing_one_holds_up_nobody_else() {
    let pace = Some(Rate { burst: 1, per_second: 1 });
    let house = House::new(Manners { pace, ..house::manners() });
    let mut fast = house.newcomer("fast", 64 * 1024, &[usize::MAX]);
    fast.send_raw("/ping\n".repeat(1000).as_bytes()).await;
    let begun = Instant::now();
    let mut other = house.newcomer("other", 64 * 1024, &[usize::MAX]);
    other.send("/ping").await;
    other.expect_line("* pong", Skip::Others).await;
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
}
