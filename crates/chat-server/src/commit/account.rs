//! Changes of accounts, to the store and back.

use std::collections::HashMap;

use chat_proto::event::Away;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use super::conversation_index::ConversationIndex;
use crate::hub::client::account::{AccountMembership, IgnoredUser, StoredAccount};
use crate::hub::id::UserId;
use crate::hub::id::{ConversationKey, TokenHash};
use crate::hub::proposal::{AccountUpdate, StateChange};
use crate::hub::recovered::RecoveredState;
use crate::store::{AccountOp, AccountRow, ServerModerationOp, StoreError, WriteOp, Writer};
use crate::util::clock::on_the_wall;

/// Adds the stored accounts to the recovered state.
pub(super) fn load(
    writer: &Writer,
    rows: Vec<AccountRow>,
    index: &ConversationIndex,
    past: &mut RecoveredState,
) -> Result<(), StoreError> {
    let mut ignored: HashMap<u64, Vec<IgnoredUser>> = HashMap::new();
    for row in writer.ignored()? {
        let Ok(name) = UserName::new(&row.shown) else { continue };
        let hidden = IgnoredUser { name, user_id: row.other.map(UserId) };
        ignored.entry(row.user_id).or_default().push(hidden);
    }
    let mut members = writer.members()?;
    members.sort_by_key(|row| row.entered);
    let mut channels: HashMap<u64, Vec<AccountMembership>> = HashMap::new();
    for row in members {
        let Some(channel) = index.channel(row.number).cloned() else { continue };
        let remembered = AccountMembership { channel, read: MessageId(row.marker) };
        channels.entry(row.user_id).or_default().push(remembered);
    }
    for row in rows {
        let Ok(name) = UserName::new(&row.shown) else {
            tracing::warn!(
                name = row.shown,
                "an account is skipped: its name isn't valid any more"
            );
            continue;
        };
        let reason = row.away.as_deref().and_then(Text::new);
        past.accounts.push(StoredAccount {
            user_id: UserId(row.user_id),
            name,
            password: row.password.into(),
            away: row.is_away.then_some(Away { reason }),
            seen: Timestamp(row.seen),
            admin: row.admin,
            ignored: ignored.remove(&row.user_id).unwrap_or_default(),
            channels: channels.remove(&row.user_id).unwrap_or_default(),
        });
    }
    for row in writer.tokens()? {
        past.tokens.push((TokenHash(row.hash), UserId(row.user_id), Timestamp(row.used)));
    }
    Ok(())
}

/// The write operations of an account update.
pub(super) fn add_entries<'a>(
    what: &'a AccountUpdate,
    index: &ConversationIndex,
    entries: &mut Vec<WriteOp<'a>>,
) {
    let number = |name: &ChannelName| {
        index.entry(&ConversationKey::Channel(name.clone())).map(|entry| entry.number)
    };
    let user_id = what.user_id().0;
    let add_token = |entries: &mut Vec<WriteOp<'a>>, token: &'a Option<_>, created| {
        let hash = token.as_ref().map(TokenHash::bytes);
        let entry = hash.map(|hash| WriteOp::from(AccountOp::Token { hash, user_id, created }));
        entries.extend(entry);
    };
    match what {
        AccountUpdate::Register { name, password, token, invite, ignored, away, now, .. } => {
            let (key, shown) = (name.key(), name.as_str());
            let (created, admin) = (on_the_wall(*now).0, false);
            entries
                .push(AccountOp::Create { user_id, key, shown, password, created, admin }.into());
            entries.push(WriteOp::ReleaseName { name: key });
            if let Some(invite) = invite {
                entries.push(ServerModerationOp::InvitationUsed { hash: invite.bytes() }.into());
            }
            add_token(entries, token, on_the_wall(*now).0);
            entries.extend(ignored.iter().map(|(name, whom)| hides(user_id, name, *whom)));
            entries.extend(away.as_ref().map(|away| is_away(user_id, Some(away))));
        }
        AccountUpdate::SignIn { token, surplus, rehashed, now, .. } => {
            if let Some(surplus) = surplus {
                entries.push(AccountOp::Revoke { hash: surplus.bytes() }.into());
            }
            add_token(entries, token, on_the_wall(*now).0);
            if let Some(password) = rehashed {
                entries.push(AccountOp::Password { user_id, password }.into());
            }
        }
        AccountUpdate::Enter { channel, read, now, .. } => {
            let (marker, entered) = (read.0, now.0);
            let member = number(channel).map(|number| {
                WriteOp::from(AccountOp::Member { user_id, number, marker, entered })
            });
            entries.extend(member);
        }
        AccountUpdate::Leave { channel, .. } => {
            let none = number(channel)
                .map(|number| WriteOp::from(AccountOp::NotMember { user_id, number }));
            entries.extend(none);
        }
        AccountUpdate::SignOut { token, now, .. } => {
            if let Some(token) = token {
                entries.push(AccountOp::Revoke { hash: token.bytes() }.into());
            }
            entries.push(AccountOp::Seen { user_id, time: on_the_wall(*now).0 }.into());
        }
        AccountUpdate::Password { password, token, now, .. } => {
            entries.push(AccountOp::Password { user_id, password }.into());
            entries.push(AccountOp::RevokeAll { user_id, except: None }.into());
            add_token(entries, token, on_the_wall(*now).0);
        }
        AccountUpdate::Ignore { name, whom, .. } => {
            entries.push(hides(user_id, name, *whom));
        }
        AccountUpdate::Unignore { names, .. } => {
            let entry = |name: &'a UserName| {
                WriteOp::from(AccountOp::Unignore { user_id, name: name.key() })
            };
            entries.extend(names.iter().map(entry));
        }
        AccountUpdate::Away { away, .. } => entries.push(is_away(user_id, away.as_ref())),
        AccountUpdate::Forget { .. } => entries.push(AccountOp::Forget { user_id }.into()),
    }
}

fn hides(user_id: u64, name: &UserName, whom: Option<UserId>) -> WriteOp<'_> {
    let (name, shown, other) = (name.key(), name.as_str(), whom.map(|whom| whom.0));
    AccountOp::Ignore { user_id, name, shown, other }.into()
}

fn is_away(user_id: u64, away: Option<&Away>) -> WriteOp<'_> {
    let reason = away.and_then(|away| away.reason.as_ref()).map(Text::as_str);
    AccountOp::Away { user_id, is_away: away.is_some(), reason }.into()
}

/// The write operation of a recorded change of an account.
pub(super) fn change_entry<'a>(
    change: &'a StateChange,
    index: &ConversationIndex,
) -> Option<WriteOp<'a>> {
    let number = |key: &ConversationKey| index.entry(key).map(|entry| entry.number);
    let channel = |name: &ChannelName| number(&ConversationKey::Channel(name.clone()));
    let entry = match change {
        StateChange::AccountSeen(user_id, time) => {
            AccountOp::Seen { user_id: user_id.0, time: time.0 }
        }
        StateChange::MemberAdded(user_id, name, read, now) => AccountOp::Member {
            user_id: user_id.0,
            number: channel(name)?,
            marker: read.0,
            entered: now.0,
        },
        StateChange::MemberRemoved(user_id, name) => {
            AccountOp::NotMember { user_id: user_id.0, number: channel(name)? }
        }
        StateChange::ReadMarker(user_id, key, line) => {
            AccountOp::Marker { user_id: user_id.0, number: number(key)?, marker: line.0 }
        }
        StateChange::TokenUsed(_, hash, now) => {
            AccountOp::TokenUsed { hash: hash.bytes(), time: now.0 }
        }
        StateChange::TokenExpired(_, hash) => AccountOp::Revoke { hash: hash.bytes() },
        StateChange::ExpiredBefore(now) => {
            return Some(ServerModerationOp::Expire { now: now.0 }.into());
        }
        StateChange::Moderation(_)
        | StateChange::ChannelCreated(..)
        | StateChange::ChannelDropped(_)
        | StateChange::ChannelForgotten(..)
        | StateChange::NameHeld(..)
        | StateChange::NameReleased(_)
        | StateChange::UserGone(_) => {
            return None;
        }
    };
    Some(entry.into())
}
