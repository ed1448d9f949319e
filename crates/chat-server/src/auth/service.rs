//! Answers the questions of those who sign in.

use std::sync::{Arc, Mutex};

use chat_proto::name::UserName;
use chat_proto::secret::Secret;
use tokio::time::Instant;

use super::login_throttle::{Slowdown, Source};
use super::pool::{self, Job, Pool, Start};
use super::token::Token;
use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::id::TokenHash;
use crate::hub::ports;
use crate::hub::query::{AuthReply, AuthRequest};
use crate::util::fair_queue::Flow;
use crate::util::sync::lock;

/// The vault of one server.
pub struct Keeper {
    pool: Hashing,
    slowdown: Arc<Mutex<Slowdown>>,
}

enum Hashing {
    /// By threads of its own.
    Pool(Pool),
    /// By whoever asks, for tests whose clock stands still.
    Inline,
}

impl Keeper {
    /// With threads of its own.
    pub fn start() -> Result<Self, Start> {
        Ok(Self { pool: Hashing::Pool(Pool::start()?), slowdown: Arc::default() })
    }

    /// Whoever asks waits.
    pub fn inline() -> Self {
        Self { pool: Hashing::Inline, slowdown: Arc::default() }
    }

    fn give(
        &self,
        job: Job,
        flow: Flow,
        asker: &Arc<Client>,
        answer: impl FnOnce(pool::Answer) -> AuthReply + Send + 'static,
    ) {
        let (waits, told) = (Arc::clone(asker), Arc::clone(asker));
        let wanted = Box::new(move || !waits.has_left());
        let done = Box::new(move |found| told.push(Notification::Auth(answer(found))));
        self.has_done(flow, job, wanted, done);
    }

    fn has_done(&self, flow: Flow, job: Job, wanted: pool::Wanted, done: pool::Done) {
        match &self.pool {
            Hashing::Inline => done(pool::carry_out_alone(&job)),
            Hashing::Pool(pool) => pool.ask(flow, job, wanted, done),
        }
    }
}

fn hashed(found: pool::Answer) -> AuthReply {
    match found {
        pool::Answer::Hashed(hash) => AuthReply::Hashed(hash.into()),
        pool::Answer::Busy => AuthReply::Busy,
        pool::Answer::Verified { .. } | pool::Answer::Failed => AuthReply::Failed,
    }
}

impl ports::Authenticator for Keeper {
    fn ask(&self, question: AuthRequest, asker: &Arc<Client>) {
        let flow = Flow::new(asker.address(), asker.id.0);
        match question {
            AuthRequest::Hash(secret) => self.give(Job::Hash(secret), flow, asker, hashed),
            AuthRequest::Verify { name, address, secret, known } => {
                let source = Source { address, connection: asker.id.0 };
                let flow = flow.on_account(name.key());
                let may = lock(&self.slowdown).may_try(source, name.key(), Instant::now());
                if let Err(seconds) = may {
                    asker.push(Notification::Auth(AuthReply::TooSoon(seconds)));
                    return;
                }
                let slowdown = Arc::clone(&self.slowdown);
                let one = Try { slowdown, source, name, open: true };
                let phc = known.map(|known| Box::from(&*known));
                let job = Job::Verify { password: secret, phc };
                self.give(job, flow, asker, |found| match found {
                    pool::Answer::Verified { right: true, rehashed } => {
                        one.was_right();
                        AuthReply::Right { rehashed: rehashed.map(Into::into) }
                    }
                    pool::Answer::Verified { right: false, .. } => {
                        one.was_wrong();
                        AuthReply::Wrong
                    }
                    pool::Answer::Busy => AuthReply::Busy,
                    pool::Answer::Hashed(_) | pool::Answer::Failed => AuthReply::Failed,
                });
            }
        }
    }

    fn hash(&self, secret: Secret, done: Box<dyn FnOnce(AuthReply) + Send>) {
        let done = Box::new(move |found| done(hashed(found)));
        self.has_done(Flow::SHELL, Job::Hash(secret), Box::new(|| true), done);
    }

    fn waiting(&self) -> usize {
        match &self.pool {
            Hashing::Pool(pool) => pool.waiting(),
            Hashing::Inline => 0,
        }
    }

    fn new_token(&self) -> Option<(Secret, TokenHash)> {
        match Token::new() {
            Ok(token) => Some((token.shown(), TokenHash(token.hash()))),
            Err(error) => {
                tracing::error!(%error, "no token can be made: the system gives no random numbers");
                None
            }
        }
    }

    fn hash_of(&self, shown: &Secret) -> Option<TokenHash> {
        Token::parse(shown.expose()).map(|token| TokenHash(token.hash()))
    }
}

/// A password is being tried. Whatever becomes of it, the try ends.
struct Try {
    slowdown: Arc<Mutex<Slowdown>>,
    source: Source,
    name: UserName,
    open: bool,
}

impl Try {
    fn was_right(mut self) {
        self.open = false;
        lock(&self.slowdown).succeeded(self.source, self.name.key(), Instant::now());
    }

    fn was_wrong(mut self) {
        self.open = false;
        lock(&self.slowdown).failed(self.source, self.name.key(), Instant::now());
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if self.open {
            lock(&self.slowdown).untried(self.source, self.name.key());
        }
    }
}
