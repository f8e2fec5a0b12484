//! A real browser under the control of a test: Chromium without a window, driven through WebDriver.
//!
//! Nothing here sleeps for a fixed time: every step waits for what the document has to show, and says what it waited for
//! when that does not come. Only tests use it.

mod driver;

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fantoccini::error::{CmdError, NewSessionError};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub use driver::Driver;

/// How long a page may take for what needs a second on a machine with nothing else to do.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at the document.
const POLL: Duration = Duration::from_millis(40);
/// Directory of screenshots below the directory of build output.
const SCREENSHOTS: &str = "console-screenshots";

/// A browser could not be had, or did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// The driver did not start.
    #[error("the driver of the browser did not start: {0}")]
    Driver(#[from] std::io::Error),
    /// The browser did not start.
    #[error("the browser did not start: {0}")]
    Session(#[from] NewSessionError),
    /// A command failed.
    #[error("the browser refused a command: {0}")]
    Command(#[from] CmdError),
    /// What was waited for did not come.
    #[error("not within {}: {what}\nthe page says: {page}", humane(*.limit))]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What there was instead.
        page: String,
    },
}

fn humane(limit: Duration) -> String {
    format!("{} s", limit.as_secs())
}

/// Day or night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Colours {
    /// Both.
    pub const ALL: [Colours; 2] = [Colours::Light, Colours::Dark];

    fn name(self) -> &'static str {
        match self {
            Colours::Light => "light",
            Colours::Dark => "dark",
        }
    }
}

/// A browser with one page open. It ends when the value is dropped.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Client,
    base: String,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

type Outcome<T> = Result<T, BrowserError>;

impl Browser {
    /// A browser for the site at `base`, as in `http://127.0.0.1:8400`.
    ///
    /// # Errors
    /// Driver or browser are missing or don't start.
    pub fn open(base: &str) -> Outcome<Browser> {
        let driver = Driver::start()?;
        let profile = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1280,800",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object was written above") };
        let address = driver.url();
        let client = runtime.block_on(
            ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&address),
        )?;
        Ok(Browser { runtime, client, base: base.to_owned(), _driver: driver, _profile: profile })
    }

    fn run<T>(&self, command: impl Future<Output = Result<T, CmdError>>) -> Outcome<T> {
        Ok(self.runtime.block_on(command)?)
    }

    /// Opens a place in the console, as in `/queues`, and waits until it is live.
    ///
    /// # Errors
    /// See [`BrowserError`]; so for all that follows.
    pub fn go(&self, place: &str) -> Outcome<()> {
        let script = "location.hash = arguments[0]";
        let is_there =
            self.run(self.client.current_url())?.as_str().starts_with(&format!("{}/console/", self.base));
        if is_there {
            self.script(script, vec![json!(place)])?;
        } else {
            self.run(self.client.goto(&format!("{}/console/#{place}", self.base)))?;
        }
        Ok(())
    }

    /// Opens an address of the site.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn visit(&self, path: &str) -> Outcome<()> {
        self.run(self.client.goto(&format!("{}{path}", self.base)))
    }

    /// The address that is shown.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn address(&self) -> Outcome<String> {
        Ok(self.run(self.client.current_url())?.to_string())
    }

    /// Runs a script in the page.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn script(&self, script: &str, arguments: Vec<Value>) -> Outcome<Value> {
        self.run(self.client.execute(script, arguments))
    }

    /// The text of the first element that `css` selects, if there is one.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn text(&self, css: &str) -> Outcome<Option<String>> {
        let found =
            self.script("return document.querySelector(arguments[0])?.innerText ?? null", vec![json!(css)])?;
        Ok(found.as_str().map(str::to_owned))
    }

    /// How many elements `css` selects.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn count(&self, css: &str) -> Outcome<u64> {
        let found = self.script("return document.querySelectorAll(arguments[0]).length", vec![json!(css)])?;
        Ok(found.as_u64().unwrap_or(0))
    }

    /// Waits until `look` finds something.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&Browser) -> Outcome<Option<T>>) -> Outcome<T> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if Instant::now() >= end {
                let page = self.text("body")?.unwrap_or_default();
                return Err(BrowserError::TimedOut { what: what.to_owned(), limit: DEADLINE, page });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for an element whose text contains `part`; gives the text.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn see(&self, css: &str, part: &str) -> Outcome<String> {
        let wanted = part.to_lowercase();
        self.wait(&format!("`{part}` in {css}"), |browser| {
            let texts = browser.script(
                "return [...document.querySelectorAll(arguments[0])].map((element) => element.innerText ?? element.textContent)",
                vec![json!(css)],
            )?;
            let texts = texts.as_array().cloned().unwrap_or_default();
            let mut texts = texts.iter().filter_map(Value::as_str);
            Ok(texts.find(|text| text.to_lowercase().contains(&wanted)).map(str::to_owned))
        })
    }

    /// Waits until nothing is selected by `css`.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn gone(&self, css: &str) -> Outcome<()> {
        self.wait(&format!("the end of {css}"), |browser| Ok((browser.count(css)? == 0).then_some(())))
    }

    /// Waits until the first element that `css` selects can be pressed, and presses it with the mouse.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn press(&self, css: &str) -> Outcome<()> {
        self.wait(&format!("that {css} can be pressed"), |browser| {
            // In the middle of the page nothing lies over it.
            let script = "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center' })";
            browser.script(script, vec![json!(css)])?;
            let pressed = browser.runtime.block_on(async {
                let element = browser.client.find(Locator::Css(css)).await?;
                if !element.is_enabled().await? {
                    return Ok(false);
                }
                element.click().await?;
                Ok(true)
            });
            match pressed {
                Ok(true) => Ok(Some(())),
                Ok(false) => Ok(None),
                // It is not there yet, moves, or was drawn anew just now.
                Err(CmdError::Standard(_)) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Types into a field, in place of what is there.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn fill(&self, css: &str, text: &str) -> Outcome<()> {
        self.press(css)?;
        self.run(async {
            let field = self.client.find(Locator::Css(css)).await?;
            field.clear().await?;
            self.client.find(Locator::Css(css)).await?.send_keys(text).await
        })
    }

    /// Chooses from a list.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn choose(&self, css: &str, value: &str) -> Outcome<()> {
        self.wait(&format!("{value} to choose in {css}"), |browser| {
            let script = "const list = document.querySelector(arguments[0]); \
                if (!list || ![...list.options].some((option) => option.value === arguments[1])) return false; \
                list.value = arguments[1]; list.dispatchEvent(new Event('change', { bubbles: true })); return true";
            let done = browser.script(script, vec![json!(css), json!(value)])?;
            Ok((done == json!(true)).then_some(()))
        })
    }

    /// Presses keys, wherever the focus is.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn keys(&self, keys: &str) -> Outcome<()> {
        self.run(async { self.client.active_element().await?.send_keys(keys).await })
    }

    /// Size of the page, as of a screen or a phone.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn resize(&self, width: u32, height: u32) -> Outcome<()> {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        )
    }

    /// What the system prefers.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn prefer(&self, colours: Colours) -> Outcome<()> {
        let feature = json!({ "name": "prefers-color-scheme", "value": colours.name() });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }))
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Outcome<()> {
        self.run(self.client.issue_cmd(driver::Devtools::new(command, parameters)))?;
        Ok(())
    }

    /// What the page has complained of: errors of scripts, refused loads.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn complaints(&self) -> Outcome<Vec<String>> {
        let log = self.run(self.client.issue_cmd(driver::Log))?;
        let entries = log.as_array().cloned().unwrap_or_default();
        Ok(entries.iter().map(ToString::to_string).collect())
    }

    /// Keeps pictures of the page by day and by night below the directory of build output.
    ///
    /// # Errors
    /// See [`BrowserError`].
    pub fn picture(&self, name: &str) -> Outcome<()> {
        let directory = driver::output()?.join(SCREENSHOTS);
        std::fs::create_dir_all(&directory)?;
        for colours in Colours::ALL {
            self.prefer(colours)?;
            self.wait("the colours", |browser| {
                let theme = browser.script("return document.documentElement.dataset.theme", Vec::new())?;
                Ok((theme == json!(colours.name())).then_some(()))
            })?;
            let picture = self.run(self.client.screenshot())?;
            std::fs::write(directory.join(format!("{name}-{}.png", colours.name())), picture)?;
        }
        self.prefer(Colours::Light)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // If it does not end in order, it ends with the driver.
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}

/// Where the programs of this build are.
///
/// # Errors
/// The running program has no place.
pub fn output() -> std::io::Result<PathBuf> {
    driver::output()
}
