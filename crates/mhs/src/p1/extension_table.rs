//! The standard extensions of X.411 (and X.413, X.420) by number.

/// A standard extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardExtension {
    /// Its number.
    pub number: i64,
    /// Its name in the Recommendation.
    pub name: &'static str,
}

/// The standard extension with this number; `None` if none has it.
pub fn standard_extension(number: i64) -> Option<&'static StandardExtension> {
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    TABLE.get(index)
}

macro_rules! table {
    ($($constant:ident = $number:literal $name:literal;)*) => {
        #[allow(missing_docs, reason = "the constants carry the names of the extensions")]
        impl StandardExtension {
            $(pub const $constant: i64 = $number;)*
        }

        static TABLE: &[StandardExtension] = &[$(StandardExtension { number: $number, name: $name }),*];
    };
}

table! {
    RECIPIENT_REASSIGNMENT_PROHIBITED = 1 "recipient-reassignment-prohibited";
    ORIGINATOR_REQUESTED_ALTERNATE_RECIPIENT = 2 "originator-requested-alternate-recipient";
    DL_EXPANSION_PROHIBITED = 3 "dl-expansion-prohibited";
    CONVERSION_WITH_LOSS_PROHIBITED = 4 "conversion-with-loss-prohibited";
    LATEST_DELIVERY_TIME = 5 "latest-delivery-time";
    REQUESTED_DELIVERY_METHOD = 6 "requested-delivery-method";
    PHYSICAL_FORWARDING_PROHIBITED = 7 "physical-forwarding-prohibited";
    PHYSICAL_FORWARDING_ADDRESS_REQUEST = 8 "physical-forwarding-address-request";
    PHYSICAL_DELIVERY_MODES = 9 "physical-delivery-modes";
    REGISTERED_MAIL_TYPE = 10 "registered-mail-type";
    RECIPIENT_NUMBER_FOR_ADVICE = 11 "recipient-number-for-advice";
    PHYSICAL_RENDITION_ATTRIBUTES = 12 "physical-rendition-attributes";
    ORIGINATOR_RETURN_ADDRESS = 13 "originator-return-address";
    PHYSICAL_DELIVERY_REPORT_REQUEST = 14 "physical-delivery-report-request";
    ORIGINATOR_CERTIFICATE = 15 "originator-certificate";
    MESSAGE_TOKEN = 16 "message-token";
    CONTENT_CONFIDENTIALITY_ALGORITHM_IDENTIFIER = 17 "content-confidentiality-algorithm-identifier";
    CONTENT_INTEGRITY_CHECK = 18 "content-integrity-check";
    MESSAGE_ORIGIN_AUTHENTICATION_CHECK = 19 "message-origin-authentication-check";
    MESSAGE_SECURITY_LABEL = 20 "message-security-label";
    PROOF_OF_SUBMISSION_REQUEST = 21 "proof-of-submission-request";
    PROOF_OF_DELIVERY_REQUEST = 22 "proof-of-delivery-request";
    CONTENT_CORRELATOR = 23 "content-correlator";
    PROBE_ORIGIN_AUTHENTICATION_CHECK = 24 "probe-origin-authentication-check";
    REDIRECTION_HISTORY = 25 "redirection-history";
    DL_EXPANSION_HISTORY = 26 "dl-expansion-history";
    PHYSICAL_FORWARDING_ADDRESS = 27 "physical-forwarding-address";
    RECIPIENT_CERTIFICATE = 28 "recipient-certificate";
    PROOF_OF_DELIVERY = 29 "proof-of-delivery";
    ORIGINATOR_AND_DL_EXPANSION_HISTORY = 30 "originator-and-DL-expansion-history";
    REPORTING_DL_NAME = 31 "reporting-DL-name";
    REPORTING_MTA_CERTIFICATE = 32 "reporting-MTA-certificate";
    REPORT_ORIGIN_AUTHENTICATION_CHECK = 33 "report-origin-authentication-check";
    ORIGINATING_MTA_CERTIFICATE = 34 "originating-MTA-certificate";
    PROOF_OF_SUBMISSION = 35 "proof-of-submission";
    FORWARDING_REQUEST = 36 "forwarding-request";
    TRACE_INFORMATION = 37 "trace-information";
    INTERNAL_TRACE_INFORMATION = 38 "internal-trace-information";
    REPORTING_MTA_NAME = 39 "reporting-MTA-name";
    MULTIPLE_ORIGINATOR_CERTIFICATES = 40 "multiple-originator-certificates";
    BLIND_COPY_RECIPIENTS = 41 "blind-copy-recipients";
    DL_EXEMPTED_RECIPIENTS = 42 "dl-exempted-recipients";
    BODY_PART_ENCRYPTION_TOKEN = 43 "body-part-encryption-token";
    FORWARDED_CONTENT_TOKEN = 44 "forwarded-content-token";
    CERTIFICATE_SELECTORS = 45 "certificate-selectors";
    CERTIFICATE_SELECTORS_OVERRIDE = 46 "certificate-selectors-override";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_from_1_to_46_has_its_place() {
        for number in 1..=46 {
            assert_eq!(standard_extension(number).map(|e| e.number), Some(number));
        }
        assert_eq!(standard_extension(0), None);
        assert_eq!(standard_extension(47), None);
        assert_eq!(standard_extension(i64::MIN), None);
        let internal_trace = standard_extension(StandardExtension::INTERNAL_TRACE_INFORMATION);
        assert_eq!(internal_trace.map(|e| e.name), Some("internal-trace-information"));
    }
}
