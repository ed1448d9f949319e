//! The output of a conversation doesn't depend on how the bytes are split.

use chat_testkit::client::Skip;
use chat_testkit::{ClientFormat, TestHub};

/// The lines that three clients receive during a conversation through such pipes. The clock is
/// paused, so only the times in the lines may differ.
async fn conversation(holds: usize, sizes: &[usize], format: ClientFormat) -> Vec<Vec<String>> {
    let hub = TestHub::default();
    let mut people = Vec::new();
    for who in ["alice", "bob", "carol"] {
        let mut person = hub.newcomer(who, holds, sizes);
        person.settle_in(format).await;
        people.push(person);
    }
    let mut all: Vec<Vec<String>> = vec![Vec::new(); people.len()];
    for (who, line) in [
        (0, "/create general Say hello"),
        (1, "/enter general"),
        (2, "/j general"),
        (0, "hi all"),
        (1, "grüß dich – 你好"),
        (2, "/me waves"),
        (0, "/private bob psst"),
        (1, "/reply what?"),
        (2, "/users"),
        (2, "/nonsense"),
        (0, "/enter general"),
        (0, "/kick carol enough"),
        (2, "still here?"),
        (1, "/name rob"),
        (1, "/leave general see you"),
        (0, "/topic Say goodbye"),
    ] {
        people[who].send(line).await;
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by_key(|at| *at != who);
        for at in order {
            all[at].extend(people[at].settle().await.iter().map(|line| without_times(line)));
        }
    }
    people[0].send("/quit").await;
    all[0].extend(people[0].read_to_end().await);
    people[1].half_close().await;
    all[1].extend(people[1].read_to_end().await);
    all
}

/// Removes date and time from a line in the JSON format.
fn without_times(line: &str) -> String {
    let mut rest = line;
    let mut without = String::new();
    while let Some((before, after)) = rest.split_once("\"20") {
        without.push_str(before);
        rest = after.split_once('"').map_or("", |(_, after)| after);
    }
    without + rest
}

#[tokio::test(start_paused = true)]
async fn the_output_is_independent_of_splits() {
    for format in ClientFormat::BOTH {
        let whole = conversation(64 * 1024, &[usize::MAX], format).await;
        assert!(whole.iter().all(|output| output.len() >= 7), "{whole:#?}");
        for size in 1..=16 {
            assert_eq!(
                conversation(64, &[size], format).await,
                whole,
                "pieces of {size}, {format:?}"
            );
        }
        for holds in [1, 2, 3, 5, 17] {
            assert_eq!(conversation(holds, &[7], format).await, whole, "{holds} bytes, {format:?}");
        }
        for sizes in [&[1, 2, 3, 5, 8][..], &[100, 1], &[3, 1000, 1, 1]] {
            assert_eq!(conversation(64, sizes, format).await, whole, "{sizes:?}, {format:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lines_sent_ahead_are_answered_in_order_through_a_pipe_of_one_byte() {
    let hub = TestHub::default();
    let mut alice = hub.person("alice", ClientFormat::Text).await;
    let (mut reader, mut writer) = tokio::io::split(hub.pipe(1, &[1]));
    let writing = tokio::spawn(async move {
        let lines: String = (0..200).map(|n| format!("/ping {n}\n")).collect();
        let input = format!("bob\n{lines}/msg alice done");
        tokio::io::AsyncWriteExt::write_all(&mut writer, input.as_bytes()).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut writer).await.unwrap();
    });
    let mut output = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut output).await.unwrap();
    writing.await.unwrap();
    let pongs: Vec<&str> = output.lines().filter(|line| line.starts_with("* pong")).collect();
    let expected: Vec<String> = (0..200).map(|n| format!("* pong {n}")).collect();
    assert_eq!(pongs, expected);
    assert!(output.ends_with("* Bye.\r\n"), "{output}");
    alice.expect_line("[@bob] bob: done", Skip::Nothing).await;
}
