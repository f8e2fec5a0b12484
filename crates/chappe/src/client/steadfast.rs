//! A connection on which a failed write is no end yet: the service may have answered before it hung up.
//!
//! A service that refuses an upload half-way (its disk is full, say) answers and closes. The client learns of the
//! close first, as a write that fails, while the answer waits unread; this transport lets the request run out and
//! leaves it to the read to tell whether there is an answer.

use std::io::ErrorKind;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Wraps the transport of the connector before it in the chain.
#[derive(Debug)]
pub(super) struct SteadfastConnector;

impl<In: Transport> Connector<In> for SteadfastConnector {
    type Out = Steadfast<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Steadfast { inner, broken: false }))
    }
}

/// The transport; see the module.
#[derive(Debug)]
pub(super) struct Steadfast<T> {
    inner: T,
    broken: bool,
}

impl<T: Transport> Transport for Steadfast<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.broken {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
            {
                self.broken = true;
                Ok(())
            }
            other => other,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        !self.broken && self.inner.is_open()
    }
}
