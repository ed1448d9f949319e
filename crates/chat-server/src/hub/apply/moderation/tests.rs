use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use chat_proto::event::SignOutReason;
use chat_proto::name::ChannelName;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
    duplex, split,
};

use super::*;
use crate::conn::{self, ConnectionConfig, serve};
use crate::hub::client::account::{Account, StoredAccount};
use crate::hub::id::UserId;
use crate::hub::limits::{Limits, Quotas};
use crate::store::StoreLocation;
use crate::util::clock::steady_clock;

/// A whole server without listeners.
fn hub(place: &StoreLocation) -> Arc<Hub> {
    Hub::at(place, Limits::small())
}

fn directory(path: &Path) -> StoreLocation {
    StoreLocation::Directory(path.join("data"))
}

/// A connected client in the text format.
struct Peer {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    out: WriteHalf<DuplexStream>,
    hub: Arc<Hub>,
    name: String,
}

impl Peer {
    async fn new(hub: &Arc<Hub>, name: &str, address: &str, account: Option<u64>) -> Self {
        let connection_config = ConnectionConfig {
            throttle: None,
            name_deadline: Duration::from_mins(1),
            write_deadline: Duration::from_mins(1),
            drain_rate: 0,
        };
        let (ours, theirs) = duplex(4096);
        let from = address.parse::<SocketAddr>().ok().map(|from| from.ip().to_canonical());
        let caller = conn::PeerInfo { shown: address.to_owned(), address: from };
        tokio::spawn(serve(ours, caller, Arc::clone(hub), Arc::new(connection_config), ()));
        let (read, out) = split(theirs);
        let lines = BufReader::new(read).lines();
        let mut peer = Self { lines, out, hub: Arc::clone(hub), name: name.to_owned() };
        peer.ask(name).await;
        if let Some(user_id) = account.map(UserId) {
            peer.client().set_account(Some(peer.account(user_id)), user_id);
        }
        peer
    }

    /// An account, named after the first client that signs in to it.
    fn account(&self, user_id: UserId) -> Arc<Account> {
        let mut accounts = lock(&self.hub.accounts);
        if let Some(account) = accounts.of(user_id) {
            return Arc::clone(account);
        }
        accounts.add(StoredAccount {
            user_id,
            name: UserName::new(&self.name).unwrap(),
            password: "".into(),
            away: None,
            seen: steady_clock(),
            admin: false,
            ignored: Vec::new(),
            channels: Vec::new(),
        })
    }

    fn client(&self) -> Arc<Client> {
        self.hub.client(&UserName::new(&self.name).unwrap()).unwrap()
    }

    /// Sends a line; returns everything up to its reply.
    async fn ask(&mut self, line: &str) -> Vec<String> {
        self.out.write_all(format!("{line}\n/ping done\n").as_bytes()).await.unwrap();
        let mut told = Vec::new();
        loop {
            let line = self.lines.next_line().await.unwrap().expect("the server goes on");
            if line == "* pong done" {
                return told;
            }
            told.push(line);
        }
    }

    async fn ask_one(&mut self, line: &str) -> String {
        self.ask(line).await.pop().unwrap_or_default()
    }

    async fn quit(mut self) {
        self.out.write_all(b"/quit\n").await.unwrap();
        while self.lines.next_line().await.unwrap().is_some() {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_of_an_account_holds_for_every_name_and_device() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", None).await;
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", Some(1000)).await;
    let mut phone = Peer::new(&hub, "bobs-phone", "192.0.2.3:1", Some(1000)).await;
    let mut carol = Peer::new(&hub, "carol", "192.0.2.2:2", None).await;
    alice.ask("/create dev").await;
    for peer in [&mut bob, &mut phone, &mut carol] {
        peer.ask("/enter dev").await;
    }
    alice.ask("/ban bob spam").await;
    for peer in [&mut bob, &mut phone] {
        let told = peer.ask("/ping").await.join("\n");
        assert!(told.contains("* alice kicked you from #dev and banned you (spam)"), "{told}");
        assert!(peer.ask_one("/enter dev").await.starts_with("! banned: "));
    }
    let mut other = Peer::new(&hub, "zed", "192.0.2.9:1", Some(1000)).await;
    assert!(other.ask_one("/enter dev").await.starts_with("! banned: "));
    let mut stranger = Peer::new(&hub, "yan", "192.0.2.2:3", None).await;
    assert!(stranger.ask("/enter dev").await[0].starts_with("* You entered"));
    carol.ask("still here").await;
    assert_eq!(carol.ask("/users").await, ["* 3 in #dev: alice, carol, yan"]);
    // The account's ban is removed by any of its names.
    alice.ask("/unban zed").await;
    assert!(bob.ask("/enter dev").await[0].starts_with("* You entered"));
}

/// The only operator left between the check of a ban and its effect: the target inherited the right
/// and stayed, though the ban had its `ok`.
#[tokio::test(start_paused = true)]
async fn the_target_of_a_ban_keeps_no_right_that_it_inherits_while_the_ban_is_stored() {
    for is_gone in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let place = directory(folder.path());
        {
            let hub = hub(&place);
            let mut maker = Peer::new(&hub, "maker", "192.0.2.1:1", None).await;
            let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", Some(1000)).await;
            let mut phone = Peer::new(&hub, "bobs-phone", "192.0.2.3:1", Some(1000)).await;
            let mut alice = Peer::new(&hub, "alice", "192.0.2.4:1", Some(1001)).await;
            maker.ask("/create dev").await;
            for peer in [&mut bob, &mut phone, &mut alice] {
                peer.ask("/enter dev").await;
            }
            let user = UserName::new("bob").unwrap();
            let (client, account) = (Some(bob.client()), Some(UserId(1000)));
            let target = BanSubject::User(ActionTarget { user, client, account });
            let ban = ModAction { kind: ModActionKind::Ban(target, None), reason: None };
            let (now, shell) = (steady_clock(), hub.shell(steady_clock()));
            let channel = hub.channel(&dev()).unwrap();
            let checked = channel.ask_about(&ban, &shell, now, |access| access.target.operator);
            assert!(!checked, "the policy allows it");
            let leaver = maker.client();
            if is_gone {
                maker.quit().await;
                let told = bob.ask("/ping").await.join("\n");
                assert!(told.contains("You are now the operator of #dev."), "{told}");
            } else {
                leaver.mark_left();
                maker.quit().await;
            }
            let by = UserName::stored("server").unwrap();
            hub.apply_mod_action(&shell, &by, &channel, ban, now, 0);
            for peer in [&mut bob, &mut phone] {
                let told = peer.ask("/ping").await.join("\n");
                assert!(told.contains("kicked you from #dev and banned you"), "{told}");
                assert!(peer.ask_one("/enter dev").await.starts_with("! banned: "));
            }
            let told = alice.ask("a line").await.join("\n");
            assert!(told.contains("You are now the operator of #dev."), "{told}");
            assert!(told.contains("from #dev and banned them"), "{told}");
            for peer in [alice, bob, phone] {
                peer.quit().await;
            }
        }
        let hub = hub(&place);
        let channel = hub.channel(&dev()).unwrap();
        assert_eq!(channel.state().operators.all().0, [UserId(1001)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ban_of_a_net_puts_out_whoever_connects_from_there_but_operators() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "10.0.0.1:1", None).await;
    let mut bob = Peer::new(&hub, "bob", "10.255.0.2:1", None).await;
    let mut carol = Peer::new(&hub, "carol", "[2001:db8::7]:1", None).await;
    let mut dave = Peer::new(&hub, "dave", "[::ffff:10.1.1.1]:1", None).await;
    let mut unix = Peer::new(&hub, "eve", "a Unix socket", None).await;
    alice.ask("/create dev").await;
    for peer in [&mut bob, &mut carol, &mut dave, &mut unix] {
        peer.ask("/enter dev").await;
    }
    alice.ask("/ban 10.0.0.0/8").await;
    assert_eq!(alice.ask("/users").await, ["* 3 in #dev: alice, carol, eve"]);
    alice.ask("/ban 2001:db8::/32 for 1h").await;
    assert_eq!(alice.ask("/users").await, ["* 2 in #dev: alice, eve"]);
    for peer in [&mut bob, &mut carol, &mut dave] {
        assert!(peer.ask_one("/enter dev").await.starts_with("! banned: "));
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_with_an_account_stays_one_over_a_restart_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    let dev = ChannelName::new("dev").unwrap();
    {
        let hub = hub(&place);
        let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
        let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
        alice.ask("/create dev").await;
        bob.ask("/enter dev").await;
        alice.ask("/op bob").await;
        alice.quit().await;
        // The right isn't inherited while there is an operator, present or not.
        bob.ask("/set invite-only on").await;
        bob.quit().await;
        hub.drop_empty_channels(steady_clock().max(Timestamp(i64::MAX / 2)));
        assert!(hub.channel(&dev).is_ok(), "a channel with such an operator outlives its members");
    }
    let hub = hub(&place);
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
    assert!(bob.ask_one("/enter dev").await.starts_with("! invite-only: "));
    // Another user under the account's name hasn't its right.
    let mut mallory = Peer::new(&hub, "alice", "192.0.2.3:1", None).await;
    assert!(mallory.ask_one("/enter dev").await.starts_with("! invite-only: "));
    mallory.quit().await;
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:2", Some(1000)).await;
    assert!(alice.ask("/enter dev").await[0].starts_with("* You entered"));
    alice.ask("/invite bob").await;
    bob.ask("/enter dev").await;
    assert!(bob.ask_one("/kick alice").await.starts_with("! not-allowed: "));
    // After a transfer to a guest the channel is dropped when it is empty.
    alice.ask("/op bob").await;
    assert_eq!(alice.ask("/deop alice").await, ["* alice is no operator of #dev any more."]);
    assert!(alice.ask_one("/kick bob").await.starts_with("! not-allowed: "));
    alice.quit().await;
    bob.quit().await;
    hub.drop_empty_channels(Timestamp(i64::MAX / 2));
    assert!(hub.channel(&dev).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_channel_goes_with_its_lines_once_it_has_been_empty_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    {
        let hub = hub(&place);
        let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", None).await;
        alice.ask("/create dev").await;
        alice.ask("gone with the channel").await;
        alice.ask("/ban bob").await;
        hub.drop_empty_channels(Timestamp(i64::MAX / 2));
        assert!(alice.ask("/users dev").await[0].contains("1 in #dev"));
        alice.quit().await;
        hub.drop_empty_channels(Timestamp(i64::MAX / 2));
        // Recorded changes are committed with the next proposal here.
        let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
        bob.ask("/create other").await;
        bob.ask("hello").await;
        bob.quit().await;
    }
    let hub = hub(&place);
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
    assert!(bob.ask_one("/enter dev").await.starts_with("! no-such-channel: "));
    bob.ask("/create dev").await;
    bob.ask("anew").await;
    let past = bob.ask("/history after 0").await;
    assert!(past.len() == 1 && past[0].ends_with("bob: anew"), "{past:?}");
    assert_eq!(hub.channel(&dev()).unwrap().last_line(), MessageId(2));
}

#[tokio::test(start_paused = true)]
async fn a_channel_with_lines_stays_and_one_without_goes() {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    let never = || Limits { empty_channel_millis: None, ..Limits::small() };
    {
        let hub = Hub::at(&place, never());
        let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", None).await;
        alice.ask("/create empty").await;
        alice.ask("/create dev").await;
        alice.ask("months of work").await;
        alice.quit().await;
        hub.drop_empty_channels(Timestamp(i64::MAX / 2));
        assert!(hub.channel(&dev()).is_ok());
        assert!(hub.channel(&ChannelName::new("empty").unwrap()).is_err());
    }
    let hub = Hub::at(&place, never());
    hub.drop_empty_channels(Timestamp(i64::MAX / 2));
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
    bob.ask("/enter dev").await;
    let past = bob.ask("/history").await;
    assert!(past.iter().any(|line| line.ends_with("alice: months of work")), "{past:?}");
}

fn dev() -> ChannelName {
    ChannelName::new("dev").unwrap()
}

#[tokio::test(start_paused = true)]
async fn invitations_are_bounded_and_the_oldest_is_void() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", None).await;
    alice.ask("/create dev").await;
    alice.ask("/set invite-only on").await;
    let mut invited = Vec::new();
    for n in 0..=100 {
        let peer = Peer::new(&hub, &format!("user{n}"), "192.0.2.2:1", None).await;
        alice.ask(&format!("/invite user{n}")).await;
        invited.push(peer);
    }
    assert!(invited[0].ask_one("/enter dev").await.starts_with("! invite-only: "));
    assert!(invited[1].ask("/enter dev").await.join("\n").contains("* You entered #dev"));
    assert!(invited[100].ask("/enter dev").await.join("\n").contains("* You entered #dev"));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_in_no_index() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", Some(1001)).await;
    for line in [
        "/create dev -- a topic",
        "/ban 10.0.0.0/8 noise",
        "/ban 2001:db8::1",
        "/ban carol spam",
        "/ban carol for 1h spam",
        "/unban carol",
        "/mute bob for 1h",
        "/op bob",
        "/deop bob",
        "/set hidden on",
        "/create other",
        "/ban mallory",
    ] {
        let told = alice.ask(line).await;
        assert!(!told.join("\n").contains("! "), "{line}: {told:?}");
        if line.starts_with("/create dev") {
            bob.ask("/enter dev").await;
        }
    }
    assert!(!lock(&hub.index).is_empty());
    let outsider = Peer::new(&hub, "mallory", "10.0.0.7:1", None).await;
    let who = outsider.client().who();
    let about = lock(&hub.index).about(&who);
    assert_eq!(about.len(), 2, "by the name in one, by the address in the other");
    assert_eq!(hub.counts().0, 1);
    alice.ask("/drop dev").await;
    assert_eq!(hub.counts().0, 1);
    alice.ask("/leave other").await;
    alice.ask("/deop alice").await;
    let now = Timestamp(i64::MAX / 2);
    alice.quit().await;
    hub.erase_account(UserId(1000), crate::hub::id::Source::NONE, None, SignOutReason::Deleted);
    hub.drop_empty_channels(now);
    assert!(lock(&hub.index).is_empty());
    assert_eq!(hub.counts().0, 0);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_in_no_channel_that_was_dropped_and_made_again() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", Some(1001)).await;
    alice.ask("/create dev").await;
    bob.ask("/enter dev").await;
    let account = bob.client().signed_in().unwrap();
    assert!(account.is_in(&dev()));
    alice.ask("/drop dev").await;
    assert!(!account.is_in(&dev()));
    alice.ask("/create dev").await;
    alice.ask("/set invite-only on").await;
    assert!(bob.ask_one("/enter dev").await.starts_with("! invite-only: "));
}

#[tokio::test(start_paused = true)]
async fn an_operator_of_the_server_drops_no_channel_twice() {
    let hub = hub(&StoreLocation::Memory);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
    alice.ask("/create dev").await;
    alice.ask("a line").await;
    let (now, shell) = (steady_clock(), hub.shell(steady_clock()));
    // Two submissions at once.
    let dropped = hub.channel_for(&shell, &dev(), now).unwrap();
    alice.ask("/drop dev").await;
    alice.ask("/create dev").await;
    let made = hub.channel(&dev()).unwrap();
    let act = ModAction { kind: ModActionKind::Drop, reason: None };
    let own = UserName::stored("server").unwrap();
    hub.moderate(&shell, own, &dropped, act, now, crate::policy::channel::may).unwrap();
    let Some(Notification::Reply(Err(refusal))) = shell.pop_notification() else {
        panic!("it isn't refused")
    };
    assert_eq!(refusal.code(), chat_proto::refusal::Code::NoSuchChannel);
    assert!(Arc::ptr_eq(&made, &hub.channel(&dev()).unwrap()), "the new one stays");
    assert_eq!(alice.ask("another line").await, [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_one_maker_are_bounded_over_all_their_channels() {
    let mut bounds = Limits::small();
    bounds.shares = Some(Quotas { rules_per_owner: 3, rules: 4, ..Quotas::for_tests() });
    let hub = Hub::at(&StoreLocation::Memory, bounds);
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
    let mut bob = Peer::new(&hub, "bob", "192.0.2.2:1", None).await;
    alice.ask("/create dev").await;
    alice.ask("/ban mallory").await;
    alice.ask("/set words +bad").await;
    alice.ask("/create other").await;
    alice.ask("/ban mallory").await;
    for line in ["/ban eve", "/mute bob", "/invite bob", "/set words +worse"] {
        assert!(
            alice.ask_one(line).await.starts_with("! not-allowed: The channels that"),
            "{line}"
        );
    }
    bob.ask("/create own").await;
    bob.ask("/ban mallory").await;
    let told = bob.ask_one("/ban eve").await;
    assert!(told.starts_with("! not-allowed: The channels of this server have 4"), "{told}");
    alice.ask("/unban mallory").await;
    let told = bob.ask_one("/ban eve").await;
    assert!(told.starts_with("* You banned eve from #own."), "{told}");
    alice.ask("/drop other").await;
    alice.ask("/drop dev").await;
    bob.ask("/drop own").await;
}

#[tokio::test(start_paused = true)]
async fn an_account_is_in_so_many_channels_and_no_more() {
    let hub = hub(&StoreLocation::Memory);
    let bob = Peer::new(&hub, "bob", "192.0.2.2:1", Some(1001)).await;
    let account = bob.client().signed_in().unwrap();
    let channel = |n: i64| ChannelName::new(&format!("c{n}")).unwrap();
    for n in 0..=256 {
        hub.record_entry(&account, &channel(n), MessageId(0), Timestamp(n));
    }
    assert_eq!(account.channels().len(), 256);
    assert!(!account.is_in(&channel(0)) && account.is_in(&channel(1)));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_forgotten_and_made_again_gives_no_id_twice() {
    let folder = tempfile::tempdir().unwrap();
    let place = directory(folder.path());
    {
        let hub = hub(&place);
        let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
        alice.ask("/create dev").await;
        for text in ["one", "two", "three"] {
            alice.ask(text).await;
        }
        alice.ask("/drop dev").await;
        {
            let mut channels = hub.channels.write();
            assert_eq!(channels.take_last_line(&dev()), MessageId(3));
            channels.forgotten = MessageId(3);
        }
        hub.record(StateChange::ChannelForgotten(dev(), MessageId(3)));
        alice.ask("/create other").await;
        alice.ask("four").await;
        assert_eq!(
            hub.channel(&ChannelName::new("other").unwrap()).unwrap().last_line(),
            MessageId(4)
        );
        alice.quit().await;
    }
    let hub = hub(&place);
    assert_eq!(hub.channels.read().forgotten, MessageId(3));
    let mut alice = Peer::new(&hub, "alice", "192.0.2.1:1", Some(1000)).await;
    alice.ask("/create dev").await;
    alice.ask("anew").await;
    assert_eq!(hub.channel(&dev()).unwrap().last_line(), MessageId(4));
    let past = alice.ask("/history after 0").await;
    assert!(past.len() == 1 && past[0].ends_with("alice: anew"), "{past:?}");
}

#[test]
fn ids_of_channels_that_are_gone_are_bounded_and_the_smallest_go() {
    let mut channels = ChannelTable::default();
    let name = |n: u64| ChannelName::new(&format!("c{n}")).unwrap();
    for n in 1..=30_000 {
        channels.keep_last_line(&name(n), MessageId(n));
    }
    assert_eq!(channels.forgotten, MessageId(10_000));
    assert_eq!(channels.take_last_line(&name(30_000)), MessageId(30_000));
    assert_eq!(channels.take_last_line(&name(5)), MessageId(10_000));
    assert_eq!((channels.gone.len(), channels.gone_by_last.len()), (19_999, 19_999));
}
