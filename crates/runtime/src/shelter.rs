//! Where a panic ends: at the boundary of one item, one association or one task, and never the process. What is left behind
//! by it is dropped, so whatever has to be given back is a value whose drop gives it back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// A panic that was caught, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a panic: {0}")]
pub(crate) struct Panicked(String);

/// Longest text that is kept of a panic, characters.
const MAX_TEXT: usize = 500;

impl Panicked {
    fn new(what: &(dyn Any + Send)) -> Panicked {
        let text = match (what.downcast_ref::<&str>(), what.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "without a text".to_owned(),
        };
        Panicked(text.chars().take(MAX_TEXT).collect())
    }
}

/// Does something that may panic. What it changes from outside must not be looked at after a panic.
pub(crate) fn sheltered<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|what| Panicked::new(&*what))
}

/// The same for a future. After a panic what it held is gone already.
pub(crate) async fn sheltered_async<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| match sheltered(|| work.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

#[cfg(test)]
#[allow(clippy::panic, reason = "what is tested is what becomes of a panic")]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(sheltered(|| 3), Ok(3));
        let number = 7;
        assert_eq!(sheltered(|| -> () { panic!("no {number}") }), Err(Panicked("no 7".into())));
        assert_eq!(sheltered(|| -> () { panic!("just so") }), Err(Panicked("just so".into())));
        let odd: Result<(), _> = sheltered(|| std::panic::panic_any(5_u8));
        assert_eq!(odd, Err(Panicked("without a text".into())));
    }

    #[tokio::test]
    async fn a_future_that_panics_late_drops_what_it_held() {
        let held = std::sync::Arc::new(());
        let inside = std::sync::Arc::clone(&held);
        let outcome = sheltered_async(async move {
            tokio::task::yield_now().await;
            assert!(std::sync::Arc::strong_count(&inside) > 9, "late");
        })
        .await;
        assert_eq!(outcome, Err(Panicked("late".into())));
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
        assert_eq!(sheltered_async(async { 4 }).await, Ok(4));
    }
}
