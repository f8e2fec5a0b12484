//! File descriptors: as many as the configuration can come to need, if the system lets us.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors this process may have besides `others`, as things stand: at least half of what there is.
pub(crate) fn left_after(others: u64) -> u64 {
    match getrlimit(Resource::Nofile).current {
        Some(now) => now.saturating_sub(others).max(now / 2).max(1),
        None => u64::MAX,
    }
}

/// Raises this process's limit on open files to `needed`, if it is lower. The message says what is missing.
pub(crate) fn provide(needed: u64) -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    let Some(now) = current.filter(|now| *now < needed) else { return Ok(()) };
    let possible = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum });
    match raised {
        Ok(()) if possible >= needed => Ok(()),
        Ok(()) => Err(format!(
            "{needed} open files may be needed, the system allows this process {possible}; raise the hard limit \
             (LimitNOFILE= of a systemd unit, `ulimit -Hn` of a shell)"
        )),
        Err(error) => Err(format!(
            "{needed} open files may be needed, this process has {now} and can't have more: {error}; raise the limit \
             (LimitNOFILE= of a systemd unit, `ulimit -n` of a shell)"
        )),
    }
}
