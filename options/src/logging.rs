//! Log lines on standard error, as Go's standard logger writes them.

use chrono::Local;
use std::{env, fmt, io};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

// What core says at `info` is about itself, in words that mean little to someone who runs a sample.
pub(crate) const DEFAULT_FILTER: &str = "info,temporalio_sdk_core=warn";

/// Sends `tracing` events to standard error, one line each: local time, the level unless it is
/// `INFO`, message, fields.
///
/// The environment variable `RUST_LOG` chooses what is shown; by default that is `info`, and from
/// the SDK's core warnings only. A program that has set a `tracing` subscriber of its own keeps it.
pub fn init_logging() {
    let filter = env::var("RUST_LOG").unwrap_or_default();
    let filter = if filter.is_empty() {
        EnvFilter::new(DEFAULT_FILTER)
    } else {
        EnvFilter::new(filter)
    };
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .event_format(GoStyle);
    // The error says that there is a subscriber already, which is fine.
    let _ = logging.try_init();
}

/// `2024/07/23 19:57:40 Workflow result: Nexus Echo 👋`
struct GoStyle;

impl<S, N> FormatEvent<S, N> for GoStyle
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "{} ", Local::now().format("%Y/%m/%d %H:%M:%S"))?;
        match *event.metadata().level() {
            Level::INFO => {}
            level @ (Level::WARN | Level::ERROR) => write!(writer, "{level} ")?,
            // Whoever asked for these wants to know where they come from.
            level => write!(writer, "{level} {}: ", event.metadata().target())?,
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes under `filter`.
    pub(crate) fn logged(filter: &str, log: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .event_format(GoStyle)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_look_like_gos() {
        let lines = logged(DEFAULT_FILTER, || {
            tracing::info!("Workflow result: {}", "Nexus Echo 👋");
            tracing::warn!(attempt = 3, "Polling again");
            tracing::debug!("not shown");
        });
        let (stamp, message) = lines[0].split_at("2024/07/23 19:57:40 ".len());
        let digits: String = stamp.chars().filter(char::is_ascii_digit).collect();
        let marks: String = stamp.chars().filter(|c| !c.is_ascii_digit()).collect();
        assert_eq!((digits.len(), marks.as_str()), (14, "// :: "));
        assert_eq!(message, "Workflow result: Nexus Echo 👋");
        assert!(lines[1].ends_with(" WARN Polling again attempt=3"));
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn core_is_quiet_by_default() {
        let lines = logged(DEFAULT_FILTER, || {
            tracing::info!(target: "temporalio_sdk_core::worker", "Initializing worker");
            tracing::warn!(target: "temporalio_sdk_core::worker", "Trouble");
        });
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("WARN Trouble"));
    }

    #[test]
    fn debug_lines_tell_their_target() {
        let lines = logged("debug", || tracing::debug!(target: "here", "x"));
        assert!(lines[0].ends_with(" DEBUG here: x"));
    }
}
