//! Building blocks for every module, which depend on none.

pub(crate) mod clock;
pub(crate) mod fair_queue;
pub(crate) mod input;
pub(crate) mod memory;
pub(crate) mod net;
pub(crate) mod spares;
pub(crate) mod sync;
pub(crate) mod work_queue;
