//! Encodings of the ROSE APDUs (X.880, Generic-ROS-PDUs): Invoke, ReturnResult, ReturnError, Reject. Those of X.229
//! are the same with fewer choices.

use alloc::vec::Vec;
use core::fmt;

use ber::{Error, ErrorKind, Oid, Reader, Tag, Tlv, Writer};

use super::error::DecodeError;
use super::problem::{GeneralProblem, Problem};

/// Most contents octets of an object identifier that stands for an operation or an error. Invocations are remembered
/// with their operation, so its length must have a bound.
pub const GLOBAL_CODE_OCTETS_MAX: usize = 128;

/// An APDU of ROSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoseApdu {
    /// `[1]`.
    Invoke(Invoke),
    /// `[2]`.
    ReturnResult(ReturnResult),
    /// `[3]`.
    ReturnError(ReturnError),
    /// `[4]`.
    Reject(Reject),
}

/// The kinds of APDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApduKind {
    /// `[1]`.
    Invoke,
    /// `[2]`.
    ReturnResult,
    /// `[3]`.
    ReturnError,
    /// `[4]`.
    Reject,
}

/// InvokeId. The number is chosen by the invoker; the two directions do not share their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InvokeId {
    /// A number. One outside 64 bits is no InvokeId here.
    Present(i64),
    /// NULL: of an invocation which nothing can refer to, or of an APDU whose identifier could not be read.
    Absent,
}

/// Code of an operation or an error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Known by the abstract syntax. One outside 64 bits is no code here.
    Local(i64),
    /// Known everywhere.
    Global(Oid),
}

/// Invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// The invocation.
    pub invoke_id: InvokeId,
    /// The invocation of the other side which this one is a child of, if it is one.
    pub linked_id: Option<InvokeId>,
    /// The operation.
    pub operation: Code,
    /// Argument, one encoding as it came; empty for none.
    pub argument: Vec<u8>,
}

/// ReturnResult.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnResult {
    /// The invocation.
    pub invoke_id: InvokeId,
    /// The result; `None` for an operation whose result has no value.
    pub result: Option<OperationResult>,
}

/// The sequence inside a ReturnResult.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationResult {
    /// The operation once more.
    pub operation: Code,
    /// One encoding as it came.
    pub value: Vec<u8>,
}

/// ReturnError.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnError {
    /// The invocation.
    pub invoke_id: InvokeId,
    /// The error.
    pub error: Code,
    /// Parameter, one encoding as it came; empty for none.
    pub parameter: Vec<u8>,
}

/// Reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The invocation that the rejected APDU belongs to.
    pub invoke_id: InvokeId,
    /// Why.
    pub problem: Problem,
}

const LINKED_PRESENT: Tag = Tag::context(0);
const LINKED_ABSENT: Tag = Tag::context(1);

impl ApduKind {
    /// The tag.
    pub fn tag(self) -> Tag {
        Tag::context(match self {
            ApduKind::Invoke => 1,
            ApduKind::ReturnResult => 2,
            ApduKind::ReturnError => 3,
            ApduKind::Reject => 4,
        })
    }

    /// The name, for error texts.
    pub fn name(self) -> &'static str {
        match self {
            ApduKind::Invoke => "Invoke",
            ApduKind::ReturnResult => "ReturnResult",
            ApduKind::ReturnError => "ReturnError",
            ApduKind::Reject => "Reject",
        }
    }

    fn of(tag: Tag) -> Option<Self> {
        [ApduKind::Invoke, ApduKind::ReturnResult, ApduKind::ReturnError, ApduKind::Reject]
            .into_iter()
            .find(|kind| kind.tag() == tag)
    }
}

impl RoseApdu {
    /// Reads an APDU that is all of `octets`. Of argument, result and parameter only the outermost header is looked
    /// at, and with it whether there is exactly one encoding.
    ///
    /// # Errors
    /// Not an APDU of ROSE. The error tells what a Reject has to say.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let mut invoke_id = InvokeId::Absent;
        let mut top = Reader::new(octets);
        // Octets that are no encoding, or more than one, have no structure that could be recognized.
        let element = top.any().and_then(|element| top.finish().map(|()| element)).map_err(|source| {
            DecodeError::new(None, invoke_id, GeneralProblem::BADLY_STRUCTURED_PDU, source)
        })?;
        let Some(kind) = ApduKind::of(element.tag) else {
            let unexpected =
                ErrorKind::UnexpectedTag { expected: ApduKind::Invoke.tag(), found: element.tag };
            let source = element.error(unexpected);
            return Err(DecodeError::new(None, invoke_id, GeneralProblem::UNRECOGNIZED_PDU, source));
        };
        Self::fields(kind, &element, &mut invoke_id)
            .map_err(|source| DecodeError::new(Some(kind), invoke_id, general_problem(source.kind), source))
    }

    fn fields(kind: ApduKind, element: &Tlv<'_>, invoke_id: &mut InvokeId) -> Result<Self, Error> {
        let mut fields = element.reader()?;
        *invoke_id = InvokeId::decode(&mut fields)?;
        let invoke_id = *invoke_id;
        let apdu = match kind {
            ApduKind::Invoke => RoseApdu::Invoke(Invoke {
                invoke_id,
                linked_id: decode_linked_id(&mut fields)?,
                operation: Code::decode(&mut fields)?,
                argument: decode_optional(&mut fields)?,
            }),
            ApduKind::ReturnResult => {
                let result = match fields.optional(Tag::SEQUENCE)? {
                    Some(sequence) => {
                        let mut fields = sequence.reader()?;
                        let operation = Code::decode(&mut fields)?;
                        let value = required(&mut fields)?.raw.to_vec();
                        fields.finish()?;
                        Some(OperationResult { operation, value })
                    }
                    None => None,
                };
                RoseApdu::ReturnResult(ReturnResult { invoke_id, result })
            }
            ApduKind::ReturnError => RoseApdu::ReturnError(ReturnError {
                invoke_id,
                error: Code::decode(&mut fields)?,
                parameter: decode_optional(&mut fields)?,
            }),
            ApduKind::Reject => {
                let choice = required(&mut fields)?;
                let code = choice.integer()?;
                let problem = (choice.tag.class == ber::Class::Context)
                    .then(|| Problem::from_code(choice.tag.number, code))
                    .flatten()
                    .ok_or_else(|| unexpected(&choice, Tag::context(0)))?;
                RoseApdu::Reject(Reject { invoke_id, problem })
            }
        };
        fields.finish()?;
        Ok(apdu)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.constructed(self.kind().tag(), |w| match self {
                RoseApdu::Invoke(invoke) => {
                    invoke.invoke_id.encode(w);
                    match invoke.linked_id {
                        Some(InvokeId::Present(id)) => w.integer(LINKED_PRESENT, id),
                        Some(InvokeId::Absent) => w.null(LINKED_ABSENT),
                        None => {}
                    }
                    invoke.operation.encode(w);
                    w.raw(&invoke.argument);
                }
                RoseApdu::ReturnResult(answer) => {
                    answer.invoke_id.encode(w);
                    if let Some(result) = &answer.result {
                        w.constructed(Tag::SEQUENCE, |w| {
                            result.operation.encode(w);
                            w.raw(&result.value);
                        });
                    }
                }
                RoseApdu::ReturnError(answer) => {
                    answer.invoke_id.encode(w);
                    answer.error.encode(w);
                    w.raw(&answer.parameter);
                }
                RoseApdu::Reject(reject) => {
                    reject.invoke_id.encode(w);
                    let (choice, code) = reject.problem.code();
                    w.integer(Tag::context(choice), code);
                }
            });
        })
    }

    /// The kind.
    pub fn kind(&self) -> ApduKind {
        match self {
            RoseApdu::Invoke(_) => ApduKind::Invoke,
            RoseApdu::ReturnResult(_) => ApduKind::ReturnResult,
            RoseApdu::ReturnError(_) => ApduKind::ReturnError,
            RoseApdu::Reject(_) => ApduKind::Reject,
        }
    }
}

impl InvokeId {
    fn decode(fields: &mut Reader<'_>) -> Result<Self, Error> {
        let field = required(fields)?;
        match field.tag {
            Tag::INTEGER => field.integer().map(InvokeId::Present),
            Tag::NULL if field.primitive()?.is_empty() => Ok(InvokeId::Absent),
            Tag::NULL => Err(field.error(ErrorKind::BadContents(Tag::NULL))),
            _ => Err(unexpected(&field, Tag::INTEGER)),
        }
    }

    fn encode(self, w: &mut Writer) {
        match self {
            InvokeId::Present(id) => w.integer(Tag::INTEGER, id),
            InvokeId::Absent => w.null(Tag::NULL),
        }
    }
}

impl fmt::Display for InvokeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvokeId::Present(id) => write!(f, "{id}"),
            InvokeId::Absent => f.write_str("without identifier"),
        }
    }
}

impl Code {
    fn decode(fields: &mut Reader<'_>) -> Result<Self, Error> {
        let field = required(fields)?;
        match field.tag {
            Tag::INTEGER => field.integer().map(Code::Local),
            Tag::OBJECT_IDENTIFIER if field.contents.len() > GLOBAL_CODE_OCTETS_MAX => {
                Err(field.error(ErrorKind::BadContents(Tag::OBJECT_IDENTIFIER)))
            }
            Tag::OBJECT_IDENTIFIER => field.oid().map(Code::Global),
            _ => Err(unexpected(&field, Tag::INTEGER)),
        }
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            Code::Local(code) => w.integer(Tag::INTEGER, *code),
            Code::Global(oid) => w.oid(Tag::OBJECT_IDENTIFIER, oid),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Local(code) => write!(f, "{code}"),
            Code::Global(oid) => write!(f, "{oid}"),
        }
    }
}

fn decode_linked_id(fields: &mut Reader<'_>) -> Result<Option<InvokeId>, Error> {
    if let Some(id) = fields.optional(LINKED_PRESENT)? {
        return id.integer().map(|id| Some(InvokeId::Present(id)));
    }
    match fields.optional(LINKED_ABSENT)? {
        Some(null) if null.primitive()?.is_empty() => Ok(Some(InvokeId::Absent)),
        Some(null) => Err(null.error(ErrorKind::BadContents(LINKED_ABSENT))),
        None => Ok(None),
    }
}

fn decode_optional(fields: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    Ok(fields.next()?.map(|field| field.raw.to_vec()).unwrap_or_default())
}

/// The next field. Its absence is not the same as octets that break off: the structure is sound then.
fn required<'a>(fields: &mut Reader<'a>) -> Result<Tlv<'a>, Error> {
    let missing = fields.error(ErrorKind::Missing { expected: Tag::INTEGER });
    fields.next()?.ok_or(missing)
}

fn unexpected(field: &Tlv<'_>, expected: Tag) -> Error {
    field.error(ErrorKind::UnexpectedTag { expected, found: field.tag })
}

/// Badly structured is what breaks the encoding rules, mistyped what keeps to them but is of another type.
fn general_problem(kind: ErrorKind) -> GeneralProblem {
    match kind {
        ErrorKind::Truncated
        | ErrorKind::TagTooLarge
        | ErrorKind::LengthTooLarge
        | ErrorKind::IndefinitePrimitive
        | ErrorKind::TooDeep
        | ErrorKind::UnexpectedEoc => GeneralProblem::BADLY_STRUCTURED_PDU,
        ErrorKind::UnexpectedTag { .. }
        | ErrorKind::Missing { .. }
        | ErrorKind::TooMany { .. }
        | ErrorKind::Trailing
        | ErrorKind::NotConstructed(_)
        | ErrorKind::NotPrimitive(_)
        | ErrorKind::BadContents(_)
        | ErrorKind::IntegerTooLarge => GeneralProblem::MISTYPED_PDU,
    }
}
