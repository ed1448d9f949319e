//! One client: it sends commands, and reads the output.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_testkit::client::{ClientFormat, TestClient};
use chat_testkit::dice::Dice;
use serde_json::Value;

use super::commands::{command, guest_name};
use super::truth::{Said, Truth};
use super::view::View;

/// Time limit of a command on a busy machine. A deadlocked server never answers.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// Between two attempts to reconnect: the server doesn't report when a name is free or a ban has
/// ended.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Pipelined lines.
const AHEAD: u64 = 4;

const PASSWORD: &str = "of the two devices";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A device of this account.
    Account(&'static str),
    Guest,
    /// A guest in the text format, without a view.
    Reader,
}

pub(super) fn is_account(name: &str) -> bool {
    ["alice", "bob"].contains(&name)
}

pub(super) struct Player {
    number: u64,
    role: Role,
    address: SocketAddr,
    dice: Dice,
    count: u64,
    client: TestClient,
    view: View,
    /// The server's state of each channel of the client, while no client sends.
    found: BTreeMap<String, BTreeSet<String>>,
    truth: Arc<Mutex<Truth>>,
}

impl Player {
    pub(super) async fn join(
        number: u64,
        role: Role,
        address: SocketAddr,
        dice: Dice,
        truth: Arc<Mutex<Truth>>,
    ) -> Self {
        let client = TestClient::connect("", address).await;
        let view = View::new(Arc::clone(&truth));
        let found = BTreeMap::new();
        let mut player = Self { number, role, address, dice, count: 0, client, view, found, truth };
        player.come_back().await;
        player
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn name(&self) -> String {
        self.view.name.clone()
    }

    pub(super) fn fail(&self, fault: &str) -> ! {
        self.client.fail(fault)
    }

    /// Reconnects, and takes a name.
    pub(super) async fn come_back(&mut self) {
        loop {
            self.client =
                TestClient::connect(&format!("client {}", self.number), self.address).await;
            self.client.set_deadline(ANSWERED_WITHIN);
            self.view = View::new(Arc::clone(&self.truth));
            if self.role != Role::Reader {
                self.client.take_format_quietly(ClientFormat::Json).await;
            }
            if self.take_name().await {
                return;
            }
        }
    }

    /// Returns whether the connection is still there; then it has a name.
    async fn take_name(&mut self) -> bool {
        loop {
            let sent = match self.role {
                Role::Account(name) if self.number.is_multiple_of(2) && self.count == 0 => {
                    vec![format!("/name {name}"), format!("/register {PASSWORD}")]
                }
                Role::Account(name) => vec![format!("/login {name} {PASSWORD}")],
                Role::Guest | Role::Reader => {
                    vec![format!("/name {}", guest_name(self.number, &mut self.dice))]
                }
            };
            self.count += 1;
            let is_connected = match self.role {
                Role::Reader => self.take_name_in_text(&sent[0]).await,
                Role::Account(_) | Role::Guest => self.ask(&sent).await,
            };
            if !is_connected || !self.view.name.is_empty() {
                return is_connected;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn take_name_in_text(&mut self, line: &str) -> bool {
        self.client.send(line).await;
        let (output, ended) = self.client.received_by_now().await;
        if output.iter().any(|line| line.starts_with("* Hello, ")) {
            self.view.name = line.replace("/name ", "");
        }
        !ended
    }

    /// Sends a number of commands.
    pub(super) async fn play(&mut self, commands: u64) {
        let mut sent = 0;
        while sent < commands {
            if self.dice.below(150) == 0 {
                // Without `/quit`.
                self.come_back().await;
            }
            let ahead = 1 + self.dice.below(AHEAD);
            sent += ahead;
            let lines: Vec<String> = (0..ahead)
                .map(|_| {
                    self.count += 1;
                    command(self.number, self.role, self.count, &mut self.dice)
                })
                .collect();
            let goes_on = if self.role == Role::Reader {
                self.read(&lines).await
            } else {
                self.ask(&lines).await && self.know_members().await
            };
            if !goes_on || self.view.name.is_empty() {
                self.come_back().await;
            }
        }
    }

    /// In the text format: sends lines, and reads until all output has arrived. Returns whether the
    /// connection is still there.
    async fn read(&mut self, lines: &[String]) -> bool {
        let _ = self.client.try_send_raw(format!("{}\r\n", lines.join("\r\n")).as_bytes()).await;
        let (_, ended) = self.client.received_by_now().await;
        !ended
    }

    /// Sends lines, and reads until all are answered. Returns whether the connection is still
    /// there.
    async fn ask(&mut self, lines: &[String]) -> bool {
        let _ = self.client.try_send_raw(format!("{}\n", lines.join("\n")).as_bytes()).await;
        self.view.catches_up();
        let mut listed = BTreeSet::new();
        let mut lines = lines.iter();
        let mut line = lines.next();
        while let Some(asked) = line {
            let Some(output) = self.client.next_line().await else { return false };
            let output: Value = serde_json::from_str(&output).unwrap_or_default();
            let kept = match output["type"].as_str() {
                Some("ok" | "error") => {
                    line = lines.next();
                    self.view.is_answered(asked, &output, std::mem::take(&mut listed))
                }
                Some("user") => {
                    listed.insert(output["name"].as_str().unwrap_or_default().to_owned());
                    Ok(())
                }
                _ => self.view.happens(&output),
            };
            if let Err(fault) = kept {
                self.fail(&format!("{asked}: {fault}: {output}"));
            }
        }
        true
    }

    /// Queries the members of channels whose members are unknown.
    async fn know_members(&mut self) -> bool {
        let unknown: Vec<String> = self
            .view
            .channels
            .iter()
            .filter(|(_, state)| state.members.is_none())
            .map(|(channel, _)| format!("/users {channel}"))
            .collect();
        unknown.is_empty() || self.ask(&unknown).await
    }

    /// Reads the output so far.
    pub(super) async fn settle(&mut self) {
        let (output, ended) = self.client.received_by_now().await;
        if self.role != Role::Reader {
            for line in output {
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Err(fault) = self.view.happens(&event) {
                    self.fail(&format!("{fault}: {event}"));
                }
            }
        }
        if ended || self.view.name.is_empty() {
            self.come_back().await;
        }
    }

    /// Queries the client's channels and their members. Returns the channels.
    pub(super) async fn look(&mut self) -> Vec<String> {
        self.client.take_format(ClientFormat::Json).await;
        let (rows, _) = self.client.ask_json("/info").await;
        let info = rows.iter().find(|row| row["type"] == "info").unwrap_or(&Value::Null);
        info["name"].as_str().unwrap_or_default().clone_into(&mut self.view.name);
        let channels = info["channels"].as_array().cloned().unwrap_or_default();
        let channels: Vec<String> =
            channels.iter().filter_map(|channel| Some(channel.as_str()?.to_owned())).collect();
        self.found.clear();
        for channel in &channels {
            let (rows, answer) = self.client.ask_json(&format!("/users {channel}")).await;
            if answer["type"] != "ok" {
                self.fail(&format!("it is in {channel}: {answer}"));
            }
            let names = rows.iter().filter(|row| row["type"] == "user");
            let names = names.filter_map(|row| Some(row["name"].as_str()?.to_owned()));
            self.found.insert(channel.clone(), names.collect());
        }
        channels
    }

    /// Compares the view with the server, and both with the members of the channels.
    pub(super) fn check_members(&self, present: &BTreeMap<String, BTreeSet<String>>) {
        for (channel, found) in &self.found {
            if found != &present[channel] {
                self.fail(&format!(
                    "{found:?} are told in {channel}, where {:?} are",
                    present[channel]
                ));
            }
        }
        if self.role == Role::Reader {
            return;
        }
        let known: Vec<&String> = self.view.channels.keys().collect();
        if known != self.found.keys().collect::<Vec<_>>() {
            self.fail(&format!("it knows of {known:?}, and is in {:?}", self.found.keys()));
        }
        for (channel, state) in &self.view.channels {
            if state.members.as_ref().is_some_and(|members| members != &present[channel]) {
                self.fail(&format!(
                    "it knows {:?} in {channel}, where {:?} are",
                    state.members, present[channel]
                ));
            }
        }
    }

    /// Returns to the format of its role.
    pub(super) async fn look_away(&mut self) {
        if self.role == Role::Reader {
            self.client.take_format(ClientFormat::Text).await;
        }
    }

    /// Whether it is in a channel, and ignores no member of it.
    pub(super) fn reads_all_of(&self, channel: &str) -> bool {
        self.role != Role::Reader && self.found.contains_key(channel)
    }

    /// The stored messages of a channel after an id.
    pub(super) async fn lines(&mut self, channel: &str, after: u64) -> Vec<(u64, Said)> {
        let (rows, answer) =
            self.client.ask_json(&format!("/history {channel} 5000 after {after}")).await;
        if answer["type"] != "ok" {
            self.fail(&format!("{channel} can't be read: {answer}"));
        }
        let lines = rows.iter().filter(|row| row["type"] == "message");
        lines.map(|row| (row["id"].as_u64().unwrap_or_default(), Said::output(row))).collect()
    }
}
