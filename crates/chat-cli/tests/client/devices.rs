//! Several devices of one account on the real server: they are in the same channels, and only what
//! the user was there to read counts as read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::server::Server;
use super::store::{Store, Talker};
use super::terminal::Terminal;

/// Alice's account is in #dev and #general, which was entered last; bob is in both.
struct Scene {
    store: Store,
    phone: Option<Talker>,
    bob: Talker,
    password: NamedTempFile,
}

impl Scene {
    fn set() -> Self {
        let store = Store::start();
        let mut phone = store.dialled();
        for line in ["/name alice", "/register open sesame", "/create dev", "/create general"] {
            phone.does(line).unwrap();
        }
        let mut bob = store.dialled();
        for line in ["/name bob", "/enter dev", "/enter general", "/create random"] {
            bob.does(line).unwrap();
        }
        let password = NamedTempFile::new().unwrap();
        fs::write(password.path(), "open sesame\n").unwrap();
        fs::set_permissions(password.path(), fs::Permissions::from_mode(0o600)).unwrap();
        Self { store, phone: Some(phone), bob, password }
    }

    /// Alice at a terminal.
    fn laptop(&self, more: &[&str]) -> Terminal {
        let password = self.password.path().to_str().unwrap();
        let own = ["-c", self.store.address(), "-n", "alice", "--password-file", password];
        Terminal::start(&[&own[..], &["--no-keep", "--no-color"], more].concat())
    }

    fn phone(&mut self) -> &mut Talker {
        self.phone.as_mut().unwrap()
    }

    /// Alice's phone loses its connection.
    fn loses_phone(&mut self) {
        self.phone = None;
        self.bob.is_told("gone", "alice");
    }

    /// Alice's phone signs in; returns the unread messages per channel, and how many private
    /// messages waited.
    fn finds_unread(&mut self) -> (Vec<(String, u64)>, u64) {
        let mut phone = self.store.dialled();
        let rows = phone.does("/login alice open sesame").unwrap();
        self.phone = Some(phone);
        let of = |kind: &'static str| rows.iter().filter(move |row: &&Value| row["type"] == kind);
        let unread = of("unread").map(|row| {
            (row["channel"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap())
        });
        (unread.collect(), of("waiting").filter_map(|row| row["count"].as_u64()).sum())
    }
}

#[test]
fn an_idle_client_marks_nothing_as_read() {
    let mut scene = Scene::set();
    scene.loses_phone();
    for line in
        ["/say #general one", "/say #general two, alice", "/say #dev three", "/msg alice psst"]
    {
        scene.bob.does(line).unwrap();
    }
    // The client's current channel is #dev, the server's is #general.
    let mut laptop = scene.laptop(&["-e", "dev"]);
    laptop.shows_last("[#general +2! @bob +1] #dev>");
    scene.bob.does("/say #general four").unwrap();
    laptop.shows_row("bob: four");
    laptop.killed();
    scene.bob.is_told("gone", "alice");
    let everything = vec![("#dev".to_owned(), 1), ("#general".to_owned(), 3)];
    assert_eq!(scene.finds_unread(), (everything, 1));

    // After a typed line, what was shown above it is read.
    scene.loses_phone();
    let mut laptop = scene.laptop(&["-e", "dev"]);
    laptop.shows_last("[#general +3! @bob +1] #dev>");
    laptop.presses("hi\r/info\r");
    laptop.shows_row("alice: hi");
    laptop.shows("that the server has her there, too", |rows| {
        rows.iter().any(|row| row.contains("You are in #dev."))
    });
    laptop.killed();
    scene.bob.is_told("gone", "alice");
    let only_counted = vec![("#general".to_owned(), 3)];
    assert_eq!(scene.finds_unread(), (only_counted, 0));
}

#[test]
fn tab_completes_members_of_restored_channels() {
    let password = NamedTempFile::new().unwrap();
    fs::write(password.path(), "open sesame\n").unwrap();
    fs::set_permissions(password.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::tcp();
    let path = password.path().to_str().unwrap();
    let arguments = ["-c", server.address(), "-n", "alice", "--password-file", path, "--no-keep"];
    let mut laptop = Terminal::start(&arguments);
    let mut peer = server.accept();
    peer.greet();
    peer.expect("/login alice open sesame");
    peer.send(
        r##"{"type":"reentered","channel":"#dev","members":2,"operator":true,"topic":null,"last":3}"##,
    );
    peer.send(r##"{"type":"ok","re":"login","name":"alice","current":"#dev"}"##);
    peer.channels_ok();
    laptop.shows_last("#dev>");
    // The first key makes the client look up the members.
    laptop.presses("/msg ca");
    peer.users_ok("#dev");
    peer.send(r#"{"type":"notice","text":"that is all"}"#);
    laptop.shows_row("that is all");
    laptop.presses("\t");
    laptop.shows_last("#dev> /msg carol");
    for (keys, completed) in [
        ("/ban ev\t", "/ban everywhere"),
        ("/ban everywhere ca\t", "/ban everywhere carol"),
        ("/unban ev\t", "/unban everywhere"),
        ("/set inv\t", "/set invite-only"),
        ("/mute #dev ca\t", "/mute #dev carol"),
    ] {
        laptop.presses(&format!("\x15{keys}"));
        laptop.shows_last(&format!("#dev> {completed}"));
    }
    laptop.presses("\x15\x04");
    // The client sent no further request.
    peer.says_bye();
    laptop.left();
}

#[test]
fn devices_enter_and_leave_channels_together() {
    let mut scene = Scene::set();
    let mut laptop = scene.laptop(&[]);
    laptop.shows_last("#general>");
    scene.phone().does("/create ops").unwrap();
    laptop.shows_row("* You entered #ops on another device (1 here).");
    laptop.shows_last("#general>");
    scene.phone().does("/leave #general").unwrap();
    laptop.shows_row("* You left #general on another device. You are now in #dev.");
    laptop.shows_last("#dev>");
    laptop.presses("/info\r");
    laptop.shows("where the server has her", |rows| {
        rows.iter().any(|row| row.contains("You are in #dev. Your channels: #dev, #ops."))
    });
    // A channel left during the absence is not entered again.
    scene.store.kill();
    laptop.shows("that it is offline", |rows| {
        rows.last().is_some_and(|row| row.starts_with("(offline)"))
    });
    scene.store.start_again();
    let mut phone = scene.store.dialled();
    for line in ["/login alice open sesame", "/leave #dev"] {
        phone.does(line).unwrap();
    }
    laptop.presses("\r");
    laptop.shows_last("#ops>");
    laptop.presses("/info\r");
    laptop.shows("where the server has her", |rows| {
        rows.iter().any(|row| row.contains("You are in #ops. Your channels: #ops."))
    });
}

#[test]
fn signing_in_with_a_name_preserves_the_channels() {
    let scene = Scene::set();
    let arguments = ["-c", scene.store.address(), "-n", "carol", "-e", "random", "--no-color"];
    let mut carol = Terminal::start(&arguments);
    carol.shows_last("#random>");
    carol.presses("/login alice\ropen sesame\r");
    carol.shows_row("* You are signed in as alice. /logout signs out.");
    carol.shows_last("#general>");
    carol.presses("/info\r");
    carol.shows("where the server has her", |rows| {
        rows.iter().any(|row| row.contains("You are in #general. Your channels:"))
    });
    carol.presses("/leave\r");
    carol.shows_last("#dev>");
    carol.presses("/leave\r");
    carol.shows_last("#random>");
}
