//! Runs the shell commands of the pages.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use chat_testkit::{TestServer, binary};
use tokio::process::Command;
use tokio::time::timeout;

use super::programs::Terminal;

/// How long one command may take. Only a failing test ever waits so long.
const DEADLINE: Duration = Duration::from_mins(1);

/// The commands of a page's `sh` blocks that use a server: as written, and for this server.
fn lines(page: &str, server: &TestServer) -> Vec<(String, String)> {
    let path = binary::workspace().join(page);
    let page = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let port = server.address().port();
    let client = binary::path("chat-cli");
    let here = |line: &str| {
        line.replace("chat.example.org", "127.0.0.1")
            .replace("127.0.0.1 5002", &format!("127.0.0.1 {port}"))
            .replace("127.0.0.1 -5002", &format!("127.0.0.1 -{port}"))
            .replace("cargo run --release -p chat-cli --", "chat-cli")
            .replace(" --connect 127.0.0.1", "")
            .replace("chat-cli", &format!("{} --connect 127.0.0.1:{port}", client.display()))
    };
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(str::lines)
        .filter(|line| line.contains("5002") || line.contains("chat-cli"))
        .map(|line| (line.to_owned(), here(line)))
        .collect()
}

/// Runs a command with its input. It must succeed without a refusal.
async fn run(line: &str, state: &str) {
    let child = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("XDG_STATE_HOME", state)
        .kill_on_drop(true)
        .spawn()
        .expect("there is a shell");
    let output = timeout(DEADLINE, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("it doesn't end: {line}")).unwrap();
    let received = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !received.contains("! "), "{line}\n{output:?}");
}

#[tokio::test]
async fn the_shell_commands_of_the_pages_work() {
    let server = TestServer::start_unpaced().await;
    let mut host = server.person("host").await;
    host.ask("/create general").await;
    let folder = server.folder();
    let state = folder.to_str().expect("a path of ours is UTF-8");
    let mut run_count = 0;
    for page in ["README.md", "docs/guide.md"] {
        for (written, line) in lines(page, &server) {
            run_count += 1;
            if written.contains(" | ") {
                run(&line, state).await;
                let heard = host.settle().await;
                let is_said = heard.iter().any(|line| line.starts_with("[#general] "));
                assert!(is_said, "{written}: {heard:?}");
                continue;
            }
            let mut terminal =
                Terminal::start("sh", &["-c", &format!("exec env XDG_STATE_HOME={state} {line}")]);
            if written.contains("--name") {
                terminal.shows("You entered #general").await;
            } else {
                terminal.shows("ype your name").await;
            }
            terminal.type_in("/quit\r");
            if written.starts_with("nc ") {
                // It reads its input to the end, also after the connection has ended.
                terminal.shows("* Bye.").await;
                terminal.type_in("\x03");
            }
            terminal.ends().await;
            host.settle().await;
        }
    }
    assert!(run_count >= 6, "{run_count}");
}
