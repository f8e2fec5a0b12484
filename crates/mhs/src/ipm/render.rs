//! Messages and notifications as trees of names and texts, for people.

use super::heading::{IpmIdentifier, IpmsExtension, OrDescriptor, RecipientSpecifier};
use super::{
    BodyPart, FilePiece, FileTransfer, Heading, InformationObject, Ipm, Ipn, IpnChoice, Summary, oids,
};
use crate::{Tree, text};

/// Characters of one text that are shown.
const MAX_TEXT: usize = 1 << 20;
/// Octets of something unknown that are shown.
const MAX_OCTETS: usize = 64;

/// A content as a tree, in the terms of X.420.
pub fn render_object(object: &InformationObject) -> Tree {
    match object {
        InformationObject::Ipm(ipm) => render(ipm),
        InformationObject::Ipn(ipn) => notification(ipn),
    }
}

/// A message as a tree, in the terms of X.420.
pub fn render(ipm: &Ipm) -> Tree {
    message("ipm", ipm)
}

impl Summary {
    /// The summary as a tree, like [`render`].
    pub fn render(&self) -> Tree {
        let mut body = Tree::new("body");
        for part in &self.parts {
            if let Some(whole) = &part.part {
                body.push(body_part(whole));
                continue;
            }
            let mut tree = Tree::new(part.kind.clone());
            if let Some(name) = &part.file_name {
                tree.add("file-name", printable(name));
            }
            if let Some(octets) = &part.file_octets {
                tree.add("file-octets", octets.end - octets.start);
            } else if let Some(octets) = part.octets {
                tree.add("octets", octets);
            }
            if let Some(text) = &part.text {
                tree.add("beginning-of-text", printable(text));
            }
            body.push(tree);
        }
        if self.more {
            body.push(Tree::new("more body parts may follow"));
        }
        Tree::new("ipm").with([heading(&self.heading), body])
    }
}

fn message(name: &str, ipm: &Ipm) -> Tree {
    let body = Tree::new("body").with(ipm.body.iter().map(body_part));
    Tree::new(name).with([heading(&ipm.heading), body])
}

fn heading(heading: &Heading) -> Tree {
    let mut tree = Tree::new("heading");
    tree.push(identifier("this-IPM", &heading.this_ipm));
    tree.children.extend(heading.originator.iter().map(|user| descriptor("originator", user)));
    let descriptors =
        [("authorizing-users", &heading.authorizing_users), ("reply-recipients", &heading.reply_recipients)];
    let recipients = [
        ("primary-recipients", &heading.primary_recipients),
        ("copy-recipients", &heading.copy_recipients),
        ("blind-copy-recipients", &heading.blind_copy_recipients),
    ];
    for (name, users) in recipients {
        if !users.is_empty() {
            tree.push(Tree::new(name).with(users.iter().map(recipient)));
        }
    }
    for (name, users) in descriptors {
        if !users.is_empty() {
            tree.push(Tree::new(name).with(users.iter().map(|user| descriptor("user", user))));
        }
    }
    tree.children.extend(heading.replied_to.iter().map(|id| identifier("replied-to-IPM", id)));
    for (name, ids) in [("obsoleted-IPMs", &heading.obsoleted), ("related-IPMs", &heading.related)] {
        if !ids.is_empty() {
            tree.push(Tree::new(name).with(ids.iter().map(|id| identifier("ipm", id))));
        }
    }
    if let Some(subject) = heading.subject_text() {
        tree.add("subject", one_line(&subject));
    }
    if let Some(time) = &heading.expiry_time {
        tree.add("expiry-time", time);
    }
    if let Some(time) = &heading.reply_time {
        tree.add("reply-time", time);
    }
    tree.add("importance", heading.importance);
    if let Some(sensitivity) = heading.sensitivity {
        tree.add("sensitivity", sensitivity);
    }
    if heading.auto_forwarded {
        tree.add("auto-forwarded", true);
    }
    // The extended subject has been shown as the subject.
    let others = heading.extensions.iter().filter(|other| other.id != oids::HEX_EXTENDED_SUBJECT);
    tree.children.extend(others.map(extension));
    tree.children.extend(heading.unknown.iter().map(|raw| Tree::leaf("unknown", octets(raw))));
    tree
}

fn identifier(name: &str, id: &IpmIdentifier) -> Tree {
    let mut tree = Tree::leaf(name, one_line(&id.user_relative_identifier));
    if let Some(user) = &id.user {
        tree.add("user", one_line(&user.to_string()));
    }
    tree
}

fn descriptor(name: &str, user: &OrDescriptor) -> Tree {
    let mut tree = Tree::new(name);
    tree.value = user.formal_name.as_ref().map(|name| one_line(&name.to_string()));
    if let Some(free_form) = user.free_form_text() {
        tree.add("free-form-name", one_line(&free_form));
    }
    if let Some(number) = &user.telephone_number {
        tree.add("telephone-number", one_line(number));
    }
    tree
}

fn recipient(specifier: &RecipientSpecifier) -> Tree {
    let mut tree = descriptor("recipient", &specifier.recipient);
    const REQUESTS: [&str; 5] = ["rn", "nrn", "ipm-return", "an-supported", "suppress-an"];
    let requests: Vec<&str> = REQUESTS
        .iter()
        .enumerate()
        .filter(|(bit, _)| specifier.notification_requests.bit(*bit))
        .map(|(_, name)| *name)
        .collect();
    if !requests.is_empty() {
        tree.add("notification-requests", requests.join(", "));
    }
    if specifier.reply_requested {
        tree.add("reply-requested", true);
    }
    tree.children.extend(specifier.extensions.iter().map(extension));
    tree
}

fn extension(extension: &IpmsExtension) -> Tree {
    let name = oids::name(&extension.id).map_or_else(|| extension.id.to_string(), str::to_owned);
    Tree::new("extension").with([Tree::leaf(name, octets(&extension.value))])
}

fn body_part(part: &BodyPart) -> Tree {
    let mut tree = Tree::new(part.kind());
    match part {
        BodyPart::Ia5Text(_) | BodyPart::Teletex(_) => {}
        BodyPart::GeneralText(general) => {
            let numbers: Vec<String> = general.registrations.iter().map(i64::to_string).collect();
            tree.add("character-sets", numbers.join(", "));
        }
        BodyPart::Message(forwarded) => tree.push(message("ipm", &forwarded.ipm)),
        BodyPart::BilaterallyDefined(part) => {
            tree.add("length", part.0.len());
            tree.add("octets", octets(&part.0));
        }
        BodyPart::FileTransfer(file) => file_transfer(&mut tree, file),
        BodyPart::Other(other) => {
            tree.add("length", other.raw.len());
            tree.add("octets", octets(&other.raw));
        }
    }
    if let Some(text) = part.text() {
        tree.add("text", printable(&text));
    }
    tree
}

fn file_transfer(tree: &mut Tree, file: &FileTransfer) {
    if !file.parameters.pathname.is_empty() {
        tree.add("pathname", one_line(&file.parameters.pathname.join("/")));
    }
    if let Some(size) = file.parameters.object_size {
        tree.add("object-size", size);
    }
    if let Some(id) = &file.parameters.document_type {
        tree.add("document-type", id);
    }
    for line in &file.parameters.user_visible {
        tree.add("user-visible-string", one_line(line));
    }
    for piece in &file.data {
        match piece {
            FilePiece::Octets(octets) => tree.add("file-octets", octets.len()),
            FilePiece::Other(raw) => tree.add("other-data", octets(raw)),
        }
    }
}

fn notification(ipn: &Ipn) -> Tree {
    let mut tree = Tree::new("ipn");
    tree.push(identifier("subject-ipm", &ipn.subject_ipm));
    tree.children.extend(ipn.ipn_originator.iter().map(|user| descriptor("ipn-originator", user)));
    tree.children
        .extend(ipn.ipm_intended_recipient.iter().map(|user| descriptor("ipm-intended-recipient", user)));
    if let Some(types) = &ipn.conversion_eits {
        tree.add("conversion-eits", types);
    }
    match &ipn.choice {
        IpnChoice::NonReceipt(fields) => {
            let mut inner = Tree::new("non-receipt-fields");
            inner.add("non-receipt-reason", named(fields.reason, &["ipm-discarded", "ipm-auto-forwarded"]));
            if let Some(reason) = fields.discard_reason {
                let names = ["ipm-expired", "ipm-obsoleted", "user-subscription-terminated", "ipm-deleted"];
                inner.add("discard-reason", named(reason, &names));
            }
            if let Some(comment) = &fields.auto_forward_comment {
                inner.add("auto-forward-comment", one_line(comment));
            }
            inner.children.extend(fields.returned_ipm.iter().map(|ipm| message("returned-ipm", ipm)));
            tree.push(inner);
        }
        IpnChoice::Receipt(fields) => {
            let mut inner = Tree::new("receipt-fields");
            inner.add("receipt-time", &fields.receipt_time);
            inner.add("acknowledgment-mode", named(fields.acknowledgment_mode, &["manual", "automatic"]));
            if let Some(info) = &fields.supplementary_info {
                inner.add("suppl-receipt-info", one_line(info));
            }
            tree.push(inner);
        }
        IpnChoice::Other(fields) => {
            tree.push(Tree::new("other-notification-type-fields").with(fields.iter().map(extension)));
        }
    }
    tree.children.extend(ipn.extensions.iter().map(extension));
    tree
}

fn named(number: i64, names: &[&str]) -> String {
    match usize::try_from(number).ok().and_then(|index| names.get(index)) {
        Some(name) => format!("{name} ({number})"),
        None => format!("({number})"),
    }
}

/// Text for a terminal: lines end in line feeds, other control characters show as U+FFFD, so that a message can't
/// command the terminal it is read on.
fn printable(text: &str) -> String {
    let mut out: String = text
        .replace("\r\n", "\n")
        .chars()
        .take(MAX_TEXT)
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        out.push('…');
    }
    out
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn octets(octets: &[u8]) -> String {
    let mut out = text::hex(octets.get(..MAX_OCTETS).unwrap_or(octets));
    if octets.len() > MAX_OCTETS {
        out.push('…');
    }
    out
}
