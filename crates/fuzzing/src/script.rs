//! Lists of operations in octets. Every sequence of octets is a script; where it ends in the middle of something, zeros
//! follow.

/// Reads a script.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    rest: &'a [u8],
}

/// Longest list of operations: the laws hold for short ones or not at all, and time is better spent on other scripts.
const OPERATIONS_MAX: usize = 400;

impl<'a> Script<'a> {
    /// A reader at the start of `octets`.
    pub fn new(octets: &'a [u8]) -> Self {
        Script { rest: octets }
    }

    /// The codes of operations up to the end, with the script to read their parameters from.
    pub fn each_operation(&mut self, mut operation: impl FnMut(u8, &mut Self)) {
        for _ in 0..OPERATIONS_MAX {
            let Some((&code, rest)) = self.rest.split_first() else { return };
            self.rest = rest;
            operation(code, self);
        }
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        let Some((&octet, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        octet
    }

    /// A choice that falls for yes once in so many values of an octet.
    pub fn one_in(&mut self, values: u8) -> bool {
        self.octet().is_multiple_of(values)
    }

    /// A number of two octets.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// Octets behind their number; fewer at the end of the script.
    pub fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.number()).min(self.rest.len());
        let (octets, rest) = self.rest.split_at(length);
        self.rest = rest;
        octets
    }
}

/// Writes a script, for seeds.
#[derive(Clone, Debug, Default)]
pub struct ScriptWriter {
    octets: Vec<u8>,
}

impl ScriptWriter {
    /// An empty script.
    pub fn new() -> Self {
        ScriptWriter::default()
    }

    /// Adds octets that are read by [`Script::octet`], one by one.
    pub fn octet(mut self, octets: impl IntoIterator<Item = u8>) -> Self {
        self.octets.extend(octets);
        self
    }

    /// Adds a number.
    pub fn number(self, number: u16) -> Self {
        self.octet(number.to_be_bytes())
    }

    /// Adds octets that are read by [`Script::octets`]; at most 65,535 of them.
    pub fn octets(self, octets: &[u8]) -> Self {
        let octets = octets.get(..octets.len().min(usize::from(u16::MAX))).unwrap_or_default();
        self.number(octets.len() as u16).octet(octets.iter().copied())
    }

    /// The script.
    pub fn into_vec(self) -> Vec<u8> {
        self.octets
    }
}
