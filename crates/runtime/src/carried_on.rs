//! Work that goes on when nobody waits for it any more.
//!
//! Whoever begins it does it, which costs no task and no change of threads. If that one goes away meanwhile, the rest
//! becomes a task of its own.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use crate::shelter::{Panicked, sheltered};

/// A future that is polled to its end, by a task of its own if it is dropped before. It resolves to the panic that ended
/// it, if one did.
#[must_use = "it does nothing until it is polled or dropped"]
pub(crate) struct CarriedOn<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> CarriedOn<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        CarriedOn(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for CarriedOn<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Out of here while it is polled: one that has panicked is not to be polled again.
        let Some(mut work) = self.0.take() else { return Poll::Pending };
        match sheltered(|| work.as_mut().poll(context)) {
            Ok(Poll::Pending) => {
                self.0 = Some(work);
                Poll::Pending
            }
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

impl<T: Send + 'static> Drop for CarriedOn<T> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and all tasks with it.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(work));
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "what is tested is what becomes of a panic")]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_done_all_the_same() {
        let (begin, begun) = oneshot::channel::<u8>();
        let (end, ended) = oneshot::channel();
        let mut work = CarriedOn::new(async move { end.send(begun.await) });
        assert!(is_pending_at_first(&mut work));
        drop(work);
        assert_eq!(begin.send(5), Ok(()));
        assert_eq!(ended.await, Ok(Ok(5)));
    }

    #[tokio::test]
    async fn what_is_waited_for_is_done_once() {
        let mut times = 0;
        let done = CarriedOn::new(async move {
            tokio::task::yield_now().await;
            times += 1;
            times
        });
        assert_eq!(done.await, Ok(1));
        let failed = CarriedOn::new(async { panic!("half way") });
        let failed: Result<(), Panicked> = failed.await;
        assert_eq!(failed.map_err(|panicked| panicked.to_string()), Err("a panic: half way".to_owned()));
    }

    /// Polls once.
    fn is_pending_at_first<T: Send + 'static>(work: &mut CarriedOn<T>) -> bool {
        Pin::new(work).poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
    }
}
