//! The authentication service of one server.

use std::sync::{Arc, Mutex};

use chat_proto::name::UserName;
use chat_proto::secret::Secret;
use tokio::time::Instant;

use super::login_throttle::{LoginSource, LoginThrottle};
use super::pool::{self, AuthStartError, HashJob, HashPool, Hasher};
use super::token::Token;
use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::id::TokenHash;
use crate::hub::ports;
use crate::hub::query::{AuthReply, AuthRequest};
use crate::util::fair_queue::FlowId;
use crate::util::sync::lock;

/// Throttles logins and makes tokens; passwords are hashed by `hasher`.
pub struct AuthService {
    hasher: Box<dyn Hasher>,
    throttle: Arc<Mutex<LoginThrottle>>,
}

impl AuthService {
    /// Starts the service with a pool.
    pub fn start() -> Result<Self, AuthStartError> {
        Ok(Self::with(Box::new(HashPool::start()?)))
    }

    /// Makes the service with a hasher.
    pub(crate) fn with(hasher: Box<dyn Hasher>) -> Self {
        Self { hasher, throttle: Arc::default() }
    }

    fn give(
        &self,
        job: HashJob,
        flow: FlowId,
        client: &Arc<Client>,
        answer: impl FnOnce(pool::HashOutcome) -> AuthReply + Send + 'static,
    ) {
        let (waits, told) = (Arc::clone(client), Arc::clone(client));
        let wanted = Box::new(move || !waits.has_left());
        let done = Box::new(move |found| told.push(Notification::Auth(answer(found))));
        self.hasher.ask(flow, job, wanted, done);
    }
}

fn hashed(found: pool::HashOutcome) -> AuthReply {
    match found {
        pool::HashOutcome::Hashed(hash) => AuthReply::Hashed(hash.into()),
        pool::HashOutcome::Busy => AuthReply::Busy,
        pool::HashOutcome::Verified { .. } | pool::HashOutcome::Failed => AuthReply::Failed,
    }
}

impl ports::Authenticator for AuthService {
    fn ask(&self, question: AuthRequest, client: &Arc<Client>) {
        let flow = FlowId::new(client.address(), client.id.0);
        match question {
            AuthRequest::Hash(secret) => self.give(HashJob::Hash(secret), flow, client, hashed),
            AuthRequest::Verify { name, address, secret, known } => {
                let source = LoginSource { address, connection: client.id.0 };
                let flow = flow.on_account(name.key());
                let may = lock(&self.throttle).may_try(source, name.key(), Instant::now());
                if let Err(seconds) = may {
                    client.push(Notification::Auth(AuthReply::TooSoon(seconds)));
                    return;
                }
                let throttle = Arc::clone(&self.throttle);
                let one = LoginAttempt { throttle, source, name, open: true };
                let phc = known.map(|known| Box::from(&*known));
                let job = HashJob::Verify { password: secret, phc };
                self.give(job, flow, client, |found| match found {
                    pool::HashOutcome::Verified { right: true, rehashed } => {
                        one.was_right();
                        AuthReply::Right { rehashed: rehashed.map(Into::into) }
                    }
                    pool::HashOutcome::Verified { right: false, .. } => {
                        one.was_wrong();
                        AuthReply::Wrong
                    }
                    pool::HashOutcome::Busy => AuthReply::Busy,
                    pool::HashOutcome::Hashed(_) | pool::HashOutcome::Failed => AuthReply::Failed,
                });
            }
        }
    }

    fn hash(&self, secret: Secret, done: Box<dyn FnOnce(AuthReply) + Send>) {
        let done = Box::new(move |found| done(hashed(found)));
        self.hasher.ask(FlowId::SHELL, HashJob::Hash(secret), Box::new(|| true), done);
    }

    fn waiting(&self) -> usize {
        self.hasher.waiting()
    }

    fn new_token(&self) -> Option<(Secret, TokenHash)> {
        match Token::new() {
            Ok(token) => Some((token.shown(), TokenHash(token.hash()))),
            Err(error) => {
                tracing::error!(%error, "can't make a token: the system has no random numbers");
                None
            }
        }
    }

    fn hash_of(&self, shown: &Secret) -> Option<TokenHash> {
        Token::parse(shown.expose()).map(|token| TokenHash(token.hash()))
    }
}

/// A login attempt in progress. Dropping it ends it.
struct LoginAttempt {
    throttle: Arc<Mutex<LoginThrottle>>,
    source: LoginSource,
    name: UserName,
    open: bool,
}

impl LoginAttempt {
    fn was_right(mut self) {
        self.open = false;
        lock(&self.throttle).succeeded(self.source, self.name.key(), Instant::now());
    }

    fn was_wrong(mut self) {
        self.open = false;
        lock(&self.throttle).failed(self.source, self.name.key(), Instant::now());
    }
}

impl Drop for LoginAttempt {
    fn drop(&mut self) {
        if self.open {
            lock(&self.throttle).untried(self.source, self.name.key());
        }
    }
}
