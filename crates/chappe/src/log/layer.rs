//! Where `tracing` hands over what is said: each line goes to standard error and to syslog.

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::Line;
use super::stderr::Stderr;
use super::syslog::Syslog;

/// The end of the log that `tracing` knows.
#[derive(Debug)]
pub(super) struct Lines {
    stderr: Stderr,
    syslog: Option<Syslog>,
}

impl Lines {
    pub(super) fn new(stderr: Stderr, syslog: Option<Syslog>) -> Lines {
        Lines { stderr, syslog }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        self.stderr.say(&line);
        if let Some(syslog) = &self.syslog {
            syslog.send(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Keeps what it is handed.
    struct Kept(Arc<Mutex<Vec<Line>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Line::of(event));
        }
    }

    #[test]
    fn fields_of_an_event_are_found_and_nothing_breaks_the_line() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Kept(Arc::clone(&kept)));
        tracing::subscriber::with_default(subscriber, || {
            let id = Some(48_u16);
            tracing::warn!(event = "credentials-failed", id, category = "Security", subject = "x\ny", "a\nb");
            let id: Option<u16> = None;
            tracing::info!(event = "delivered", id, category = "X.400 Service", subject = "", "c");
            tracing::info!(octets = 7, name = "n", "read");
        });
        let kept = kept.lock().unwrap();
        let said: Vec<String> = kept.iter().map(Line::said).collect();
        let here = module_path!();
        assert_eq!(
            said,
            [
                "credentials-failed 48 x\u{fffd}y: a\u{fffd}b",
                "delivered: c",
                &format!("{here}: read octets=7 name=n")
            ]
        );
        assert_eq!(kept[0].category.as_deref(), Some("Security"));
        assert_eq!(kept.iter().map(Line::severity).collect::<Vec<_>>(), [4, 6, 6]);
    }
}
