//! What the hub asks of the modules outside, as traits that they implement.

use std::sync::Arc;

use chat_proto::secret::Secret;

use crate::hub::Hub;
use crate::hub::admin::command::AdminCommand;
use crate::hub::client::Client;
use crate::hub::id::TokenHash;
use crate::hub::proposal::{AccountProposal, Proposal, StateChange};
use crate::hub::query::{AuthReply, AuthRequest, HistoryQuery};

/// Gives each line its place in its conversation.
///
/// An order takes a draft and asks [`Proposal::check_policy`] whether it may still be said. Then it gives it the next
/// id of its conversation and makes it durable, and only after that hands it to [`Hub::apply`], or a line of a
/// channel, with those that follow it there, to [`Hub::apply_run`], in the order of the ids. So whatever anyone has
/// seen is kept already. Drafts of one author are settled in the order in which they were submitted, each exactly once.
pub trait CommitLog: Send + Sync {
    /// Takes a draft. Never blocks. An author has a bounded number of drafts that are not settled, which
    /// bounds what waits here.
    fn submit(&self, proposal: Proposal, hub: &Arc<Hub>);

    /// Takes what becomes of an account. It is kept, or not, before the asker is told; and in the order in
    /// which it came, among drafts too.
    fn submit_account_update(&self, update: AccountProposal, hub: &Arc<Hub>);

    /// Takes what an operator of the server decided, in the same way.
    fn submit_admin_command(&self, command: Box<AdminCommand>, hub: &Arc<Hub>);

    /// Takes something to remember that nobody waits for. It is kept no later than any draft that is
    /// submitted after it.
    fn record(&self, fact: StateChange, hub: &Arc<Hub>);
}

/// Keeps secrets: hashes passwords, which takes time, and makes tokens.
pub trait Authenticator: Send + Sync {
    /// Takes a question. Never blocks; the answer comes to the asker as a note.
    fn ask(&self, question: AuthRequest, asker: &Arc<Client>);

    /// Has a password hashed for nobody in the chat. `done` is called where hashes are made, or at once if so much waits
    /// that it isn't taken, and must not block.
    fn hash(&self, secret: Secret, done: Box<dyn FnOnce(AuthReply) + Send>);

    /// Passwords that wait to be looked at.
    fn waiting(&self) -> usize;

    /// A new token as it is shown, and what is kept of it; none if the system has no randomness.
    fn new_token(&self) -> Option<(Secret, TokenHash)>;

    /// What is kept of a token that is shown so, if it can be one.
    fn hash_of(&self, shown: &Secret) -> Option<TokenHash>;
}

/// Answers questions about the past.
pub trait HistoryReader: Send + Sync {
    /// Takes a question. Never blocks; the answer comes to the asker as a note. One asker has one
    /// question at a time, which bounds what waits here.
    fn ask(&self, question: HistoryQuery, asker: &Arc<Client>);
}
