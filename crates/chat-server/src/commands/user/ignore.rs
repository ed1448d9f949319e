//! `/ignore`: hides a user's messages, or lists the ignored users.

use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, OkReply, Sentence};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, user: Option<UserName>) -> CommandResult {
    let Some(user) = user else {
        let names = context.state.ignored_names();
        let count = names.len();
        let names: Vec<_> = names.iter().map(UserName::as_str).collect();
        let text = match count {
            0 => "You ignore nobody. /ignore USER hides a person from you.".to_owned(),
            _ => format!("You ignore {}.", names.join(", ")),
        };
        let rows = vec![Event::Notice(Sentence::new(text))];
        return Ok(Response::Answer(rows, OkReply::Listed { count }));
    };
    policy::user::another_user(CommandKind::Ignore.spec(), context.state.name.as_ref(), &user)?;
    context.state.check_ignore_limit().map_err(Refusal::too_many_ignored)?;
    // The user needn't be online.
    Ok(Response::Effect(Effect::Ignore(user)))
}
