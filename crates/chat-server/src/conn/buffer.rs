//! Buffers that are lent: each thread has one to read into and some to write from, so that a
//! connection owns one only while something is left over.

use std::cell::RefCell;

use bytes::BytesMut;

use super::{MAX_PENDING_OUTPUT, WRITE_BATCH};

/// Bytes that are read at once.
const SCRATCH: usize = 8 * 1024;

/// Buffers that one thread keeps for the next to write.
const SPARE: usize = 4;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    static SPARE_BUFFERS: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Lends the buffer to read into.
pub(super) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH_BUFFER.with_borrow_mut(|scratch| read(scratch))
}

/// An empty buffer to write from.
pub(super) fn take() -> BytesMut {
    SPARE_BUFFERS
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(MAX_PENDING_OUTPUT))
}

/// Takes a buffer back for the next; what is in it is zeroed.
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

/// Moves what is left over into a buffer of its own size.
pub(super) fn shrink(left: BytesMut) -> BytesMut {
    if left.capacity() < left.len() * 2 {
        return left;
    }
    let small = BytesMut::from(&left[..]);
    recycle(left);
    small
}
