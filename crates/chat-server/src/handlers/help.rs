//! `/help`: the menu, or one command's usage; and the main page with the short menu.

use chat_proto::command::EVERYWHERE;
use chat_proto::event::{Done, Event, Sentence};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::verb::{self, Found, VERBS, Verb};

use super::{Asker, Handled, Outcome};
use crate::hub::Hub;
use crate::policy;

pub(super) fn handle(asker: &Asker<'_>, word: Option<&Text>) -> Handled {
    let rows = match word {
        None => menu(asker),
        Some(word) => usage(asker, word.as_str())?,
    };
    let rows = rows.into_iter().map(|row| Event::Notice(Sentence::new(row))).collect();
    Ok(Outcome::Answer(rows, Done::Told))
}

/// The lines that greet whoever has just taken a name.
pub(crate) fn main_page(hub: &Hub, name: &UserName) -> Vec<String> {
    let (channels, people) = hub.counts();
    let channels = match channels {
        1 => "1 channel is open".to_owned(),
        count => format!("{count} channels are open"),
    };
    let people = match people {
        1 => "1 person is here".to_owned(),
        count => format!("{count} people are here"),
    };
    let menu =
        rows(VERBS.iter().filter(|verb| verb.on_main_page), |verb| format!("/{}", verb.name));
    std::iter::once(format!("Hello, {name}. {channels} and {people}.")).chain(menu).collect()
}

/// Every command that the asker may use.
fn menu(asker: &Asker<'_>) -> Vec<String> {
    let named = asker.me.name.is_some();
    let operator = asker.inbox.channels().any(|channel| channel.role(asker.person).operator);
    let runs_server = asker.is_server_operator();
    let required = asker.hub.bounds.accounts_required;
    let usable = VERBS.iter().filter(|verb| {
        (named || verb.nameless)
            && policy::account::may_ask(verb, required, named).is_ok()
            && (operator || runs_server || !verb.for_operators)
            && (runs_server || !verb.for_server_operators)
    });
    let head = if named { "Commands:" } else { "Commands before you have a name:" };
    let end = "Anything else is said into the current conversation. /help COMMAND tells more.";
    let end = if named { end } else { "The first plain line is taken as your name." };
    std::iter::once(head.to_owned())
        .chain(rows(usable, Verb::usage))
        .chain(std::iter::once(end.to_owned()))
        .collect()
}

/// Characters of the first column; what is longer moves only its own row.
const MAX_COLUMN: usize = 36;

fn rows<'a>(
    verbs: impl Iterator<Item = &'a Verb> + Clone,
    first: impl Fn(&Verb) -> String,
) -> impl Iterator<Item = String> {
    let longest = verbs.clone().map(|verb| first(verb).chars().count()).max().unwrap_or_default();
    let width = longest.min(MAX_COLUMN);
    let lines: Vec<_> =
        verbs.map(|verb| format!("  {:width$}  {}", first(verb), verb.summary)).collect();
    lines.into_iter()
}

fn usage(asker: &Asker<'_>, word: &str) -> Result<Vec<String>, Refusal> {
    let verb = match verb::find(word.trim_start_matches('/')) {
        Found::One(verb) => verb,
        Found::Several(words) => return Err(Refusal::ambiguous_command(word, &words)),
        Found::Nothing(nearest) => return Err(Refusal::unknown_command(word, &nearest)),
    };
    let mut lines = vec![format!("{}: {}", verb.usage(), verb.summary)];
    lines.push(format!("  as in: {}", verb.example));
    if !verb.aliases.is_empty() {
        let also: Vec<_> = verb.aliases.iter().map(|alias| format!("/{alias}")).collect();
        lines.push(format!("  also: {}", also.join(", ")));
    }
    if !verb.everywhere.is_empty() && asker.is_server_operator() {
        let usage = format!("/{} {EVERYWHERE} {}", verb.name, verb.everywhere);
        lines.push(format!("  for the whole server: {usage}"));
    }
    Ok(lines)
}
