//! File descriptors: as many as the configuration can come to need, if the system lets us.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
