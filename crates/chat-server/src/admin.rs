//! The admin socket, for `chat-server admin`: a Unix socket for the server's own user and root.
//!
//! A connection sends one request, a line of JSON, and gets the reply: rows, and a last line with
//! the result. Requests go through the same functions of the hub as commands in the chat.
//!
//! * [`wire`]: requests and replies, for both ends.
//! * [`execute`]: executes the requests.

mod execute;
pub(crate) mod wire;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_proto::refusal::{Code, Refusal};
use rustix::io::Errno;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, sink};
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use self::wire::{SocketReply, SocketRequest};
use crate::hub::Hub;
use crate::listen::ServerContext;
use crate::listen::unix::UnixSocketListener;
use crate::util::spares::Spares;

/// Maximum number of concurrent requests. As many file descriptors are reserved for them. A further
/// request is refused and may be repeated.
const MOST_AT_ONCE: usize = 8;

/// Maximum size of a request. The longest one has a text that fits on a line of the chat, escaped.
const MAX_QUESTION_BYTES: u64 = 32 * 1024;

/// How much of a refused request is read and discarded, and for how long: as much as the system
/// lets a user type.
const MAX_DROPPED_BYTES: u64 = 4 * 1024 * 1024;
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// Deadlines for the request and for the reply. A disk may be slow.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);

/// How long to wait after a failed accept.
const WAIT: Duration = Duration::from_secs(1);

/// Serves until the server closes.
pub(crate) async fn serve(listener: Arc<UnixSocketListener>, context: ServerContext) {
    let permits = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let (mut spares, closed) = (Spares::new(MOST_AT_ONCE), Arc::new(Notify::new()));
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.closing.cancelled() => return,
            // Refills the spares before another connection takes the descriptor.
            () = closed.notified() => {
                spares.fill();
                continue;
            }
            accepted = listener.accept_user() => accepted,
            () = tokio::time::sleep(WAIT), if !spares.are_all() => {
                spares.fill();
                continue;
            }
        };
        let (stream, user) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_out_of_files(&error) && spares.give_one() => continue,
            Err(error) => {
                tracing::debug!(%error, "can't accept a connection on the admin socket");
                tokio::select! {
                    () = context.closing.cancelled() => return,
                    () = tokio::time::sleep(WAIT) => continue,
                }
            }
        };
        let permit = Arc::clone(&permits).try_acquire_owned();
        let (hub, closed) = (Arc::clone(&context.hub), Arc::clone(&closed));
        context.tasks.spawn(async move {
            let served = match permit {
                Ok(_permit) if may_ask(user) => converse(stream, &hub).await,
                Ok(_) => reject(stream, &others_user(user)).await,
                Err(_) => reject(stream, &too_many()).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "can't reply to an admin request");
            }
            closed.notify_one();
        });
    }
}

/// Whether the process or the machine has run out of file descriptors.
fn is_out_of_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Root, and the user that the server runs as.
fn may_ask(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

fn others_user(user: u32) -> Refusal {
    Refusal::new(
        Code::NotAllowed,
        format!(
            "User {user} doesn't run this server. Ask as root, or as the user that it runs as."
        ),
    )
}

fn too_many() -> Refusal {
    let text = format!("{MOST_AT_ONCE} questions are being answered. Ask again in a moment.");
    Refusal::new(Code::TooFast, text)
}

fn too_long() -> Refusal {
    let text = format!("A question holds at most {MAX_QUESTION_BYTES} bytes. Shorten it.");
    Refusal::new(Code::LineTooLong, text)
}

async fn converse(stream: UnixStream, hub: &Arc<Hub>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut bounded = (&mut stream).take(MAX_QUESTION_BYTES);
    timeout(ASK_DEADLINE, bounded.read_until(b'\n', &mut line)).await??;
    if bounded.limit() == 0 && !line.ends_with(b"\n") {
        return reject(stream.into_inner(), &too_long()).await;
    }
    let answered = async {
        let rows = match SocketRequest::read(&line) {
            Ok(request) => execute::execute(hub, request).await,
            Err(refusal) => vec![SocketReply::from(refusal)],
        };
        write(stream.get_mut(), &rows).await
    };
    timeout(ANSWER_DEADLINE, answered).await?
}

/// Refuses a request that wasn't read to its end. The rest is read and discarded, since the system
/// drops the reply of a connection that is closed with unread input.
async fn reject(mut stream: UnixStream, refusal: &Refusal) -> io::Result<()> {
    timeout(ASK_DEADLINE, write(&mut stream, &[SocketReply::from(refusal.clone())])).await??;
    let mut rest = stream.take(MAX_DROPPED_BYTES);
    // After the deadline the peer has had time to read the reply.
    if let Ok(dropped) = timeout(DROP_DEADLINE, tokio::io::copy(&mut rest, &mut sink())).await {
        dropped?;
    }
    Ok(())
}

async fn write(stream: &mut UnixStream, rows: &[SocketReply]) -> io::Result<()> {
    for row in rows {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
    }
    stream.shutdown().await
}
