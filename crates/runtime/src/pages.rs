//! A key range of the spool, read page by page, so that no queue is ever whole in memory.

use spool::{Space, Spool, SpoolError};

/// Records read at once.
pub(crate) const PAGE: usize = 256;

/// Where a reading stands.
#[derive(Debug)]
pub(crate) struct Pages {
    space: Space,
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    finished: bool,
}

impl Pages {
    /// Reads the records of `space` whose keys start with `prefix`, in order.
    pub(crate) fn new(space: Space, prefix: Vec<u8>) -> Self {
        Pages { space, prefix, after: None, finished: false }
    }

    /// The same behind a key.
    pub(crate) fn after(self, after: Option<Vec<u8>>) -> Self {
        Pages { after, ..self }
    }

    /// The next keys and values; `None` when all have been read.
    pub(crate) async fn next(
        &mut self,
        spool: &dyn Spool,
    ) -> Result<Option<Vec<(Vec<u8>, Vec<u8>)>>, SpoolError> {
        if self.finished {
            return Ok(None);
        }
        let page = spool.scan(self.space, &self.prefix, self.after.as_deref(), PAGE).await?;
        self.finished = page.len() < PAGE;
        self.after = page.last().map(|(key, _)| key.clone());
        Ok(Some(page))
    }
}
