//! Reads the state that the store held when the server started.

use std::collections::HashSet;

use super::conversation_index::ConversationIndex;
use super::{account, admin, moderation};
use crate::hub::id::UserId;
use crate::hub::recovered::RecoveredState;
use crate::store::{StoreError, Writer};

/// The index of conversations, and the state that the hub starts with.
pub(super) fn load(writer: &Writer) -> Result<(ConversationIndex, RecoveredState), StoreError> {
    let mut state = RecoveredState { next_user_id: 1, ..RecoveredState::default() };
    for holder in writer.holders()? {
        state.next_user_id = state.next_user_id.max(holder.user_id + 1);
        state.held.push((holder.name.into(), UserId(holder.user_id)));
    }
    state.next_user_id = state.next_user_id.max(writer.greatest_party()? + 1);
    let accounts = writer.accounts()?;
    let held = state.held.iter().map(|(_, user_id)| *user_id);
    let alive: HashSet<UserId> =
        held.chain(accounts.iter().map(|account| UserId(account.user_id))).collect();
    let (moderation, next_user_id) = moderation::load(writer)?;
    state.next_user_id = state.next_user_id.max(next_user_id);
    let index = ConversationIndex::load(writer, &alive, moderation, &mut state)?;
    state.server_moderation = admin::load(writer)?;
    account::load(writer, accounts, &index, &mut state)?;
    Ok((index, state))
}
