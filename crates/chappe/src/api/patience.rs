//! How long a request may stay without an answer.
//!
//! Whatever goes wrong behind a request, whoever asks hears of it: an answer begins within a bounded time of the last octet
//! of the request. What it asked for may still be done, and then the answer says that nobody knows.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::error::ApiError;

/// Between the last octet of a request and the first of its answer. Also between two pieces of a request's body.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far a request has come.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Mutex<Come>>);

#[derive(Clone, Copy, Debug)]
struct Come {
    at: Instant,
    is_whole: bool,
}

impl Progress {
    /// Of a request that has such a body; gives the body in which it is seen.
    pub(super) fn watch(body: Body) -> (Progress, Body) {
        let is_whole = hyper::body::Body::is_end_stream(&body);
        let progress = Progress(Arc::new(Mutex::new(Come { at: Instant::now(), is_whole })));
        (progress.clone(), Body::new(Watched { body, progress }))
    }

    fn come(&self) -> Come {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, is_whole: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Come { at: Instant::now(), is_whole };
    }

    /// What `answer` gives, if it does in time.
    pub(super) async fn answered<T>(&self, answer: impl Future<Output = T>) -> Result<T, ApiError> {
        let mut answer = pin!(answer);
        loop {
            let until = self.come().at + PATIENCE;
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = tokio::time::sleep_until(until) => {}
            }
            let come = self.come();
            if come.at + PATIENCE <= Instant::now() {
                return Err(late(come.is_whole));
            }
        }
    }
}

fn late(is_whole: bool) -> ApiError {
    let seconds = PATIENCE.as_secs();
    if is_whole {
        ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!("there is no answer after {seconds} s"),
            "something in the service is stuck; it is not known whether what was asked for is done",
        )
    } else {
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("nothing of the request came for {seconds} s"),
            "send its body in one go",
        )
    }
}

/// A body that tells how far it has come.
struct Watched {
    body: Body,
    progress: Progress,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(frame) = &polled {
            self.progress.note(frame.is_none() || self.body.is_end_stream());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use super::super::pieces::Pieces;
    use super::*;

    fn within<T>(run: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run)
    }

    #[test]
    fn what_never_answers_is_answered_for() {
        within(async {
            let (progress, _body) = Progress::watch(Body::empty());
            let begun = Instant::now();
            let late = progress.answered(std::future::pending::<()>()).await.unwrap_err();
            assert_eq!((late.status(), begun.elapsed()), (StatusCode::GATEWAY_TIMEOUT, PATIENCE));
        });
    }

    #[test]
    fn a_body_may_take_as_long_as_it_likes_while_it_comes() {
        within(async {
            let (sender, receiver) = mpsc::channel(1);
            let (progress, body) = Progress::watch(Body::new(Pieces(receiver)));
            let begun = Instant::now();
            let client = async move {
                for _ in 0..10 {
                    tokio::time::sleep(PATIENCE * 9 / 10).await;
                    sender.send(Bytes::from_static(b"x")).await.unwrap();
                }
                sender
            };
            let server = progress.answered(async { body.collect().await.map(|all| all.to_bytes().len()) });
            let (_open, answer) = tokio::join!(client, server);
            assert_eq!(answer.unwrap_err().status(), StatusCode::REQUEST_TIMEOUT);
            assert_eq!(begun.elapsed(), PATIENCE * 10);

            let (sender, receiver) = mpsc::channel(1);
            let (progress, body) = Progress::watch(Body::new(Pieces(receiver)));
            let client = async move {
                tokio::time::sleep(PATIENCE / 2).await;
                sender.send(Bytes::from_static(b"xy")).await.unwrap();
            };
            let server = progress.answered(async {
                let length = body.collect().await.map(|all| all.to_bytes().len());
                tokio::time::sleep(PATIENCE * 9 / 10).await;
                length
            });
            let ((), answer) = tokio::join!(client, server);
            assert_eq!(answer.unwrap().unwrap(), 2);
        });
    }
}
