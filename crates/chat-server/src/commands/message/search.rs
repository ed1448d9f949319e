//! `/search`: stored lines with certain words, of all that the asker may read.

use chat_proto::command::SearchQuery;

use crate::commands::{Asker, Change, Handled, Outcome};

pub(crate) fn handle(asker: &Asker<'_>, search: SearchQuery) -> Handled {
    let only = match search.within.clone() {
        Some(within) => Some(asker.readable(within)?.1),
        None => None,
    };
    Ok(Outcome::Change(Change::LookFor { search, only }))
}
