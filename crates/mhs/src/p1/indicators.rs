//! Bit strings of the envelope: per-message and per-recipient indicators (X.411).
//!
//! A bit that is set or cleared never changes the length of the string if the bit is within it: some MTAs
//! send nine bits and want nine back.

use ber::BitString;

/// PerMessageIndicators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerMessageIndicators(pub BitString);

/// PerRecipientIndicators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerRecipientIndicators(pub BitString);

/// What the originator wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginatorReport {
    /// Nothing.
    None,
    /// Non-delivery.
    NonDelivery,
    /// Delivery and non-delivery.
    Report,
}

/// What the originating MTA wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OriginatingMtaReport {
    /// Neither bit: illegal, seen nevertheless.
    None,
    /// Non-delivery.
    NonDelivery,
    /// Delivery and non-delivery.
    Report,
    /// Delivery and non-delivery, with trace.
    Audited,
}

impl PerMessageIndicators {
    const NAMES: [&'static str; 8] = [
        "disclosure-of-other-recipients",
        "implicit-conversion-prohibited",
        "alternate-recipient-allowed",
        "content-return-request",
        "reserved",
        "bit-5",
        "bit-6",
        "service-message",
    ];

    /// Other recipients may be shown to each recipient.
    pub fn disclosure_of_other_recipients(&self) -> bool {
        self.0.bit(0)
    }

    /// The content must not be converted unless asked for.
    pub fn implicit_conversion_prohibited(&self) -> bool {
        self.0.bit(1)
    }

    /// The recipient domain may deliver to an alternate recipient.
    pub fn alternate_recipient_allowed(&self) -> bool {
        self.0.bit(2)
    }

    /// The content is wanted back with a non-delivery report.
    pub fn content_return_request(&self) -> bool {
        self.0.bit(3)
    }

    /// Sets or clears a bit; `number` as in X.411.
    pub fn set(&mut self, number: usize, on: bool) {
        set(&mut self.0, number, on);
    }

    /// Names of the bits that are one.
    pub fn names(&self) -> Vec<String> {
        names(&self.0, &Self::NAMES)
    }
}

impl PerRecipientIndicators {
    const NAMES: [&'static str; 8] = [
        "responsibility",
        "originating-MTA-report",
        "originating-MTA-non-delivery-report",
        "originator-report",
        "originator-non-delivery-report",
        "reserved-5",
        "reserved-6",
        "reserved-7",
    ];

    /// Eight bits.
    pub fn new(responsibility: bool, mta: OriginatingMtaReport, originator: OriginatorReport) -> Self {
        let (report, non_delivery) = match mta {
            OriginatingMtaReport::None => (false, false),
            OriginatingMtaReport::NonDelivery => (false, true),
            OriginatingMtaReport::Report => (true, false),
            OriginatingMtaReport::Audited => (true, true),
        };
        let mut bits = BitString { unused: 0, octets: [0][..].into() };
        bits.set(0, responsibility);
        bits.set(1, report);
        bits.set(2, non_delivery);
        bits.set(3, originator == OriginatorReport::Report);
        bits.set(4, originator == OriginatorReport::NonDelivery);
        PerRecipientIndicators(bits)
    }

    /// Whether the MTA that receives this copy has to deal with the recipient.
    pub fn responsibility(&self) -> bool {
        self.0.bit(0)
    }

    /// Sets or clears the responsibility bit; the others and the length stay.
    pub fn set_responsibility(&mut self, on: bool) {
        set(&mut self.0, 0, on);
    }

    /// What the originating MTA wants to be told.
    pub fn originating_mta_report(&self) -> OriginatingMtaReport {
        match (self.0.bit(1), self.0.bit(2)) {
            (false, false) => OriginatingMtaReport::None,
            (false, true) => OriginatingMtaReport::NonDelivery,
            (true, false) => OriginatingMtaReport::Report,
            (true, true) => OriginatingMtaReport::Audited,
        }
    }

    /// What the originator wants to be told. Both bits, which is illegal, are taken for the larger wish.
    pub fn originator_report(&self) -> OriginatorReport {
        match (self.0.bit(3), self.0.bit(4)) {
            (true, _) => OriginatorReport::Report,
            (false, true) => OriginatorReport::NonDelivery,
            (false, false) => OriginatorReport::None,
        }
    }

    /// Names of the bits that are one.
    pub fn names(&self) -> Vec<String> {
        names(&self.0, &Self::NAMES)
    }
}

fn set(bits: &mut BitString, number: usize, on: bool) {
    // Clearing a bit that is not there changes nothing, so it must not lengthen the string either.
    if bits.bit(number) != on {
        bits.set(number, on);
    }
}

fn names(bits: &BitString, known: &[&str]) -> Vec<String> {
    (0..bits.octets.len().min(8) * 8)
        .filter(|&n| bits.bit(n))
        .map(|n| known.get(n).map_or_else(|| format!("bit-{n}"), |&name| name.to_owned()))
        .collect()
}
