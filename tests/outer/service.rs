//! The systemd unit, and notifications to the service manager.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chat_testkit::{ServerSetup, binary};
use tokio::net::UnixDatagram;
use tokio::time::timeout;

fn unit() -> PathBuf {
    binary::workspace().join("dist/systemd/chat-server.service")
}

#[test]
fn systemd_understands_the_unit() {
    // It checks the program's path, so a copy of the unit has that of the built one.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("chat-server.service");
    let written = fs::read_to_string(unit()).unwrap();
    let program = binary::path("chat-server");
    assert_eq!(written.matches("ExecStart=/usr/bin/chat-server").count(), 1);
    fs::write(&copy, written.replace("/usr/bin/chat-server", program.to_str().unwrap())).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&copy)
        .output()
        .unwrap_or_else(|error| panic!("{error}: is systemd installed?"));
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    // Unknown settings are only warnings.
    assert!(!said.contains("chat-server.service"), "{said}");
}

#[test]
fn the_unit_is_sandboxed() {
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager", "--threshold=20"])
        .arg(unit())
        .output()
        .unwrap_or_else(|error| panic!("{error}: is systemd installed?"));
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "more exposed than 2.0:\n{said}");
}

#[tokio::test]
async fn the_service_manager_is_notified_of_start_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut server =
        ServerSetup::default().environment("NOTIFY_SOCKET", path.to_str().unwrap()).start().await;
    let ready = hear(&manager).await;
    let status = format!("STATUS=Listening on {}", server.address());
    assert!(ready.iter().any(|line| line == "READY=1"), "{ready:?}");
    assert!(ready.contains(&status), "{ready:?}");
    let ended = server.terminate().await;
    let stopping = hear(&manager).await;
    assert!(stopping.iter().any(|line| line == "STOPPING=1"), "{stopping:?}");
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn the_service_manager_gets_regular_watchdog_notifications() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let setup = ServerSetup::default().environment("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut server = setup.environment("WATCHDOG_USEC", "300000").start().await;
    let mut alive = 0;
    while alive < 3 {
        alive += hear(&manager).await.iter().filter(|line| *line == "WATCHDOG=1").count();
    }
    assert!(server.terminate().await.success());
}

/// The lines of the next message.
pub(super) async fn hear(manager: &UnixDatagram) -> Vec<String> {
    let mut message = vec![0; 4096];
    let length = timeout(Duration::from_mins(1), manager.recv(&mut message)).await;
    let length = length.expect("a message comes").unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_server_runs_without_a_service_manager() {
    let gone = ServerSetup::default().environment("NOTIFY_SOCKET", "/nowhere/at/all");
    let mut server = gone.start().await;
    server.wait_for_log("WARN can't notify the service manager").await;
    server.person("alice").await;
    assert!(server.terminate().await.success());
}
