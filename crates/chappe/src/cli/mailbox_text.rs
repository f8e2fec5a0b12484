//! Delivered messages and reports in words.

use super::output::{self, Table};
use crate::model::{
    DeliveredMessage, DeliveredReport, MailboxContent, MailboxItem, Outcome, Part, ReportedRecipient,
};

/// One line for each.
pub(super) fn table(items: &[MailboxItem]) -> String {
    let mut table = Table::new(&["NUMBER", "KIND", "DELIVERED", "FROM", "SUBJECT", "MTS-ID"]);
    for item in items {
        let (kind, from, subject) = match &item.content {
            MailboxContent::Message(message) => {
                ("message", message.from.clone(), message.subject.clone().unwrap_or_default())
            }
            MailboxContent::Report(report) => ("report", "-".to_owned(), title(report)),
            MailboxContent::Unreadable { problem } => ("unreadable", "-".to_owned(), problem.clone()),
        };
        table.row([
            item.number.to_string(),
            kind.to_owned(),
            item.delivered.clone(),
            from,
            subject,
            item.mts_id.clone(),
        ]);
    }
    table.text()
}

/// One of them in full.
pub(super) fn item(item: &MailboxItem) -> String {
    match &item.content {
        MailboxContent::Message(message) => message_text(item, message),
        MailboxContent::Report(report) => report_text(item, report),
        MailboxContent::Unreadable { problem } => output::fields(&[
            ("Number", item.number.to_string()),
            ("Delivered", item.delivered.clone()),
            ("MTS-identifier", item.mts_id.clone()),
            ("Unreadable", problem.clone()),
        ]),
    }
}

fn message_text(item: &MailboxItem, message: &DeliveredMessage) -> String {
    let mut lines = vec![("Number", item.number.to_string()), ("From", message.from.clone())];
    for (name, recipients) in [("To", &message.to), ("Cc", &message.cc), ("Bcc", &message.bcc)] {
        lines.extend(recipients.iter().map(|recipient| (name, recipient.clone())));
    }
    lines.push(("Delivered", item.delivered.clone()));
    lines.push(("MTS-identifier", item.mts_id.clone()));
    lines.push(("Priority", message.priority.clone()));
    lines.push(("Content", format!("{}, {}", message.content_type, output::size(message.content_octets))));
    lines.push(("Subject", message.subject.clone().unwrap_or_default()));
    if let Some(problem) = &message.problem {
        lines.push(("Note", problem.clone()));
    }
    let mut text = output::fields(&lines);
    for part in &message.parts {
        text.push('\n');
        text.push_str(&part_text(part));
    }
    text
}

fn part_text(part: &Part) -> String {
    if let Some(text) = &part.text {
        let mut text = output::many_lines(text);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if part.cut {
            text.push_str("[the text goes on; `chappe mailbox export` writes all of it]\n");
        }
        return text;
    }
    let size = part.octets.map_or_else(|| "size unknown".to_owned(), output::size);
    match &part.file_name {
        Some(name) => format!(
            "[part {}: file {}, {size}; save it with --attachment {}]\n",
            part.number,
            output::one_line(name),
            part.number
        ),
        None => format!("[part {}: {}, {size}]\n", part.number, output::one_line(&part.kind)),
    }
}

fn title(report: &DeliveredReport) -> String {
    let is_failure = |r: &&ReportedRecipient| matches!(r.outcome, Outcome::NonDelivered { .. });
    let failed = report.recipients.iter().filter(is_failure).count();
    let delivered = report.recipients.len() - failed;
    let kind = match (delivered, failed) {
        (_, 0) => "delivery report".to_owned(),
        (0, _) => "non-delivery report".to_owned(),
        _ => format!("report: {delivered} delivered, {failed} not delivered,"),
    };
    format!("{kind} for {}", report.subject_mts_id)
}

fn report_text(item: &MailboxItem, report: &DeliveredReport) -> String {
    let mut lines = vec![
        ("Number", item.number.to_string()),
        ("Report", title(report)),
        ("Delivered", item.delivered.clone()),
        ("MTS-identifier", item.mts_id.clone()),
    ];
    lines.extend(report.content_identifier.clone().map(|id| ("Content identifier", id)));
    for recipient in &report.recipients {
        let information =
            recipient.information.as_deref().map_or_else(String::new, |text| format!(", {text}"));
        let outcome = match &recipient.outcome {
            Outcome::Delivered { time } => format!("delivered at {time}{information}"),
            Outcome::NonDelivered { reason, diagnostic } => {
                let diagnostic =
                    diagnostic.as_deref().map_or_else(String::new, |text| format!(", diagnostic {text}"));
                format!("non-delivery: {reason}{diagnostic}{information}")
            }
        };
        lines.push(("Recipient", format!("{} {outcome}", recipient.address)));
    }
    output::fields(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_became_of_whom() {
        let report = DeliveredReport {
            subject_mts_id: "C=GB;A= ;P=ALPHA;L=1".into(),
            content_identifier: None,
            recipients: vec![
                ReportedRecipient {
                    address: "S=a;C=GB".into(),
                    outcome: Outcome::Delivered { time: "2026-11-22T04:30:00Z".into() },
                    information: None,
                },
                ReportedRecipient {
                    address: "S=b;C=GB".into(),
                    outcome: Outcome::NonDelivered {
                        reason: "unable-to-transfer (1)".into(),
                        diagnostic: Some("unrecognised-OR-name (0)".into()),
                    },
                    information: Some("no such\nmailbox".into()),
                },
            ],
        };
        let text = item(&MailboxItem {
            number: 7,
            delivered: "2026-11-22T04:31:00Z".into(),
            mts_id: "C=GB;A= ;P=BETA;L=9".into(),
            content: MailboxContent::Report(report),
        });
        assert!(text.contains("report: 1 delivered, 1 not delivered, for C=GB;A= ;P=ALPHA;L=1\n"), "{text}");
        assert!(text.contains("S=a;C=GB delivered at 2026-11-22T04:30:00Z"), "{text}");
        assert!(
            text.contains(
                "S=b;C=GB non-delivery: unable-to-transfer (1), diagnostic unrecognised-OR-name (0), no such"
            ),
            "{text}"
        );
        assert!(!text.contains("no such\nmailbox"), "{text}");
    }
}
