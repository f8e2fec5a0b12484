//! Encodings of the PPDUs (X.226 clause 8): CP, CPA, CPR, ARU, ARP. What is merely optional and without use here
//! (requirements, protocol options, default context, extensions) is accepted and passed over.

use alloc::vec::Vec;

use ber::{BitString, Error, ErrorKind, Oid, Reader, Tag, Tlv, Writer};

use super::user_data::{ContextId, UserData};

/// Mode-selector of CP and CPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// x410-1984-mode(0).
    X410,
    /// normal-mode(1).
    Normal,
    /// A value that X.226 does not have.
    Unknown(i64),
}

/// CP or CPA as far as the mode decides what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByMode<T> {
    /// Normal mode with its parameters.
    Normal(T),
    /// X.410 mode, with the x410-mode-parameters as one encoding with the tag of a SET.
    X410(Vec<u8>),
    /// A mode that X.226 does not have; its parameters are not read.
    Other(Mode),
}

/// One entry of the presentation-context-definition-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextDefinition {
    /// Identifier, odd when proposed by the connection's initiator.
    pub context: ContextId,
    /// Abstract syntax.
    pub abstract_syntax: Oid,
    /// Transfer syntaxes that the proposer can use.
    pub transfer_syntaxes: Vec<Oid>,
}

/// One entry of the presentation-context-definition-result-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextResult {
    /// acceptance(0), with the chosen transfer syntax.
    Accepted(Option<Oid>),
    /// user-rejection(1), with the reason if one is there.
    UserRejection(Option<i64>),
    /// provider-rejection(2): 1 abstract syntax, 2 transfer syntaxes not supported, 3 local limit.
    ProviderRejection(Option<i64>),
}

/// Normal-mode parameters of CP (connect presentation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cp<'a> {
    /// Whether version 1 is among the offered versions; so it is when the field is absent.
    pub version1: bool,
    /// Calling presentation selector; `None` when absent.
    pub calling_selector: Option<Vec<u8>>,
    /// Called presentation selector.
    pub called_selector: Option<Vec<u8>>,
    /// Proposed contexts.
    pub contexts: Vec<ContextDefinition>,
    /// Values carried.
    pub user_data: Option<UserData<'a>>,
}

impl Default for Cp<'_> {
    fn default() -> Self {
        Cp {
            version1: true,
            calling_selector: None,
            called_selector: None,
            contexts: Vec::new(),
            user_data: None,
        }
    }
}

/// Normal-mode parameters of CPA (connect presentation accept).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpa<'a> {
    /// Whether version 1 was chosen; so it was when the field is absent.
    pub version1: bool,
    /// Responding presentation selector.
    pub responding_selector: Option<Vec<u8>>,
    /// Results, in the order of the proposal.
    pub results: Vec<ContextResult>,
    /// Values carried.
    pub user_data: Option<UserData<'a>>,
}

impl Default for Cpa<'_> {
    fn default() -> Self {
        Cpa { version1: true, responding_selector: None, results: Vec::new(), user_data: None }
    }
}

/// Normal-mode CPR (connect presentation reject).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpr<'a> {
    /// Responding presentation selector.
    pub responding_selector: Option<Vec<u8>>,
    /// Results, in the order of the proposal.
    pub results: Vec<ContextResult>,
    /// Provider-reason 0 to 7; `None` when the user rejected.
    pub provider_reason: Option<i64>,
    /// Values carried.
    pub user_data: Option<UserData<'a>>,
}

/// SS-user data of an S-U-ABORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abort<'a> {
    /// ARU (abnormal release user).
    Aru(Option<UserData<'a>>),
    /// ARP (abnormal release provider): provider reason 0 to 6 and event identifier.
    Arp {
        /// Abort-reason.
        reason: Option<i64>,
        /// Event-identifier: what the provider objected to.
        event: Option<i64>,
    },
    /// An ARU of X.410 mode, which is what the user gave it; not read.
    X410,
}

const VERSION: Tag = Tag::context(0);
const MODE_SELECTOR: Tag = Tag::context(0);
const X410_PARAMETERS: Tag = Tag::context(1);
const NORMAL_PARAMETERS: Tag = Tag::context(2);
/// More contexts do not fit into a CP that the session layer takes.
const CONTEXTS_MAX: usize = 1024;

impl<'a> Cp<'a> {
    /// Reads a CP.
    ///
    /// # Errors
    /// Not a CP.
    pub fn decode(octets: &'a [u8]) -> Result<ByMode<Self>, Error> {
        decode_by_mode(octets, |parameters| {
            let mut cp = Cp::default();
            let mut fields = parameters.reader()?;
            while let Some(field) = fields.next()? {
                match field.tag {
                    VERSION => cp.version1 = field.bit_string()?.bit(0),
                    tag if tag == Tag::context(1) => cp.calling_selector = Some(field.octets()?.into_owned()),
                    tag if tag == Tag::context(2) => cp.called_selector = Some(field.octets()?.into_owned()),
                    tag if tag == Tag::context(4) => cp.contexts = decode_definitions(&field)?,
                    UserData::SIMPLE | UserData::FULL => cp.user_data = Some(UserData::from_element(field)?),
                    _ => {}
                }
            }
            Ok(cp)
        })
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_normal(|w| {
            version(w, self.version1);
            optional_selector(w, 1, self.calling_selector.as_deref());
            optional_selector(w, 2, self.called_selector.as_deref());
            w.constructed(Tag::context(4), |w| {
                for definition in &self.contexts {
                    w.constructed(Tag::SEQUENCE, |w| {
                        w.integer(Tag::INTEGER, definition.context.0);
                        w.oid(Tag::OBJECT_IDENTIFIER, &definition.abstract_syntax);
                        w.constructed(Tag::SEQUENCE, |w| {
                            for syntax in &definition.transfer_syntaxes {
                                w.oid(Tag::OBJECT_IDENTIFIER, syntax);
                            }
                        });
                    });
                }
            });
            optional_user_data(w, self.user_data.as_ref());
        })
    }
}

impl<'a> Cpa<'a> {
    /// Reads a CPA.
    ///
    /// # Errors
    /// Not a CPA.
    pub fn decode(octets: &'a [u8]) -> Result<ByMode<Self>, Error> {
        decode_by_mode(octets, |parameters| {
            let mut cpa = Cpa::default();
            let mut fields = parameters.reader()?;
            while let Some(field) = fields.next()? {
                match field.tag {
                    VERSION => cpa.version1 = field.bit_string()?.bit(0),
                    tag if tag == Tag::context(3) => {
                        cpa.responding_selector = Some(field.octets()?.into_owned())
                    }
                    tag if tag == Tag::context(5) => cpa.results = decode_results(&field)?,
                    UserData::SIMPLE | UserData::FULL => cpa.user_data = Some(UserData::from_element(field)?),
                    _ => {}
                }
            }
            Ok(cpa)
        })
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_normal(|w| {
            version(w, self.version1);
            optional_selector(w, 3, self.responding_selector.as_deref());
            encode_results(w, &self.results);
            optional_user_data(w, self.user_data.as_ref());
        })
    }
}

impl<'a> Cpr<'a> {
    /// Reads a CPR. One of X.410 mode (a SET) is given back as `None`.
    ///
    /// # Errors
    /// Not a CPR.
    pub fn decode(octets: &'a [u8]) -> Result<Option<Self>, Error> {
        let mut top = Reader::new(octets);
        if top.optional(Tag::SET)?.is_some() {
            return Ok(None);
        }
        let mut cpr = Cpr::default();
        let mut fields = top.expect(Tag::SEQUENCE)?.reader()?;
        top.finish()?;
        while let Some(field) = fields.next()? {
            match field.tag {
                tag if tag == Tag::context(3) => cpr.responding_selector = Some(field.octets()?.into_owned()),
                tag if tag == Tag::context(5) => cpr.results = decode_results(&field)?,
                tag if tag == Tag::context(10) => cpr.provider_reason = Some(field.integer()?),
                UserData::SIMPLE | UserData::FULL => cpr.user_data = Some(UserData::from_element(field)?),
                _ => {}
            }
        }
        Ok(Some(cpr))
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.constructed(Tag::SEQUENCE, |w| {
                optional_selector(w, 3, self.responding_selector.as_deref());
                if !self.results.is_empty() {
                    encode_results(w, &self.results);
                }
                if let Some(reason) = self.provider_reason {
                    w.integer(Tag::context(10), reason);
                }
                optional_user_data(w, self.user_data.as_ref());
            });
        })
    }
}

impl<'a> Abort<'a> {
    /// Reads an ARU or ARP.
    ///
    /// # Errors
    /// Neither of them.
    pub fn decode(octets: &'a [u8]) -> Result<Self, Error> {
        let mut top = Reader::new(octets);
        let element = top.any()?;
        top.finish()?;
        match element.tag {
            Tag::SET => Ok(Abort::X410),
            Tag::SEQUENCE => {
                let mut fields = element.reader()?;
                let (mut reason, mut event) = (None, None);
                while let Some(field) = fields.next()? {
                    if field.tag == Tag::context(0) {
                        reason = Some(field.integer()?);
                    } else if field.tag == Tag::context(1) {
                        event = Some(field.integer()?);
                    }
                }
                Ok(Abort::Arp { reason, event })
            }
            tag if tag == Tag::context(0) => {
                let mut fields = element.reader()?;
                let mut user_data = None;
                // The context list is passed over: it only repeats what was agreed, and peers code it in two ways.
                while let Some(field) = fields.next()? {
                    if matches!(field.tag, UserData::SIMPLE | UserData::FULL) {
                        user_data = Some(UserData::from_element(field)?);
                    }
                }
                Ok(Abort::Aru(user_data))
            }
            found => Err(element.error(ErrorKind::UnexpectedTag { expected: Tag::context(0), found })),
        }
    }

    /// The encoding. An ARU carries the identifiers in `contexts` with their transfer syntax, an ARP does not.
    pub fn encode(&self, contexts: &[(ContextId, Oid)]) -> Vec<u8> {
        Writer::encode(|w| match self {
            Abort::Aru(user_data) => w.constructed(Tag::context(0), |w| {
                if user_data.is_some() && !contexts.is_empty() {
                    w.constructed(Tag::context(0), |w| {
                        for (context, syntax) in contexts {
                            w.constructed(Tag::SEQUENCE, |w| {
                                w.integer(Tag::INTEGER, context.0);
                                w.oid(Tag::OBJECT_IDENTIFIER, syntax);
                            });
                        }
                    });
                }
                optional_user_data(w, user_data.as_ref());
            }),
            Abort::Arp { reason, event } => w.constructed(Tag::SEQUENCE, |w| {
                if let Some(reason) = reason {
                    w.integer(Tag::context(0), *reason);
                }
                if let Some(event) = event {
                    w.integer(Tag::context(1), *event);
                }
            }),
            Abort::X410 => w.constructed(Tag::SET, |_| {}),
        })
    }
}

/// Both CP and CPA are a SET, so that the mode may come after the parameters whose meaning it settles.
fn decode_by_mode<'a, T>(
    octets: &'a [u8],
    parameters: impl FnOnce(Tlv<'a>) -> Result<T, Error>,
) -> Result<ByMode<T>, Error> {
    let mut top = Reader::new(octets);
    let set = top.expect(Tag::SET)?;
    // X.226 allows CPC values after a CP: the same user data in other transfer syntaxes.
    while top.next()?.is_some() {}
    let mut fields = set.reader()?;
    let (mut mode, mut x410, mut normal) = (None, None, None);
    while let Some(field) = fields.next()? {
        match field.tag {
            MODE_SELECTOR => {
                mode = Some(match field.reader()?.expect(Tag::context(0))?.integer()? {
                    0 => Mode::X410,
                    1 => Mode::Normal,
                    other => Mode::Unknown(other),
                });
            }
            X410_PARAMETERS => x410 = Some(field),
            NORMAL_PARAMETERS => normal = Some(field),
            // What later editions add.
            _ => {}
        }
    }
    let missing = |expected| Err(set.error(ErrorKind::Missing { expected }));
    match (mode, x410, normal) {
        (Some(Mode::Normal), _, Some(element)) => parameters(element).map(ByMode::Normal),
        (Some(Mode::Normal), _, None) => missing(NORMAL_PARAMETERS),
        (Some(Mode::X410), Some(element), _) => {
            Ok(ByMode::X410(Writer::encode(|w| w.constructed(Tag::SET, |w| w.raw(element.contents)))))
        }
        (Some(Mode::X410), None, _) => missing(X410_PARAMETERS),
        (Some(other @ Mode::Unknown(_)), _, _) => Ok(ByMode::Other(other)),
        (None, _, _) => missing(MODE_SELECTOR),
    }
}

/// CP or CPA of X.410 mode, whose parameters are the components of what the user gives as the encoding of a SET.
pub fn encode_x410(set: &[u8]) -> Vec<u8> {
    let components = Reader::new(set).any().map(|element| element.contents).unwrap_or_default();
    Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(MODE_SELECTOR, |w| w.integer(Tag::context(0), 0));
            w.constructed(X410_PARAMETERS, |w| w.raw(components));
        });
    })
}

fn encode_normal(parameters: impl FnOnce(&mut Writer)) -> Vec<u8> {
    Writer::encode(|w| {
        w.constructed(Tag::SET, |w| {
            w.constructed(MODE_SELECTOR, |w| w.integer(Tag::context(0), 1));
            w.constructed(NORMAL_PARAMETERS, parameters);
        });
    })
}

/// The version, unless it is the default.
fn version(w: &mut Writer, version1: bool) {
    if !version1 {
        w.bit_string(VERSION, &BitString::default());
    }
}

fn optional_selector(w: &mut Writer, number: u32, selector: Option<&[u8]>) {
    if let Some(selector) = selector {
        w.primitive(Tag::context(number), selector);
    }
}

fn optional_user_data(w: &mut Writer, user_data: Option<&UserData<'_>>) {
    if let Some(user_data) = user_data {
        user_data.encode(w);
    }
}

fn decode_definitions(list: &Tlv<'_>) -> Result<Vec<ContextDefinition>, Error> {
    let mut entries = list.reader()?;
    let mut definitions = Vec::new();
    while let Some(entry) = entries.next()? {
        if definitions.len() == CONTEXTS_MAX {
            return Err(entry.error(ErrorKind::BadContents(list.tag)));
        }
        let mut fields = entry.reader()?;
        let context = ContextId(fields.expect(Tag::INTEGER)?.integer()?);
        let abstract_syntax = fields.expect(Tag::OBJECT_IDENTIFIER)?.oid()?;
        let mut names = fields.expect(Tag::SEQUENCE)?.reader()?;
        let mut transfer_syntaxes = Vec::new();
        while let Some(name) = names.next()? {
            transfer_syntaxes.push(name.oid()?);
        }
        definitions.push(ContextDefinition { context, abstract_syntax, transfer_syntaxes });
    }
    Ok(definitions)
}

fn decode_results(list: &Tlv<'_>) -> Result<Vec<ContextResult>, Error> {
    let mut entries = list.reader()?;
    let mut results = Vec::new();
    while let Some(entry) = entries.next()? {
        if results.len() == CONTEXTS_MAX {
            return Err(entry.error(ErrorKind::BadContents(list.tag)));
        }
        let mut fields = entry.reader()?;
        let result = fields.expect(Tag::context(0))?;
        let syntax = fields.optional(Tag::context(1))?.map(|name| name.oid()).transpose()?;
        let reason = fields.optional(Tag::context(2))?.map(|reason| reason.integer()).transpose()?;
        results.push(match result.integer()? {
            0 => ContextResult::Accepted(syntax),
            1 => ContextResult::UserRejection(reason),
            2 => ContextResult::ProviderRejection(reason),
            _ => return Err(result.error(ErrorKind::BadContents(result.tag))),
        });
    }
    Ok(results)
}

fn encode_results(w: &mut Writer, results: &[ContextResult]) {
    w.constructed(Tag::context(5), |w| {
        for result in results {
            w.constructed(Tag::SEQUENCE, |w| {
                let (code, syntax, reason) = match result {
                    ContextResult::Accepted(syntax) => (0, syntax.as_ref(), None),
                    ContextResult::UserRejection(reason) => (1, None, *reason),
                    ContextResult::ProviderRejection(reason) => (2, None, *reason),
                };
                w.integer(Tag::context(0), code);
                if let Some(syntax) = syntax {
                    w.oid(Tag::context(1), syntax);
                }
                if let Some(reason) = reason {
                    w.integer(Tag::context(2), reason);
                }
            });
        }
    });
}
