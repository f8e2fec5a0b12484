//! Settings of one connector: a link to an adjacent MTA.

use std::net::IpAddr;

use mhs::p1::{ContentCoding, ExtensionCoding};
use mhs::{AddressPattern, GlobalDomainIdentifier, MtaName};

use super::{LinkRestrictions, RelayTo, Schedule, Secret, Selectors};

/// A link to an adjacent MTA.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorSettings {
    /// Unique name in files, commands and events; 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// Name that the peer gives in the bind; compared octet for octet, case included.
    pub remote_mta: MtaName,
    /// Further names that the peer may give, for an MTA with several; at most 32. Default none.
    pub remote_mta_aliases: Vec<MtaName>,
    /// Password that the peer must give; at most 64 characters. Default none: the peer is known by its name alone.
    pub remote_password: Option<Secret>,
    /// Name we give on this link in place of `mta.name`. Default none.
    pub local_mta: Option<MtaName>,
    /// Password we give on this link in place of `mta.password`; at most 64 characters. Default none.
    pub local_password: Option<Secret>,
    /// `host`, `host:port`, `[v6]` or `[v6]:port`, tried in order, port 102 by default; at most 32.
    /// May be empty only for a connector that never opens associations itself.
    pub hosts: Vec<String>,
    /// Address of this machine from which the associations that we open come, for peers and firewalls that know us by it.
    /// Addresses of the other family are then not tried. Default none: the system chooses.
    pub local_address: Option<IpAddr>,
    /// Selectors of the peer, called when we open an association. Default none.
    pub called_selectors: Selectors,
    /// Our own selectors on this link, given as calling address. Default none.
    ///
    /// Where several connectors share a peer's name, these and the peer's tell to which of them an association of the
    /// peer belongs.
    pub calling_selectors: Selectors,
    /// Form in which associations with the peer are opened by us; it may open them in any. Default
    /// [`Conformance::Normal1988`].
    pub conformance: Conformance,
    /// The management domain of the peer. What has been in that domain is not sent there again, unless somebody had a
    /// reason to send it another way since. Default none: nothing is known of it.
    pub remote_domain: Option<GlobalDomainIdentifier>,
    /// Addresses reached over this connector; at most 4096 entries.
    pub address_space: Vec<AddressSpaceEntry>,
    /// Where what comes in over this link is passed on, besides to users of this MTA. Default nowhere.
    pub relay_to: RelayTo,
    /// What may pass the link. Default everything.
    pub restrictions: LinkRestrictions,
    /// When associations are opened. Default [`Activation::Always`].
    pub activation: Activation,
    /// Urgent messages, reports and probes are sent at any time in spite of [`Activation::SelectedTimes`]. Default
    /// false.
    pub urgent_ignores_schedule: bool,
    /// An association is opened at each selected time even if nothing waits here, so that a peer which does not open
    /// any itself can send. Needs `two_way_alternate`. Default true.
    pub call_at_selected_times: bool,
    /// Until when the queue is held.
    pub hold: HoldSettings,
    /// Two-way alternate dialogue (turns are passed) in place of monologue. Default false.
    pub two_way_alternate: bool,
    /// Longest content sent over this link, in KB of 1024 octets; at least 1. Default no limit.
    pub max_message_size_kb: Option<u64>,
    /// Send deferred messages at once, for a peer that holds them itself until their time. Default false: they are held
    /// here.
    pub pass_on_deferred: bool,
    /// Leave internal trace information out of what is sent, for peers that refuse it. Default false.
    pub strip_internal_trace: bool,
    /// Leave per-domain bilateral information out of what is sent, for peers that refuse it. Default false.
    pub strip_bilateral_information: bool,
    /// Leave extensions out of what is sent that are identified by an object identifier and are not critical, for peers
    /// that refuse them. Default false.
    pub strip_private_extensions: bool,
    /// Ask for no contents back with non-delivery reports, for peers that return what nobody wants. Default false.
    pub strip_content_return_request: bool,
    /// How it is coded what is sent to the peer.
    pub form: FormSettings,
    /// Reliable transfer: checkpoints and recovery.
    pub rts: RtsSettings,
    /// What follows a failure.
    pub retry: RetrySettings,
    /// How many associations, and for how long.
    pub association: AssociationSettings,
    /// How long one transfer may take; for the confirmation of what has been sent, the time of one KB.
    pub transfer_timeout: TransferTimeouts,
}

impl ConnectorSettings {
    /// A connector with the defaults of every setting that has one, without hosts and address space.
    pub fn new(name: impl Into<String>, remote_mta: MtaName) -> Self {
        ConnectorSettings {
            name: name.into(),
            remote_mta,
            remote_mta_aliases: Vec::new(),
            remote_password: None,
            local_mta: None,
            local_password: None,
            hosts: Vec::new(),
            local_address: None,
            called_selectors: Selectors::default(),
            calling_selectors: Selectors::default(),
            conformance: Conformance::default(),
            remote_domain: None,
            address_space: Vec::new(),
            relay_to: RelayTo::default(),
            restrictions: LinkRestrictions::default(),
            activation: Activation::default(),
            urgent_ignores_schedule: false,
            call_at_selected_times: true,
            hold: HoldSettings::default(),
            two_way_alternate: false,
            max_message_size_kb: None,
            pass_on_deferred: false,
            strip_internal_trace: false,
            strip_bilateral_information: false,
            strip_private_extensions: false,
            strip_content_return_request: false,
            form: FormSettings::default(),
            rts: RtsSettings::default(),
            retry: RetrySettings::default(),
            association: AssociationSettings::default(),
            transfer_timeout: TransferTimeouts::default(),
        }
    }

    /// Every name that the peer may give in a bind.
    pub fn peer_names(&self) -> impl Iterator<Item = &MtaName> {
        std::iter::once(&self.remote_mta).chain(&self.remote_mta_aliases)
    }

    /// Whether this is a link to the MTA of this name.
    pub fn is_peer(&self, name: &str) -> bool {
        self.peer_names().any(|own| own.as_str() == name)
    }

    /// A name that the peers of both connectors may give.
    pub fn shared_name<'a>(&'a self, other: &ConnectorSettings) -> Option<&'a MtaName> {
        self.peer_names().find(|name| other.is_peer(name.as_str()))
    }
}

/// Form of P1 spoken on a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conformance {
    /// 1988 P1 over RTSE in normal mode.
    #[default]
    Normal1988,
    /// 1988 P1 over RTSE in X.410-1984 mode.
    X410In1988,
    /// 1984 P1 over RTSE in X.410-1984 mode.
    Mode1984,
}

/// How it is coded what is sent to a peer. The defaults are what the standards say; each of the others is for peers
/// that want it. Both forms of each are read from any peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormSettings {
    /// Coding of the types of extensions. Default [`ExtensionCoding::Standard`].
    pub extension_coding: ExtensionCoding,
    /// Coding of the error with which a bind of this peer is refused. Default [`BindErrorCoding::Tagged`].
    pub bind_error: BindErrorCoding,
    /// Coding of the content. Default [`ContentCoding::Whole`].
    pub content_coding: ContentCoding,
    /// TPDU size proposed when we open an association, octets: a power of two from 128 to 8192. Default 2048. When the
    /// peer opens, it proposes one itself.
    pub tpdu_size: u32,
}

impl Default for FormSettings {
    fn default() -> Self {
        FormSettings {
            extension_coding: ExtensionCoding::default(),
            bind_error: BindErrorCoding::default(),
            content_coding: ContentCoding::default(),
            tpdu_size: 2048,
        }
    }
}

/// How a bind error is coded in normal mode; X.410 mode has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BindErrorCoding {
    /// In the tag `[18]`.
    #[default]
    Tagged,
    /// A bare INTEGER.
    Bare,
}

/// One address space of a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressSpaceEntry {
    /// The addresses.
    pub space: AddressPattern,
    /// Preference among connectors which match equally well, lower first; 1 to 100. Default 1.
    pub cost: u8,
}

/// When a connector opens associations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Whenever something is to be sent.
    #[default]
    Always,
    /// Never; what is routed here waits until this changes or the message is too old.
    Never,
    /// Not by us: what waits is sent when the peer has connected. Needs two-way alternate.
    RemoteInitiated,
    /// At these times, whenever something is to be sent. An association that is open when a time ends is closed as
    /// soon as nothing is in transfer. What the peer opens is accepted at any time.
    SelectedTimes(Schedule),
}

/// How much has to wait before an association is opened. What is open is used whatever waits, and an operator can
/// have one opened at any time. With both numbers 0, the default, nothing is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldSettings {
    /// Opened when so much is queued, KB of 1024 octets; 0 (not asked for) to 1000000. Default 0.
    pub until_kb: u32,
    /// Opened when so many messages wait; 0 (not asked for) to 4000. Default 0.
    pub until_messages: u32,
    /// Opened as soon as an urgent message, a report or a probe waits. Default false.
    pub urgent_overrides: bool,
}

/// Reliable transfer (X.228).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtsSettings {
    /// Data between two checkpoints, in KB of 1024 octets; 0 (none) to 65535. Default 30.
    pub checkpoint_size_kb: u32,
    /// How long a transfer that was interrupted may be resumed where it stopped, and an association that broke be
    /// recovered, seconds; 0 to 86400. It holds for both directions, and over a restart in order. 0 switches recovery
    /// off: what was interrupted begins anew, which counts as a failed transfer. Default 60.
    pub recovery_timeout_s: u32,
    /// Checkpoints sent and not yet confirmed before sending stops; 1 to 255. Default 5.
    pub window_size: u32,
}

impl Default for RtsSettings {
    fn default() -> Self {
        RtsSettings { checkpoint_size_kb: 30, recovery_timeout_s: 60, window_size: 5 }
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Failed opens of an association after which a waiting message is rerouted or non-delivered; 1 to 10000. Default 144.
    pub max_open_retries: u32,
    /// Repetitions of the transfer of one message after a first failure; 0 to 100. Default 2.
    pub max_transfer_retries: u32,
    /// Wait after a failed open before the next, seconds; 1 to 86400. Default 600.
    pub open_interval_s: u32,
    /// Wait after a failed transfer before the same message is sent again, seconds; 0 to 86400. Default 120.
    pub transfer_interval_s: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            max_open_retries: 144,
            max_transfer_retries: 2,
            open_interval_s: 600,
            transfer_interval_s: 120,
        }
    }
}

/// How many associations, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssociationSettings {
    /// How long an idle association is kept, seconds; 0 to 86400. Default 300.
    pub lifetime_s: u32,
    /// How long an orderly end may take before the connection is dropped, seconds; 1 to 3600. Default 120.
    pub disconnect_s: u32,
    /// Messages waiting per open association that make one more be opened; 1 to 100000. Default 50.
    pub threshold_messages: u32,
    /// Most associations opened at once; 1 to 100. With two or more the last is reserved for urgent messages and
    /// reports. Default 10.
    pub max_associations: u32,
}

impl Default for AssociationSettings {
    fn default() -> Self {
        AssociationSettings {
            lifetime_s: 300,
            disconnect_s: 120,
            threshold_messages: 50,
            max_associations: 10,
        }
    }
}

/// Longest time that the transfer of one message may take, per KB of 1024 octets begun, by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferTimeouts {
    /// Urgent messages and reports, seconds per KB; 1 to 100000. Default 1000.
    pub urgent_s_per_kb: u32,
    /// Normal messages, seconds per KB; 1 to 100000. Default 2000.
    pub normal_s_per_kb: u32,
    /// Non-urgent messages, seconds per KB; 1 to 100000. Default 3000.
    pub non_urgent_s_per_kb: u32,
}

impl Default for TransferTimeouts {
    fn default() -> Self {
        TransferTimeouts { urgent_s_per_kb: 1_000, normal_s_per_kb: 2_000, non_urgent_s_per_kb: 3_000 }
    }
}
