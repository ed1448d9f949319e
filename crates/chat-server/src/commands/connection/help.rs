//! `/help`: the menu, or one command's usage; and the main page with the short menu.

use chat_proto::command_table::EVERYWHERE;
use chat_proto::command_table::{self, COMMANDS, CommandSpec, WordMatch};
use chat_proto::event::{Event, OkReply, Sentence};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Response};
use crate::hub::Hub;
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, word: Option<&Text>) -> CommandResult {
    let rows = match word {
        None => menu(context),
        Some(word) => usage(context, word.as_str())?,
    };
    let rows = rows.into_iter().map(|row| Event::Notice(Sentence::new(row))).collect();
    Ok(Response::Answer(rows, OkReply::Told))
}

/// The main page, printed after a client's first name.
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
        rows(COMMANDS.iter().filter(|spec| spec.on_main_page), |spec| format!("/{}", spec.name));
    std::iter::once(format!("Hello, {name}. {channels} and {people}.")).chain(menu).collect()
}

/// Every command that the client may use.
fn menu(context: &CommandContext<'_>) -> Vec<String> {
    let named = context.state.name.is_some();
    let operator = context.inbox.channels().any(|channel| channel.role(context.client).operator);
    let runs_server = context.is_server_operator();
    let required = context.hub.bounds.accounts_required;
    let usable = COMMANDS.iter().filter(|spec| {
        (named || spec.nameless)
            && policy::account::may_ask(spec, required, named).is_ok()
            && (operator || runs_server || !spec.for_operators)
            && (runs_server || !spec.for_server_operators)
    });
    let head = if named { "Commands:" } else { "Commands before you have a name:" };
    let end = "Anything else is said into the current conversation. /help COMMAND tells more.";
    let end = if named { end } else { "The first plain line is taken as your name." };
    std::iter::once(head.to_owned())
        .chain(rows(usable, CommandSpec::usage))
        .chain(std::iter::once(end.to_owned()))
        .collect()
}

/// Maximum width of the first column; a longer entry moves only its own row.
const MAX_COLUMN: usize = 36;

fn rows<'a>(
    specs: impl Iterator<Item = &'a CommandSpec> + Clone,
    first: impl Fn(&CommandSpec) -> String,
) -> impl Iterator<Item = String> {
    let longest = specs.clone().map(|spec| first(spec).chars().count()).max().unwrap_or_default();
    let width = longest.min(MAX_COLUMN);
    let lines: Vec<_> =
        specs.map(|spec| format!("  {:width$}  {}", first(spec), spec.summary)).collect();
    lines.into_iter()
}

fn usage(context: &CommandContext<'_>, word: &str) -> Result<Vec<String>, Refusal> {
    let spec = match command_table::lookup(word.trim_start_matches('/')) {
        WordMatch::One(spec) => spec,
        WordMatch::Several(words) => return Err(Refusal::ambiguous_command(word, &words)),
        WordMatch::Nothing(nearest) => return Err(Refusal::unknown_command(word, &nearest)),
    };
    let mut lines = vec![format!("{}: {}", spec.usage(), spec.summary)];
    lines.push(format!("  as in: {}", spec.example));
    if !spec.aliases.is_empty() {
        let also: Vec<_> = spec.aliases.iter().map(|alias| format!("/{alias}")).collect();
        lines.push(format!("  also: {}", also.join(", ")));
    }
    if !spec.everywhere.is_empty() && context.is_server_operator() {
        let usage = format!("/{} {EVERYWHERE} {}", spec.name, spec.everywhere);
        lines.push(format!("  for the whole server: {usage}"));
    }
    Ok(lines)
}
