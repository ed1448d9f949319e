//! The order of events.

use chat_testkit::{ClientFormat, ServerSetup, TestClient};

const PEOPLE: usize = 6;
const LINES: usize = 400;

/// Upper bound on messages in flight, so that no reader is too slow for the ring.
const AT_ONCE: usize = 40;

/// The messages of one user: to one channel, now and then to another, and sometimes to one that
/// refuses them.
fn lines(at: usize) -> Vec<(String, &'static str)> {
    let mut lines = Vec::new();
    for nth in 0..LINES {
        if nth % 40 == 39 {
            lines.push(("/say #three hello".to_owned(), "error"));
        }
        let room = if nth % 50 == 49 { "#two" } else { "#one" };
        lines.push((format!("/say {room} {at} {nth}"), "ok"));
    }
    lines
}

/// The output to one user.
#[derive(Default)]
struct Seen {
    /// The ids of the messages of the first channel; own ones by their answers.
    ids: Vec<u64>,
    /// Messages of others.
    heard: usize,
    answers: Vec<&'static str>,
}

/// Sends all messages, while a number of messages of others arrive.
async fn talk(person: &mut TestClient, lines: &[String], others: usize) -> Seen {
    let mut seen = Seen::default();
    let mut sent = 0;
    while seen.answers.len() < lines.len() || seen.heard < others {
        while sent < lines.len().min(seen.answers.len() + AT_ONCE) {
            person.send(&lines[sent]).await;
            sent += 1;
        }
        let row = person.json().await;
        match row["type"].as_str() {
            Some("message") => seen.heard += 1,
            Some("ok") => seen.answers.push("ok"),
            Some("error") => seen.answers.push("error"),
            _ => panic!("{row}"),
        }
        if row["channel"] == "#one" {
            seen.ids.extend(row["id"].as_u64());
        }
    }
    seen
}

#[tokio::test]
async fn all_members_see_the_messages_of_a_channel_in_one_order() {
    let server = ServerSetup::unpaced().start().await;
    let mut people = Vec::new();
    for at in 0..PEOPLE {
        let mut person = server.person_in(&format!("p{at}"), ClientFormat::Json).await;
        let verb = if at == 0 { "/create" } else { "/enter" };
        for room in ["one", "two"] {
            person.ask(&format!("{verb} {room}")).await;
        }
        people.push(person);
    }
    people[1].ask("/ignore p2").await;
    let others = |at| PEOPLE - 1 - usize::from(at == 1);
    for person in &mut people {
        person.settle().await;
    }
    let mut tasks = Vec::new();
    for (at, mut person) in people.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let (lines, answers): (Vec<_>, Vec<_>) = lines(at).into_iter().unzip();
            let seen = talk(&mut person, &lines, others(at) * LINES).await;
            assert_eq!(seen.answers, answers, "p{at}");
            (seen, person)
        }));
    }
    // No client leaves before all are done.
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    for (at, (Seen { ids, .. }, _)) in done.iter().enumerate() {
        assert!(ids.is_sorted_by(|one, next| one < next), "p{at}: {ids:?}");
        assert_eq!(ids.len(), (1 + others(at)) * (LINES - LINES / 50), "p{at}");
    }
}

/// Acks that print nothing don't wake the session. Output that depends on them arrives
/// nevertheless, whether it was requested before the commit or long afterwards.
#[tokio::test]
async fn a_request_after_a_silent_ack_is_answered() {
    let server = ServerSetup::unpaced().start().await;
    let mut bob = server.person_in("bob", ClientFormat::Text).await;
    bob.ask("/create den").await;
    let goodbye = ["* Bye."].as_slice();
    let cases = [
        ("/ping there", ["* pong there"].as_slice()),
        ("/topic of the day", &["* You set the topic of #den: of the day"]),
        (
            "/say #nowhere hello",
            &["! no-such-channel: There is no channel #nowhere. /create nowhere makes it."],
        ),
        ("/leave", &["* You left #den. You are in no conversation."]),
        ("/quit", goodbye),
    ];
    for lines in [1, 40] {
        for at_once in [true, false] {
            for (nth, (then, answer)) in cases.iter().enumerate() {
                let name = format!("ann{lines}-{at_once}-{nth}")
                    .replace("true", "t")
                    .replace("false", "f");
                let mut ann = server.person_in(&name, ClientFormat::Text).await;
                ann.ask("/enter den").await;
                let mut said = format!("{}the last\n", "one of many\n".repeat(lines - 1));
                if at_once {
                    said.push_str(then);
                    said.push('\n');
                }
                ann.send_raw(said.as_bytes()).await;
                bob.read_until(|line| line.ends_with("the last")).await;
                if !at_once {
                    ann.send(then).await;
                }
                ann.expect(answer).await;
                if *answer != goodbye {
                    ann.send_raw(b"and another").await;
                    ann.half_close().await;
                    ann.read_until(|line| line == "* Bye.").await;
                }
                ann.expect_end().await;
            }
        }
    }
}
