//! Generated accounts. They share a password hash, because hashing every password would take hours.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chat_proto::secret::Secret;
use chat_server::auth::password::{self, HashMemory};
use chat_server::auth::token::Token;
use chat_server::store::{AccountOp, Durability, Store, StoreLocation, WriteOp};

/// The password of every account.
pub(super) const PASSWORD: &str = "correct horse battery";

/// Operations of one commit.
const BATCH: usize = 10_000;

/// The credentials of the accounts in a store.
pub(super) struct AccountLogins {
    /// The token of each account, as it is typed.
    pub(super) tokens: Vec<String>,
}

pub(super) fn name(at: usize) -> String {
    format!("member{at}")
}

/// The name of a channel, without its `#`.
pub(super) fn channel(at: usize) -> String {
    format!("home{at}")
}

/// The channels that an account is a member of.
pub(super) fn channels_of(at: usize, each: usize, channels: usize) -> impl Iterator<Item = usize> {
    (0..each.min(channels)).map(move |nth| (at + nth * 7919) % channels)
}

/// Creates the channels, and accounts that are members of `each` of them.
pub(super) fn make(
    data: &Path,
    count: usize,
    channels: usize,
    each: usize,
) -> anyhow::Result<AccountLogins> {
    let place = StoreLocation::Directory(data.to_owned());
    let (mut writer, _) = Store::open(&place, Durability::Process)?.into_parts();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let password = password::hash(&Secret::new(PASSWORD), &mut HashMemory::default())?;
    let tokens: Vec<Token> = (0..count).map(|_| Token::new()).collect::<Result<_, _>>()?;
    let hashes: Vec<[u8; 32]> = tokens.iter().map(Token::hash).collect();
    let names: Vec<String> = (0..count).map(name).collect();
    let shown: Vec<String> = (0..channels).map(channel).collect();
    let folded: Vec<String> = shown.iter().map(|name| format!("#{name}")).collect();
    let mut entries = Vec::new();
    for ((number, shown), name) in (1..).zip(&shown).zip(&folded) {
        entries.push(WriteOp::Channel { number, name, shown, topic: None, open: true });
    }
    for (at, (name, hash)) in names.iter().zip(&hashes).enumerate() {
        let user_id = at as u64 + 1;
        let (key, shown, password) = (name.as_str(), name.as_str(), password.as_str());
        let made = AccountOp::Create { user_id, key, shown, password, created: now, admin: false };
        entries.push(made.into());
        entries.push(AccountOp::Token { hash, user_id, created: now }.into());
        for channel in channels_of(at, each, channels) {
            let number = u32::try_from(channel + 1)?;
            entries.push(AccountOp::Member { user_id, number, marker: 0, entered: now }.into());
        }
        if entries.len() >= BATCH {
            writer.commit(&entries)?;
            entries.clear();
        }
    }
    writer.commit(&entries)?;
    writer.checkpoint()?;
    let tokens = tokens.iter().map(|token| token.shown().expose().to_owned()).collect();
    Ok(AccountLogins { tokens })
}
