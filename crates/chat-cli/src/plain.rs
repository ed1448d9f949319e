//! Writes plain lines in batches, in a separate thread.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::output_queue::{Broken, OutputQueue, OutputStream};

/// Starts the thread. It ends when the queue is closed and empty, or the reader has closed the
/// output.
pub(crate) fn start(output: Arc<OutputQueue>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("output".into()).spawn(move || write(&output))
}

fn write(output: &OutputQueue) {
    loop {
        let batch = output.take();
        let mut out = String::new();
        if batch.dropped > 0 {
            out = format!("* … {} lines not shown\n", batch.dropped);
        }
        let mut complaints = String::new();
        for (stream, line) in batch.lines {
            let to = if stream == OutputStream::Out { &mut out } else { &mut complaints };
            to.push_str(&line);
            to.push('\n');
        }
        // If standard error can't be written, the exit code still reports the failure.
        let _ = io::stderr().write_all(complaints.as_bytes());
        let mut stdout = io::stdout();
        if let Err(error) = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
            // A closed pipe is no error; a full disk is reported.
            if error.kind() == io::ErrorKind::BrokenPipe {
                output.break_off(Broken::Unwanted);
            } else if !output.is_broken() {
                let message = format!("chat-cli: the output can't be written: {error}\n");
                let _ = io::stderr().write_all(message.as_bytes());
                output.break_off(Broken::Lost);
            }
        }
        if batch.last {
            return;
        }
    }
}
