//! The time of day, for what people are told. Only `conn` and `app` read it; it is passed on as a value.

use std::time::{SystemTime, UNIX_EPOCH};

use chat_proto::id::Timestamp;

pub(crate) fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
