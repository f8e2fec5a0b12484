//! Protocol machine of one transport connection of class 0.

use alloc::vec::Vec;

use clock::MonoTime;

use super::open::Open;
use super::service::CotpState;
use super::tpdu::{Connect, DrReason, ErCause, Tpdu, TpduSize};
use super::{
    CotpAction, CotpConfig, CotpError, CotpEvent, TDisconnect, TDisconnectReason, TIndication, TRequest,
};

/// Our end's reference. A TCP connection carries one transport connection, so one value serves all.
const REFERENCE: u16 = 1;
/// Octets of a rejected TPDU that an ER returns at most: the header of ER must stay below 255 octets.
const REJECTED_OCTETS_MAX: usize = 240;

/// Protocol machine of one transport connection.
#[derive(Clone, Debug)]
pub struct Cotp {
    config: CotpConfig,
    user_is_open: bool,
    /// Longest TSDU that is given whole, if longer ones are given in pieces.
    pass_on_above: Option<usize>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Initiator: no TCP connection yet.
    AwaitStart,
    /// Initiator: CR sent.
    AwaitCc {
        deadline: MonoTime,
    },
    /// Responder: no CR yet.
    AwaitCr {
        deadline: Option<MonoTime>,
    },
    /// Responder: CR indicated, the user has to answer.
    AwaitUser {
        request: Connect,
    },
    Open(Open),
    Closed,
}

impl State {
    fn kind(&self) -> CotpState {
        match self {
            State::AwaitStart => CotpState::NotStarted,
            State::AwaitCc { .. } => CotpState::AwaitCc,
            State::AwaitCr { .. } => CotpState::AwaitCr,
            State::AwaitUser { .. } => CotpState::AwaitUser,
            State::Open(_) => CotpState::Open,
            State::Closed => CotpState::Closed,
        }
    }

    fn name(&self) -> &'static str {
        self.kind().name()
    }

    fn peer_reference(&self) -> u16 {
        match self {
            State::AwaitUser { request } => request.source,
            State::Open(open) => open.peer_reference,
            State::AwaitStart | State::AwaitCc { .. } | State::AwaitCr { .. } | State::Closed => 0,
        }
    }
}

impl Cotp {
    /// A machine that sends CR once TCP is up.
    pub fn initiator(config: CotpConfig) -> Self {
        Cotp { config, user_is_open: false, pass_on_above: None, state: State::AwaitStart }
    }

    /// A machine that waits for CR.
    pub fn responder(config: CotpConfig) -> Self {
        Cotp { config, user_is_open: false, pass_on_above: None, state: State::AwaitCr { deadline: None } }
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// See [`CotpError`]. Except for [`CotpError::RequestOutOfState`] the machine is closed then, and `out`
    /// holds the TPDU that is due to the peer, if any, and [`CotpAction::Close`]; no indication is given.
    pub fn handle(
        &mut self,
        now: MonoTime,
        event: CotpEvent<'_>,
        out: &mut Vec<CotpAction>,
    ) -> Result<(), CotpError> {
        match event {
            CotpEvent::Start => self.start(now, out),
            CotpEvent::Tpdu(octets) => {
                if matches!(self.state, State::Closed) {
                    return Ok(());
                }
                Tpdu::decode(octets)
                    .map_err(CotpError::from)
                    .and_then(|tpdu| self.tpdu(tpdu, out))
                    .inspect_err(|error| self.fail(error, octets, out))
            }
            CotpEvent::Request(request) => self.request(request, out),
            CotpEvent::TransportClosed => {
                self.disconnected(TDisconnectReason::Closed, out);
                Ok(())
            }
            CotpEvent::Deadline => {
                if self.deadline().is_none_or(|deadline| now < deadline) {
                    return Ok(());
                }
                let error = CotpError::Timeout { state: self.state.name() };
                self.close(out);
                Err(error)
            }
        }
    }

    /// Takes TSDUs of up to so many octets from now on. A longer one still ends the connection. Without effect after
    /// [`Cotp::user_is_open`].
    pub fn set_max_tsdu(&mut self, octets: usize) {
        if !self.user_is_open {
            self.config.max_tsdu = octets;
        }
    }

    /// The user's own connection is open. From now on TSDUs of up to so many octets are taken, and a longer one no
    /// longer ends the transport connection: the user can tell its peer what is wrong.
    pub fn user_is_open(&mut self, max_tsdu: usize) {
        self.config.max_tsdu = max_tsdu;
        self.user_is_open = true;
    }

    /// From now on a TSDU longer than so many octets is given in pieces ([`TIndication::DataPart`]), and none is too
    /// long.
    pub fn pass_on(&mut self, above: usize) {
        self.pass_on_above = Some(above);
    }

    /// Octets that are here of a TSDU which is not whole yet, and has not been given in pieces.
    pub fn partial_octets(&self) -> usize {
        match &self.state {
            State::Open(open) => open.partial_octets(),
            State::AwaitStart
            | State::AwaitCc { .. }
            | State::AwaitCr { .. }
            | State::AwaitUser { .. }
            | State::Closed => 0,
        }
    }

    /// When [`CotpEvent::Deadline`] is due.
    pub fn deadline(&self) -> Option<MonoTime> {
        match self.state {
            State::AwaitCc { deadline } => Some(deadline),
            State::AwaitCr { deadline } => deadline,
            State::AwaitStart | State::AwaitUser { .. } | State::Open(_) | State::Closed => None,
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> CotpState {
        self.state.kind()
    }

    /// Size of TPDUs that was agreed on, in octets, while the connection is open.
    pub fn tpdu_octets(&self) -> Option<usize> {
        match &self.state {
            State::Open(open) => Some(open.tpdu_octets()),
            State::AwaitStart
            | State::AwaitCc { .. }
            | State::AwaitCr { .. }
            | State::AwaitUser { .. }
            | State::Closed => None,
        }
    }

    /// Whether nothing more will happen.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn start(&mut self, now: MonoTime, out: &mut Vec<CotpAction>) -> Result<(), CotpError> {
        let limit = now + self.config.connect_timeout;
        match &mut self.state {
            State::AwaitStart => {
                let some = |selector: &Vec<u8>| (!selector.is_empty()).then(|| selector.clone());
                let cr = Tpdu::Cr(Connect {
                    source: REFERENCE,
                    tpdu_size: Some(self.config.tpdu_size.min(TpduSize::MAX)),
                    preferred_size: (self.config.tpdu_size > TpduSize::MAX)
                        .then(|| self.config.tpdu_size.preferred()),
                    calling_selector: some(&self.config.calling_selector),
                    called_selector: some(&self.config.called_selector),
                    ..Connect::default()
                });
                match cr.encode() {
                    Ok(cr) => {
                        out.push(CotpAction::Tpdu(cr));
                        self.state = State::AwaitCc { deadline: limit };
                        Ok(())
                    }
                    Err(error) => {
                        self.close(out);
                        Err(error.into())
                    }
                }
            }
            State::AwaitCr { deadline: deadline @ None } => {
                *deadline = Some(limit);
                Ok(())
            }
            State::AwaitCr { deadline: Some(_) }
            | State::AwaitCc { .. }
            | State::AwaitUser { .. }
            | State::Open(_)
            | State::Closed => {
                Err(CotpError::RequestOutOfState { request: "start", state: self.state.name() })
            }
        }
    }

    fn tpdu(&mut self, tpdu: Tpdu, out: &mut Vec<CotpAction>) -> Result<(), CotpError> {
        match (&mut self.state, tpdu) {
            (State::AwaitCr { .. }, Tpdu::Cr(request)) => {
                if request.class != 0 && !request.class_0_alternative {
                    return Err(CotpError::Class { class: request.class });
                }
                out.push(CotpAction::Indication(TIndication::Connect {
                    calling: request.calling_selector.clone().unwrap_or_default(),
                    called: request.called_selector.clone().unwrap_or_default(),
                }));
                self.state = State::AwaitUser { request };
                Ok(())
            }
            (State::AwaitCc { .. }, Tpdu::Cc(confirm)) => {
                if confirm.destination != REFERENCE {
                    return Err(CotpError::Reference { found: confirm.destination, expected: REFERENCE });
                }
                if confirm.class != 0 {
                    return Err(CotpError::Class { class: confirm.class });
                }
                let size = self.confirmed_octets(&confirm);
                self.state = State::Open(Open::new(confirm.source, size));
                out.push(CotpAction::Indication(TIndication::Confirm));
                Ok(())
            }
            (State::Open(open), Tpdu::Dt { end_of_tsdu, data }) => {
                if let Some(above) = self.pass_on_above {
                    open.pass_on(end_of_tsdu, data, above, out);
                    return Ok(());
                }
                let limit = self.config.max_tsdu;
                if open.take(end_of_tsdu, data, limit, out) {
                    return Ok(());
                }
                if !self.user_is_open {
                    return Err(CotpError::TsduTooLong { limit });
                }
                out.push(CotpAction::Indication(TIndication::TooLong { limit }));
                Ok(())
            }
            // DR answers CR; some send it, too, before they close an open connection.
            (
                State::AwaitCc { .. } | State::AwaitCr { .. } | State::AwaitUser { .. } | State::Open(_),
                Tpdu::Dr { reason, .. },
            ) => {
                self.disconnected(TDisconnectReason::Dr(reason), out);
                out.push(CotpAction::Close);
                Ok(())
            }
            (
                State::AwaitCc { .. } | State::AwaitCr { .. } | State::AwaitUser { .. } | State::Open(_),
                Tpdu::Er { cause, .. },
            ) => {
                self.disconnected(TDisconnectReason::Er(cause), out);
                out.push(CotpAction::Close);
                Ok(())
            }
            (
                state @ (State::AwaitStart
                | State::AwaitCc { .. }
                | State::AwaitCr { .. }
                | State::AwaitUser { .. }
                | State::Open(_)
                | State::Closed),
                tpdu @ (Tpdu::Cr(_) | Tpdu::Cc(_) | Tpdu::Dr { .. } | Tpdu::Dt { .. } | Tpdu::Er { .. }),
            ) => Err(CotpError::UnexpectedTpdu { tpdu: tpdu.name(), state: state.name() }),
        }
    }

    fn request(&mut self, request: TRequest, out: &mut Vec<CotpAction>) -> Result<(), CotpError> {
        match (&mut self.state, request) {
            (State::AwaitUser { request }, TRequest::Accept) => {
                let (tpdu_size, preferred_size, octets) = answer(request, self.config.tpdu_size);
                let cc = Tpdu::Cc(Connect {
                    destination: request.source,
                    source: REFERENCE,
                    tpdu_size,
                    preferred_size,
                    ..Connect::default()
                });
                let cc = cc.encode()?;
                self.state = State::Open(Open::new(request.source, octets));
                out.push(CotpAction::Tpdu(cc));
                Ok(())
            }
            (State::AwaitUser { request }, TRequest::Refuse { reason }) => {
                let destination = request.source;
                out.extend(refusal(destination, reason));
                self.close(out);
                Ok(())
            }
            (State::Open(open), TRequest::Data(tsdu)) if !open.is_in_tsdu() => {
                open.send(tsdu, true, out);
                Ok(())
            }
            (State::Open(open), TRequest::DataPart { octets, last }) => {
                open.send(octets, last, out);
                Ok(())
            }
            (
                State::AwaitStart
                | State::AwaitCc { .. }
                | State::AwaitCr { .. }
                | State::AwaitUser { .. }
                | State::Open(_),
                TRequest::Disconnect,
            ) => {
                self.close(out);
                Ok(())
            }
            (
                state @ (State::AwaitStart
                | State::AwaitCc { .. }
                | State::AwaitCr { .. }
                | State::AwaitUser { .. }
                | State::Open(_)
                | State::Closed),
                request @ (TRequest::Accept
                | TRequest::Refuse { .. }
                | TRequest::Data(_)
                | TRequest::DataPart { .. }
                | TRequest::Disconnect),
            ) => Err(CotpError::RequestOutOfState { request: request.name(), state: state.name() }),
        }
    }

    /// Octets of a TPDU that our CR and this answer to it settle.
    fn confirmed_octets(&self, confirm: &Connect) -> usize {
        let ours = self.config.tpdu_size;
        match confirm.preferred_size {
            Some(units) if ours > TpduSize::MAX => TpduSize::preferred_octets(units.min(ours.preferred())),
            // A CC without a size leaves it open whether the peer means 128 octets (X.224) or 65 531
            // (RFC 1006); every known peer takes 2048. One that chooses more than was offered has taken the offer
            // too; what it then sends is taken in any size. A preferred size that was not offered says nothing.
            Some(_) | None => {
                confirm.tpdu_size.unwrap_or(TpduSize::OCTETS_2048).min(ours).min(TpduSize::MAX).octets()
            }
        }
    }

    /// Tells the peer of an error of its own, then closes. Class 0 has ER for this; only a CR that asks for
    /// something that can't be had is answered by DR.
    fn fail(&mut self, error: &CotpError, tpdu: &[u8], out: &mut Vec<CotpAction>) {
        let destination = self.state.peer_reference();
        let cause = match error {
            CotpError::Tpdu(error) => error.er_cause(),
            CotpError::UnexpectedTpdu { .. } => ErCause::INVALID_TPDU_TYPE,
            CotpError::Class { .. } if matches!(self.state, State::AwaitCr { .. }) => {
                // The CR has been decoded once; its reference stands in octets 4 and 5.
                let destination = match tpdu {
                    [_, _, _, _, high, low, ..] => u16::from_be_bytes([*high, *low]),
                    _ => 0,
                };
                out.extend(refusal(destination, DrReason::NEGOTIATION_FAILED));
                self.close(out);
                return;
            }
            CotpError::Class { .. }
            | CotpError::Reference { .. }
            | CotpError::TsduTooLong { .. }
            | CotpError::Timeout { .. }
            | CotpError::RequestOutOfState { .. } => ErCause::NOT_SPECIFIED,
        };
        let header = tpdu.first().map_or(0, |&li| usize::from(li) + 1).min(REJECTED_OCTETS_MAX);
        let invalid = tpdu.get(..header).unwrap_or(tpdu).to_vec();
        out.extend(Tpdu::Er { destination, cause, invalid }.encode().ok().map(CotpAction::Tpdu));
        self.close(out);
    }

    /// The other side ended the connection.
    fn disconnected(&mut self, reason: TDisconnectReason, out: &mut Vec<CotpAction>) {
        let established = match self.state {
            State::Closed => return,
            State::Open(_) => true,
            State::AwaitStart | State::AwaitCc { .. } | State::AwaitCr { .. } | State::AwaitUser { .. } => {
                false
            }
        };
        self.state = State::Closed;
        out.push(CotpAction::Indication(TIndication::Disconnect(TDisconnect { established, reason })));
    }

    fn close(&mut self, out: &mut Vec<CotpAction>) {
        self.state = State::Closed;
        out.push(CotpAction::Close);
    }
}

/// The DR that refuses a connection. Its header is of fixed length, so there is always one.
fn refusal(destination: u16, reason: u8) -> Option<CotpAction> {
    let dr = Tpdu::Dr { destination, source: 0, reason, information: Vec::new() };
    dr.encode().ok().map(CotpAction::Tpdu)
}

/// The TPDU size parameters that answer a CR, and the octets of a TPDU that they settle. An answer may only lower what
/// was offered. Where no size was offered none is answered: what that means is open (see the initiator's side), so
/// send what every known peer takes.
fn answer(request: &Connect, ours: TpduSize) -> (Option<TpduSize>, Option<u32>, usize) {
    match (request.preferred_size, request.tpdu_size) {
        (Some(offered), _) => {
            let units = offered.min(ours.preferred());
            (None, Some(units), TpduSize::preferred_octets(units))
        }
        (None, Some(offered)) => {
            let size = offered.min(ours);
            (Some(size), None, size.octets())
        }
        (None, None) => (None, None, ours.min(TpduSize::OCTETS_2048).octets()),
    }
}
