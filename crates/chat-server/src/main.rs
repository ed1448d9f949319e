//! The chat daemon's main function. The library's documentation lists the modules.

use std::io::{self, ErrorKind, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chat_server::app::{Server, describe};
use chat_server::cli::ServerArgs;
use chat_server::config::Config;
use chat_server::config::file::ConfigFile;
use chat_server::ops::signals::StopSignals;
use chat_server::ops::{log, systemd};
use chat_server::store::StoreLocation;
use chat_server::tools;
use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};

/// The system's allocator is a tenth slower with many small messages (decision 0011).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    forbid_core_dumps();
    let args = match ServerArgs::try_parse() {
        Ok(args) => args,
        Err(error) => return show(&error),
    };
    let file = args.config.as_deref().map(ConfigFile::read).transpose();
    let in_file = file.as_ref().ok().and_then(Option::as_ref).and_then(|file| file.log);
    let format = args.log.or(in_file).unwrap_or_default();
    log::start(log::Logging { format, verbose: args.verbose });
    let config = file
        .and_then(|file| Config::check(&args, file.unwrap_or_default()))
        .map_err(anyhow::Error::from);
    let ended = match &args.tool {
        Some(tool) => config.and_then(|config| tools::run(tool, &config)),
        None => log::start_queue()
            .context("can't start the log")
            .and(config)
            .and_then(|config| serve(config, args.config.as_deref()))
            .map(|()| ExitCode::SUCCESS),
    };
    let code = ended.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    });
    log::flush(log::FLUSH_DEADLINE);
    code
}

/// Prints the help, the version, or the error of the command line.
fn show(what: &clap::Error) -> ExitCode {
    let printed = what.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !what.use_stderr() => {
            // Without standard error the exit code is all that remains.
            let _ = writeln!(io::stderr(), "chat-server: the output can't be written: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::try_from(what.exit_code()).unwrap_or(u8::MAX)),
    }
}

fn serve(config: Config, file: Option<&Path>) -> anyhow::Result<()> {
    let data = match &config.place {
        StoreLocation::Directory(path) => path.display().to_string(),
        StoreLocation::Memory => "(memory)".to_owned(),
    };
    let file = file.map_or_else(|| "(none)".to_owned(), |file| file.display().to_string());
    tracing::info!(version = %env!("CARGO_PKG_VERSION"), %data, config = %file, "chat-server starts");
    raise_open_files_limit();
    let runtime = runtime().context("can't start the runtime")?;
    runtime.block_on(listen_and_serve(config))?;
    // Doesn't wait for tasks whose peers read nothing.
    runtime.shutdown_background();
    Ok(())
}

/// With one processor, a runtime without work stealing costs a little less.
fn runtime() -> io::Result<Runtime> {
    let processors = std::thread::available_parallelism();
    let mut builder = match processors {
        Ok(NonZero::<usize>::MIN) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn listen_and_serve(config: Config) -> anyhow::Result<()> {
    let signals = StopSignals::new().context("can't listen for signals")?;
    let server = Server::bind(config)?;
    let addresses = server.addresses()?;
    let unix = server.unix_path();
    for address in &addresses {
        tracing::info!(%address, "listening");
    }
    if let Some(path) = &unix {
        tracing::info!(path = %path.display(), "listening");
    }
    if let Some(path) = server.admin_path() {
        tracing::info!(path = %path.display(), "listening on the admin socket");
    }
    systemd::ready(&format!("Listening on {}", describe(&addresses, unix.as_deref())));
    server
        .run(async {
            let signal = signals.wait().await;
            tracing::info!(signal, "stopping");
            systemd::stopping();
        })
        .await;
    tracing::info!("stopped");
    Ok(())
}

/// Disables core dumps, which would contain passwords and messages. Under a unit that forbids the
/// system call, the unit sets the limit itself.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if getrlimit(Resource::Core) != none && setrlimit(Resource::Core, none).is_err() {
        // The log isn't open yet. Lowering the soft limit always succeeds.
        let _ = setrlimit(
            Resource::Core,
            Rlimit { maximum: getrlimit(Resource::Core).maximum, ..none },
        );
    }
}

/// Raises the limit of open files: every connection is one. The usual soft limit of 1024 is for
/// programs that use select(2).
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "can't raise the limit of open files");
    }
}
