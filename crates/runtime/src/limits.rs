//! Limits and timers of the runtime that belong to no single connector.

use std::time::Duration;

use agent::settings::{Conformance, ConnectorSettings, Selectors, ServedSelectors};
use mhs::p1::Limits;
use osi::cotp::TpduSize;
use osi::rtse::{DialogueMode, Mode};
use osi::stack::{SelectorSet, StackConfig};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::alarms::QueueAlarm;
use crate::application::{MTS_TRANSFER_PROTOCOL, MTS_TRANSFER_PROTOCOL_1984, p1_application};
use crate::status::ResourceLimits;

/// Limits of one MTA process.
#[derive(Clone, Debug)]
pub struct RuntimeLimits {
    /// Associations of all connectors together, those being opened included. Default 1,000.
    pub max_associations: usize,
    /// Of these, how many each connector has for itself, whatever others hold. Default 2: one for ordinary messages, one
    /// for urgent ones. With more connectors than there is room for, it is less.
    pub reserved_associations: usize,
    /// Octets that may wait in the buffers of all associations together before each of them is kept short. Default
    /// 64 MiB.
    pub buffer_octets: u64,
    /// How long a TCP connection may take to be made. Default 30 s.
    pub connect_timeout: Duration,
    /// How long a peer may take from the connection to the end of the bind. Default 60 s.
    pub bind_timeout: Duration,
    /// Silence after which TCP asks whether the peer is still there; it asks four times, a quarter of this apart.
    /// Default 60 s.
    pub tcp_keepalive: Duration,
    /// How long octets may stand unacknowledged by the peer's TCP before the connection counts as lost. Default
    /// 120 s.
    pub tcp_user_timeout: Duration,
    /// How long an association that has something to transfer may take for 1,024 octets, in or out, before it is
    /// ended; a peer that takes no octet for so long is gone as well. The wait for the confirmation of what the peer has
    /// as a whole is another matter, and at least as long. Default 300 s.
    pub progress_timeout: Duration,
    /// How long a decision about an item may take before that counts as a failure; three of these, and it goes into
    /// quarantine. Others never wait for it. Default 60 s.
    pub processing_timeout: Duration,
    /// When the work queue is told to be long. Never by default.
    pub work_queue_alarm: QueueAlarm,
    /// The same for the queue of each connector.
    pub outbound_queue_alarm: QueueAlarm,
    /// Limits on P1 APDUs.
    pub apdu: Limits,
}

impl Default for RuntimeLimits {
    fn default() -> Self {
        RuntimeLimits {
            max_associations: 1_000,
            reserved_associations: 2,
            buffer_octets: 64 << 20,
            connect_timeout: Duration::from_secs(30),
            bind_timeout: Duration::from_secs(60),
            tcp_keepalive: Duration::from_secs(60),
            tcp_user_timeout: Duration::from_secs(120),
            progress_timeout: Duration::from_secs(300),
            processing_timeout: Duration::from_secs(60),
            work_queue_alarm: QueueAlarm::default(),
            outbound_queue_alarm: QueueAlarm::default(),
            apdu: Limits::default(),
        }
    }
}

impl RuntimeLimits {
    /// These limits, but what is shared out at the start as it is in `others`: places for associations, and room for what
    /// they hold.
    #[must_use]
    pub fn with_resources_of(self, others: &RuntimeLimits) -> RuntimeLimits {
        RuntimeLimits {
            max_associations: others.max_associations,
            reserved_associations: others.reserved_associations,
            buffer_octets: others.buffer_octets,
            ..self
        }
    }

    /// Whether what is shared out at the start is the same.
    pub fn has_resources_of(&self, others: &RuntimeLimits) -> bool {
        self.max_associations == others.max_associations
            && self.reserved_associations == others.reserved_associations
            && self.buffer_octets == others.buffer_octets
    }

    /// Protocol settings of an association that a connector opens.
    pub(crate) fn initiator_stack(&self, connector: &ConnectorSettings) -> StackConfig {
        let mut config = self.responder_stack(&[]);
        config.local = selectors(&connector.calling_selectors);
        config.remote = selectors(&connector.called_selectors);
        config.rtse.mode = match connector.conformance {
            Conformance::Normal1988 => Mode::Normal1988,
            Conformance::X410In1988 => Mode::X410 { application_protocol: MTS_TRANSFER_PROTOCOL },
            Conformance::Mode1984 => Mode::X410 { application_protocol: MTS_TRANSFER_PROTOCOL_1984 },
        };
        let tpdu_size = usize::try_from(connector.form.tpdu_size).ok().and_then(TpduSize::at_most);
        config.tpdu_size_offered = tpdu_size.unwrap_or(TpduSize::OCTETS_2048);
        config.rtse.checkpoint_size_kb = connector.rts.checkpoint_size_kb;
        config.rtse.window_size = connector.rts.window_size.max(1);
        config.rtse.release_timeout = Duration::from_secs(u64::from(connector.association.disconnect_s));
        config.rtse.dialogue_mode =
            if connector.two_way_alternate { DialogueMode::TwoWayAlternate } else { DialogueMode::Monologue };
        config
    }

    /// Protocol settings of an association that a peer opens. Who it is comes out with the bind, so these hold for
    /// all peers: the most that is agreed to. Checkpoint size and window are lowered when it has bound. `served` are the addresses which may be called.
    pub(crate) fn responder_stack(&self, served: &[ServedSelectors]) -> StackConfig {
        let mut config = StackConfig::new(p1_application());
        config.served = served.iter().map(address).collect();
        config.rtse.application_protocols = vec![MTS_TRANSFER_PROTOCOL, MTS_TRANSFER_PROTOCOL_1984];
        config.rtse.open_timeout = self.bind_timeout;
        config.rtse.dialogue_mode = DialogueMode::TwoWayAlternate;
        // Whatever the peer proposes, until its bind tells which connector's values hold.
        config.rtse.checkpoint_size_kb = 0;
        config.rtse.window_size = u32::MAX;
        config
    }
}

impl RuntimeLimits {
    /// The budgets of the resource ledger.
    pub(crate) fn resources(&self) -> ResourceLimits {
        ResourceLimits {
            slots: self.max_associations as u64,
            slots_reserved: self.reserved_associations as u64,
            octets: self.buffer_octets,
        }
    }

    /// Makes TCP find out that a peer has vanished, and send small PDUs at once.
    pub(crate) fn apply(&self, socket: &TcpStream) -> std::io::Result<()> {
        // Each PDU waits for its answer here; Nagle's algorithm would add a delay to it.
        socket.set_nodelay(true)?;
        let socket = SockRef::from(socket);
        let probes = TcpKeepalive::new()
            .with_time(self.tcp_keepalive)
            .with_interval((self.tcp_keepalive / 4).max(Duration::from_secs(1)))
            .with_retries(4);
        socket.set_tcp_keepalive(&probes)?;
        socket.set_tcp_user_timeout(Some(self.tcp_user_timeout))
    }
}

fn address(settings: &ServedSelectors) -> osi::stack::ServedSelectors {
    osi::stack::ServedSelectors {
        transport: settings.transport.clone(),
        session: settings.session.clone(),
        presentation: settings.presentation.clone(),
    }
}

fn selectors(settings: &Selectors) -> SelectorSet {
    SelectorSet {
        transport: settings.transport.clone(),
        session: settings.session.clone(),
        presentation: settings.presentation.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_association_that_we_open_has_the_settings_of_its_connector() {
        let name = mhs::MtaName::new("PEER").unwrap_or_else(|e| panic!("{e}"));
        let mut connector = ConnectorSettings::new("peer", name);
        let limits = RuntimeLimits::default();
        let rtse = limits.initiator_stack(&connector).rtse;
        assert_eq!(rtse.release_timeout, Duration::from_secs(120));
        assert_eq!((rtse.checkpoint_size_kb, rtse.window_size), (30, 5));
        assert_eq!((rtse.mode, rtse.dialogue_mode), (Mode::Normal1988, DialogueMode::Monologue));
        connector.association.disconnect_s = 7;
        connector.rts.checkpoint_size_kb = 0;
        connector.rts.window_size = 9;
        connector.two_way_alternate = true;
        connector.conformance = Conformance::Mode1984;
        let rtse = limits.initiator_stack(&connector).rtse;
        assert_eq!(rtse.release_timeout, Duration::from_secs(7));
        assert_eq!((rtse.checkpoint_size_kb, rtse.window_size), (0, 9));
        let mode = Mode::X410 { application_protocol: MTS_TRANSFER_PROTOCOL_1984 };
        assert_eq!((rtse.mode, rtse.dialogue_mode), (mode, DialogueMode::TwoWayAlternate));
    }
}
