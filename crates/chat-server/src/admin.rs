//! Serves `chat-server admin`, over a Unix socket that only the server's own user and root can reach.
//!
//! A connection asks one question, a line of JSON, and gets the answer: rows, and a last line that tells
//! whether it is done or refused. What is asked goes through the same functions of the hub as in the chat.
//!
//! * [`wire`]: the lines, for both ends.
//! * [`execute`]: what each request does.

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

/// Admin requests at once. As many file descriptors are reserved for them. A further request is refused and may be repeated.
const MOST_AT_ONCE: usize = 8;

/// Bytes of one question. The longest has a reason or a text that fits on a line of the chat, in JSON's
/// escapes.
const MAX_QUESTION_BYTES: u64 = 32 * 1024;

/// What is read and dropped of a question that is refused before its end: as much as the system lets somebody type, and
/// for so long.
const MAX_DROPPED_BYTES: u64 = 4 * 1024 * 1024;
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// How long the peer may take to ask, and the answer to be there and taken. A disk may be slow.
const ASK_DEADLINE: Duration = Duration::from_secs(10);
const ANSWER_DEADLINE: Duration = Duration::from_mins(1);

/// The wait after the system has refused to accept.
const WAIT: Duration = Duration::from_secs(1);

/// Serves until the server closes.
pub(crate) async fn serve(listener: Arc<UnixSocketListener>, context: ServerContext) {
    let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let (mut spares, closed) = (Spares::new(MOST_AT_ONCE), Arc::new(Notify::new()));
    loop {
        let accepted = tokio::select! {
            biased;
            () = context.closing.cancelled() => return,
            // Before another connection has what one that ended leaves.
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
                tracing::debug!(%error, "nobody can be served on the admin socket now");
                tokio::select! {
                    () = context.closing.cancelled() => return,
                    () = tokio::time::sleep(WAIT) => continue,
                }
            }
        };
        let permit = Arc::clone(&room).try_acquire_owned();
        let (hub, closed) = (Arc::clone(&context.hub), Arc::clone(&closed));
        context.tasks.spawn(async move {
            let served = match permit {
                Ok(_permit) if may_ask(user) => converse(stream, &hub).await,
                Ok(_) => reject(stream, &others_user(user)).await,
                Err(_) => reject(stream, &too_many()).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a question on the admin socket has no answer");
            }
            closed.notify_one();
        });
    }
}

/// Whether this process, or the machine, has as many open files as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Root may, and the user that the server runs as.
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

/// Refuses a question that wasn't read to its end. What is left of it is read and dropped, since the system takes the
/// answer back with a connection that is closed before.
async fn reject(mut stream: UnixStream, refusal: &Refusal) -> io::Result<()> {
    timeout(ASK_DEADLINE, write(&mut stream, &[SocketReply::from(refusal.clone())])).await??;
    let mut rest = stream.take(MAX_DROPPED_BYTES);
    // Whoever takes longer has had their answer in time.
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
