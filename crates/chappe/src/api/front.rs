//! Where the API is served: opened with the service, moved by a reload.
//!
//! What is to be new listens before anything that was there goes, so that an address which can't be had costs nobody
//! anything; only where the new takes the port of the old, as `0.0.0.0:8400` that of `127.0.0.1:8400`, the old one steps
//! aside for the moment of the attempt. Requests under way are answered where they came in; streams end, and who watches
//! comes again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use runtime::Handle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Gate, serve};
use crate::config::Listen;
use crate::keeper::Keeper;

/// How long requests may go on where the API is served no more: as long as anybody waits for an answer.
const LAST_REQUESTS: Duration = Duration::from_secs(60);

/// An address on which the API can't be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for the API on {address}: {source}; stop what listens there, or change listen.api")]
pub(crate) struct FrontError {
    /// The address.
    address: SocketAddr,
    /// What the system said.
    source: io::Error,
}

/// Serves the API, or not.
pub(crate) struct Front {
    handle: Handle,
    gate: Arc<Gate>,
    keeper: Weak<Keeper>,
    served: Option<Served>,
    is_over: bool,
}

struct Served {
    place: Place,
    listener: Arc<TcpListener>,
    stop: oneshot::Sender<()>,
    /// Nothing is accepted any more.
    let_go: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

/// What a listener is told of by nobody, so that another one has to be made if it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: SocketAddr,
    is_secure: bool,
    asks_for_tokens: bool,
}

/// What is to be done; if that takes a listener it listens already.
pub(crate) struct Step {
    goes_on: bool,
    next: Option<(Place, Arc<TcpListener>)>,
    /// Where the API was served before the listener stepped aside.
    aside: Option<Place>,
}

/// Listens where the API is to be served, if it is.
///
/// # Errors
/// The address can't be listened on.
pub(crate) fn listen(listen: &Listen) -> Result<Option<TcpListener>, FrontError> {
    listen.api.map(bind).transpose()
}

fn bind(address: SocketAddr) -> Result<TcpListener, FrontError> {
    runtime::listen(address).map_err(|source| FrontError { address, source })
}

impl Place {
    fn of(listen: &Listen) -> Option<Place> {
        let (is_secure, asks_for_tokens) = (listen.api_tls.is_some(), !listen.api_tokens.is_empty());
        listen.api.map(|address| Place { address, is_secure, asks_for_tokens })
    }
}

impl Front {
    /// Of a service that does not serve its API yet.
    pub(crate) fn new(handle: Handle, gate: Arc<Gate>, keeper: Weak<Keeper>) -> Front {
        Front { handle, gate, keeper, served: None, is_over: false }
    }

    /// Serves the API on `listener`, which was made from `listen`.
    pub(crate) fn open(&mut self, listener: TcpListener, listen: &Listen) {
        if let Some(place) = Place::of(listen) {
            self.serve(place, Arc::new(listener));
        }
    }

    fn serve(&mut self, place: Place, listener: Arc<TcpListener>) {
        if self.is_over {
            return;
        }
        if let Ok(address) = listener.local_addr() {
            let scheme = if place.is_secure { "https" } else { "http" };
            tracing::info!("API on {scheme}://{address}");
        }
        let (stop, stopped) = oneshot::channel();
        let (letting_go, let_go) = oneshot::channel();
        let (handle, gate, keeper) = (self.handle.clone(), Arc::clone(&self.gate), self.keeper.upgrade());
        let task = tokio::spawn(serve(Arc::clone(&listener), handle, gate, keeper, stopped, letting_go));
        self.served = Some(Served { place, listener, stop, let_go, task });
    }

    /// Opens what `wanted` needs and is not there.
    ///
    /// # Errors
    /// The address can't be listened on; then everything is as it was.
    pub(crate) async fn prepare(&mut self, wanted: &Listen) -> Result<Step, FrontError> {
        let wanted = Place::of(wanted);
        let now = self.served.as_ref().map(|served| served.place);
        let Some(place) = wanted.filter(|_| wanted != now) else {
            return Ok(Step { goes_on: wanted == now, next: None, aside: None });
        };
        let step = |listener, aside| Step { goes_on: false, next: Some((place, listener)), aside };
        match &self.served {
            Some(served) if served.place.address == place.address => {
                Ok(step(Arc::clone(&served.listener), None))
            }
            Some(served) if served.place.shares_port(place) => {
                let before = served.place;
                self.end().await;
                match bind(place.address) {
                    Ok(listener) => Ok(step(Arc::new(listener), Some(before))),
                    Err(error) => {
                        self.come_back(before);
                        Err(error)
                    }
                }
            }
            Some(_) | None => Ok(step(Arc::new(bind(place.address)?), None)),
        }
    }

    /// Ends what `step` replaces. Nothing more is accepted there when this returns.
    pub(crate) async fn leave(&mut self, step: &Step) {
        if !step.goes_on {
            self.end().await;
        }
    }

    /// Goes on as `step` wants; what the gate asks for is that of the new place by now.
    pub(crate) fn go_on(&mut self, step: Step) {
        if let Some((place, listener)) = step.next {
            self.serve(place, listener);
        } else if !step.goes_on {
            tracing::info!("the API is not served any more");
        }
    }

    /// Does not do what `step` wants.
    pub(crate) fn stay(&mut self, step: Step) {
        drop(step.next);
        if let Some(before) = step.aside {
            self.come_back(before);
        }
    }

    fn come_back(&mut self, place: Place) {
        match bind(place.address) {
            Ok(listener) => self.serve(place, Arc::new(listener)),
            Err(error) => tracing::error!("the API is not served any more: {error}"),
        }
    }

    /// Ends what is there, requests under way aside.
    async fn end(&mut self) {
        let Some(Served { listener, stop, let_go, mut task, .. }) = self.served.take() else { return };
        drop(listener);
        // It may have ended by itself, or died.
        let _ = stop.send(());
        let _ = let_go.await;
        tokio::spawn(async move {
            if tokio::time::timeout(LAST_REQUESTS, &mut task).await.is_err() {
                task.abort();
            }
        });
    }

    /// Ends the API for good, and gives requests under way as long as `grace`.
    pub(crate) async fn close(&mut self, grace: Duration) {
        self.is_over = true;
        if let Some(Served { stop, task, .. }) = self.served.take() {
            let _ = stop.send(());
            let _ = tokio::time::timeout(grace, task).await;
        }
    }
}

impl Place {
    /// Whether one of both stands in the way of the other.
    fn shares_port(self, other: Place) -> bool {
        self.address.port() == other.address.port() && self.address.port() != 0
    }
}
