//! `/topic`: shows or sets the current channel's topic.

use chat_proto::command_table::CommandKind;
use chat_proto::event::OkReply;
use chat_proto::text::Text;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::hub::channel::mod_action::AccessContext;
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, text: Option<Text>) -> Handled {
    let channel = asker.current_channel(CommandKind::Topic)?;
    let topic = channel.topic();
    match text {
        None => {
            let channel = channel.name.clone();
            Ok(Outcome::Answer(Vec::new(), OkReply::TopicShown { channel, topic }))
        }
        Some(text) => {
            let may =
                |standing: &AccessContext<'_>| policy::channel::may_set_topic(standing, &text);
            channel.ask_to_show(asker.client, asker.now, text.as_str(), &mut None, may)?;
            Ok(Outcome::Change(Change::Topic(channel.clone(), text)))
        }
    }
}
