/// Settings of remote operations on one association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoseConfig {
    /// Which end of the association this is.
    pub role: Role,
    /// Which ends may invoke operations.
    pub association_class: AssociationClass,
    /// Most invocations of ours that may be outstanding; one more is refused to the user.
    pub outgoing_max: usize,
    /// Most invocations of the peer's that may be outstanding; one more is rejected for resource limitation.
    pub incoming_max: usize,
    /// Most APDUs that may wait for their transfer before requests are refused. Rejects are still added up to twice as
    /// many; a peer that provokes more without letting them through loses the association.
    pub waiting_max: usize,
    /// Whether the peer may invoke without an invoke identifier. The abstract syntaxes of P3 and P7 forbid it.
    pub absent_ids: bool,
}

impl RoseConfig {
    /// The settings for P3 and P7: both ends invoke, 32 invocations each way.
    pub fn new(role: Role) -> Self {
        RoseConfig {
            role,
            association_class: AssociationClass::BothInvoke,
            outgoing_max: 32,
            incoming_max: 32,
            waiting_max: 128,
            absent_ids: false,
        }
    }
}

/// An end of the association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It opened the association.
    Initiator,
    /// It was called.
    Responder,
}

/// Association class (X.219): who may invoke operations that are no children of others. A child may be invoked by
/// whoever performs its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssociationClass {
    /// Class 1: the association initiator only.
    InitiatorInvokes,
    /// Class 2: the association responder only.
    ResponderInvokes,
    /// Class 3: both.
    BothInvoke,
}

impl AssociationClass {
    /// Whether this end may invoke an operation that is no child.
    pub fn may_invoke(self, role: Role) -> bool {
        match (self, role) {
            (AssociationClass::InitiatorInvokes, Role::Initiator)
            | (AssociationClass::ResponderInvokes, Role::Responder)
            | (AssociationClass::BothInvoke, Role::Initiator | Role::Responder) => true,
            (AssociationClass::InitiatorInvokes, Role::Responder)
            | (AssociationClass::ResponderInvokes, Role::Initiator) => false,
        }
    }
}

impl Role {
    /// The other end.
    pub fn other(self) -> Role {
        match self {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        }
    }
}
