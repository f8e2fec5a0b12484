//! The commented file that `chappe config init` writes.

/// A starting file: what is required is filled in, everything else is there as a comment with unit, range and default.
pub fn starting_file() -> &'static str {
    include_str!("starting.toml")
}
