//! Pages of a ladder: the newest steps, or those behind or before a place.

use super::{LadderNode, LadderPage, LadderStep, Whole};

/// Characters of names and values in one page, from which on it takes no further step.
const MAX_PAGE: usize = 1 << 20;

/// A step's number in its connection, and the connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    connection: u64,
    number: u64,
}

impl Place {
    /// Reads what a page has named; `None` if it is none of these.
    pub(crate) fn parse(text: &str) -> Option<Place> {
        let (connection, number) = text.split_once('.')?;
        Some(Place { connection: connection.parse().ok()?, number: number.parse().ok()? })
    }

    fn of(step: &LadderStep) -> Place {
        Place { connection: step.connection, number: step.number }
    }
}

/// Which steps are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The newest.
    Newest,
    /// The oldest of those behind this place.
    After(Place),
    /// The newest of those before this place.
    Before(Place),
}

/// At most `limit` steps, but always all that stand at the same place.
pub(crate) fn page(whole: Vec<Whole>, part: Part, limit: usize) -> LadderPage {
    let (connections, steps): (Vec<_>, Vec<_>) = whole.into_iter().unzip();
    let steps: Vec<LadderStep> = steps.into_iter().flatten().collect();
    let (from, to) = match part {
        Part::Newest => (first(&steps, steps.len(), limit), steps.len()),
        Part::Before(place) => {
            let to = steps.partition_point(|step| Place::of(step) < place);
            (first(&steps, to, limit), to)
        }
        Part::After(place) => {
            let from = steps.partition_point(|step| Place::of(step) <= place);
            (from, last(&steps, from, limit))
        }
    };
    let place = |step: Option<&LadderStep>| step.map(|step| step.place.clone());
    let items = steps.get(from..to).unwrap_or_default();
    let next = if to < steps.len() { place(items.last()) } else { None };
    let previous = if from > 0 { place(items.first()) } else { None };
    LadderPage { connections, next, previous, items: items.to_vec() }
}

/// Where a page begins that ends at `to`.
fn first(steps: &[LadderStep], to: usize, limit: usize) -> usize {
    let ahead = steps.get(..to).unwrap_or_default();
    to - fitting(ahead.iter().rev(), limit)
}

/// Where a page ends that begins at `from`.
fn last(steps: &[LadderStep], from: usize, limit: usize) -> usize {
    from + fitting(steps.get(from..).unwrap_or_default().iter(), limit)
}

/// How many of these a page takes.
fn fitting<'s>(steps: impl Iterator<Item = &'s LadderStep>, limit: usize) -> usize {
    let (mut count, mut weight) = (0, 0);
    let mut place = None;
    for step in steps {
        if (count >= limit || weight > MAX_PAGE) && place != Some(Place::of(step)) {
            break;
        }
        place = Some(Place::of(step));
        weight += step.details.iter().map(self::weight).sum::<usize>();
        count += 1;
    }
    count
}

/// Characters of a node, with something for what stands around them.
fn weight(node: &LadderNode) -> usize {
    let own = node.name.len() + node.value.as_ref().map_or(0, String::len) + 30;
    own + node.children.iter().map(weight).sum::<usize>()
}
