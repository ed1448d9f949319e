//! Queries answered before the call returns.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::history::answer;
use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::ports::HistoryReader;
use crate::hub::query::HistoryQuery;
use crate::store::{Cutoff, Reader};
use crate::util::sync::lock;

/// Time limit of a query: longer than any test takes.
const DEADLINE: Duration = Duration::from_mins(1);

/// Reads on the thread that submits a query.
pub(super) struct InlineHistory(pub(super) Mutex<Reader>);

impl HistoryReader for InlineHistory {
    fn ask(&self, question: HistoryQuery, client: &Arc<Client>) {
        let waits = Arc::clone(client);
        let cutoff = Cutoff::new(Instant::now() + DEADLINE, move || waits.has_left());
        let found = answer(&lock(&self.0), question, client.user_id(), &cutoff);
        client.push(Notification::QueryResult(found));
    }
}
