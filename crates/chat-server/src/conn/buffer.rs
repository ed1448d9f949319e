//! Buffers of a thread, for input and output. A connection owns a buffer only while it has a
//! remainder.

use std::cell::RefCell;

use bytes::BytesMut;

use super::{MAX_PENDING_OUTPUT, WRITE_BATCH};

/// Bytes per read.
const SCRATCH: usize = 8 * 1024;

/// Free output buffers that a thread keeps.
const SPARE: usize = 4;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    static SPARE_BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Runs a function with the thread's input buffer.
pub(super) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH_BUFFER.with_borrow_mut(|scratch| read(scratch))
}

/// Returns an empty output buffer.
pub(super) fn take() -> BytesMut {
    SPARE_BUFFERS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(MAX_PENDING_OUTPUT))
}

/// Returns a buffer to the thread; its content is zeroed.
pub(super) fn recycle(mut buffer: BytesMut) {
    buffer.fill(0);
    buffer.clear();
    if buffer.try_reclaim(WRITE_BATCH) {
        SPARE_BUFFERS.with_borrow_mut(|spare| {
            if spare.len() < SPARE {
                spare.push(buffer);
            }
        });
    }
}

/// Moves the remainder into a buffer of its own size.
pub(super) fn shrink(left: BytesMut) -> BytesMut {
    if left.capacity() < left.len() * 2 {
        return left;
    }
    let small = BytesMut::from(&left[..]);
    recycle(left);
    small
}
