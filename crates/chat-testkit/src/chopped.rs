//! A stream that reads and writes only a few bytes at once, as a bad network does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Limits reads and writes of the inner stream to sizes from a list, which is cycled through.
#[derive(Debug)]
pub struct Chopped<S> {
    within: S,
    sizes: Vec<usize>,
    reads: usize,
    writes: usize,
}

impl<S> Chopped<S> {
    /// Limits `within` to these sizes, none of which is 0.
    pub fn new(within: S, sizes: impl Into<Vec<usize>>) -> Self {
        let sizes = sizes.into();
        assert!(!sizes.is_empty() && !sizes.contains(&0), "nothing would ever pass: {sizes:?}");
        Self { within, sizes, reads: 0, writes: 0 }
    }
}

fn next(sizes: &[usize], turn: &mut usize) -> usize {
    let size = sizes[*turn % sizes.len()];
    *turn += 1;
    size
}

impl<S: AsyncRead + Unpin> AsyncRead for Chopped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let size = next(&this.sizes, &mut this.reads).min(buf.remaining());
        let mut piece = vec![0; size];
        let mut piece = ReadBuf::new(&mut piece);
        let read = Pin::new(&mut this.within).poll_read(cx, &mut piece);
        buf.put_slice(piece.filled());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Chopped<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let size = next(&this.sizes, &mut this.writes).min(bytes.len());
        Pin::new(&mut this.within).poll_write(cx, &bytes[..size])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().within).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().within).poll_shutdown(cx)
    }
}
