//! `chappe top`: the MTA on one screen, again and again.

mod frame;
mod screen;
mod snapshot;
mod view;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::Online;
use super::failure::Failure;
use super::output;
use crate::client::{Client, segment};
use crate::model::{Connecting, QueueChange};
use screen::Screen;
use snapshot::Snapshot;
use view::{Action, View, Wish};

/// Size of a frame that goes to no terminal; it is as long as it has to be.
const PLAIN_WIDTH: usize = 120;
const PLAIN_EVENTS: usize = 20;
/// How long a key may wait.
const TICK: Duration = Duration::from_millis(100);

/// Show condition, connectors, queues and events, live
///
/// Keys: q quits, arrows (or j and k) select a connector, s changes the order; f freezes the queue of the selected one, t thaws it,
/// r tries all of it now, c has it connect, each after a question; e shows all events. Without a terminal one frame is printed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  chappe top\n  chappe top --once")]
pub(super) struct Top {
    /// Print one frame and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two looks, 1 to 60.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    interval: u64,
    #[command(flatten)]
    pub(super) online: Online,
}

/// What the service has said.
enum News {
    Snapshot(Box<Result<Snapshot, String>>),
    Told(String),
}

impl Top {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = self.online.client()?;
        if self.online.json {
            return output::print_json(&Snapshot::take(&client)?);
        }
        if self.once || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            let snapshot = Snapshot::take(&client)?;
            let height = snapshot.connectors.len() + PLAIN_EVENTS;
            let mut view = View::default();
            view.update(Ok(snapshot), now());
            let width = screen::width().unwrap_or(PLAIN_WIDTH);
            return output::print(&view.frame(now(), width, height, false).text());
        }
        let (orders, ordered) = channel();
        let (tell, news) = channel();
        let interval = Duration::from_secs(self.interval);
        // It ends when the orders do; what it waits for then has a limit of its own, and the process does not wait for it.
        thread::spawn(move || talk(&client, interval, &ordered, &tell));
        live(&orders, &news)
            .map_err(|error| Failure::Failed(format!("the terminal can't be used: {error}; try --once")))
    }
}

/// Shows what there is and obeys keys.
fn live(orders: &Sender<(Action, String)>, news: &Receiver<News>) -> io::Result<()> {
    let mut screen = Screen::open(crate::style::wanted())?;
    let mut view = View::default();
    loop {
        while let Ok(news) = news.try_recv() {
            match news {
                News::Snapshot(snapshot) => view.update(*snapshot, now()),
                News::Told(text) => view.tell(text),
            }
        }
        let (width, height) = screen.size()?;
        screen.draw(&view.frame(now(), width, height, true))?;
        let Some(key) = screen.key(TICK)? else { continue };
        match view.press(key, now()) {
            Wish::Nothing => {}
            Wish::Quit => return Ok(()),
            Wish::Order(action, connector) => {
                view.tell("Asking the service ...".to_owned());
                // The other end goes only with this function.
                let _ = orders.send((action, connector));
            }
        }
    }
}

/// Asks the service, and passes orders on, until nobody listens.
fn talk(client: &Client, interval: Duration, orders: &Receiver<(Action, String)>, tell: &Sender<News>) {
    loop {
        let snapshot = Snapshot::take(client).map_err(|failure| failure.to_string());
        if tell.send(News::Snapshot(Box::new(snapshot))).is_err() {
            return;
        }
        match orders.recv_timeout(interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Ok((action, connector)) => {
                let told = order(client, action, &connector).unwrap_or_else(|failure| failure.to_string());
                if tell.send(News::Told(told)).is_err() {
                    return;
                }
            }
        }
    }
}

fn order(client: &Client, action: Action, connector: &str) -> Result<String, Failure> {
    let queue = |what: &str| -> Result<QueueChange, Failure> {
        client.order(&format!("/api/v1/queues/{}/{what}", segment(connector)), &[])
    };
    Ok(match action {
        Action::Freeze if queue("freeze")?.changed => format!("The queue of {connector} is frozen."),
        Action::Freeze => format!("The queue of {connector} was frozen already."),
        Action::Thaw if queue("thaw")?.changed => format!("The queue of {connector} is thawed."),
        Action::Thaw => format!("The queue of {connector} was not frozen."),
        Action::Retry => {
            queue("retry")?;
            format!("All that waits for {connector} is tried now.")
        }
        Action::Connect => {
            let path = format!("/api/v1/connectors/{}/connect", segment(connector));
            let connecting: Connecting = client.order(&path, &[])?;
            format!("{} connects now.", connecting.connector)
        }
    })
}

fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}
