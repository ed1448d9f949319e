//! Traits that the modules outside implement for the hub.

use std::sync::Arc;

use chat_proto::secret::Secret;

use crate::hub::Hub;
use crate::hub::client::Client;
use crate::hub::id::TokenHash;
use crate::hub::proposal::Submission;
use crate::hub::query::{AuthReply, AuthRequest, HistoryQuery};

/// Puts proposals into one order and makes them durable.
///
/// A log checks each proposal with [`check_policy`] when its turn comes, assigns the next
/// id of its conversation, stores it, and then passes it to [`Hub::apply`], or consecutive messages
/// of one channel to [`Hub::apply_run`]. So everything a client has seen is stored. Proposals of
/// one author are applied in the order of submission, each exactly once.
///
/// [`check_policy`]: crate::hub::proposal::Proposal::check_policy
pub trait CommitLog: Send + Sync {
    /// Submits work. Never blocks. What is submitted first is stored first, or in the same commit.
    /// An author has a bounded number of pending proposals, which bounds the queue; a change has no
    /// reply, and may be submitted under any lock.
    fn submit(&self, submission: Submission, hub: &Arc<Hub>);
}

/// Hashes passwords and makes tokens.
pub trait Authenticator: Send + Sync {
    /// Submits a request. Never blocks; the reply comes as a notification.
    fn ask(&self, question: AuthRequest, client: &Arc<Client>);

    /// Hashes a password without a client. `done` runs on the hashing thread, or at once if the
    /// queue is full, and must not block.
    fn hash(&self, secret: Secret, done: Box<dyn FnOnce(AuthReply) + Send>);

    /// Requests in the queue.
    fn waiting(&self) -> usize;

    /// A new token and its hash; none if the system has no randomness.
    fn new_token(&self) -> Option<(Secret, TokenHash)>;

    /// The hash of a token as typed, if it can be one.
    fn hash_of(&self, shown: &Secret) -> Option<TokenHash>;
}

/// Answers queries about stored messages.
pub trait HistoryReader: Send + Sync {
    /// Submits a query. Never blocks; the result comes as a notification. A client has one query at
    /// a time, which bounds the queue.
    fn ask(&self, question: HistoryQuery, client: &Arc<Client>);
}
