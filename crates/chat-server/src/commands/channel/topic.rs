//! `/topic`: shows or sets the current channel's topic.

use chat_proto::command_table::CommandKind;
use chat_proto::event::OkReply;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::hub::channel::mod_action::AccessContext;
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, text: Option<Text>) -> CommandResult {
    let channel = context.current_channel(CommandKind::Topic)?;
    let topic = channel.topic();
    match text {
        None => {
            let channel = channel.name.clone();
            Ok(Response::Answer(Vec::new(), OkReply::TopicShown { channel, topic }))
        }
        Some(text) => {
            let may = |access: &AccessContext<'_>| policy::channel::may_set_topic(access, &text);
            channel.ask_to_show(context.client, context.now, text.as_str(), &mut None, may)?;
            Ok(Response::Effect(Effect::Topic(channel.clone(), text)))
        }
    }
}
