//! Interpersonal messages: known contents, round trips, composed messages, partial and damaged ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use mhs::ipm::{
    BodyPart, ComposeError, Draft, FilePiece, FileTransfer, ForwardedIpm, InformationObject, Ipm, IpnChoice,
    encoded_information_types, render, render_object,
};
use mhs::{DecodeErrorKind, OrAddress, OrName};
use proptest::prelude::*;

/// A content made by hand and found clean by two independent decoders.
const GOLDEN: &str = "
    a0819e3181896b76606a3047610413024742620a1308474f4c4420343030a206130441434d45830c41636d652057696467657473a5
    0d800653656e64657281034a6f65a60e130553616c657313054e6f727468301f301d13075246432d38323213126a6f6528612961636d65
    2e6578616d706c6513083120323631313232a80f140d48656c6c6f207375626a6563743010a00e3100160a48656c6c6f20626f6479";

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn name(address: &str) -> OrName {
    OrName::new(address.parse::<OrAddress>().unwrap())
}

fn draft(subject: &str) -> Draft {
    Draft::new(name("S=sender;G=jo;P=ALPHA;A= ;C=GB"), "1 261122", subject)
        .unwrap()
        .to(name("S=receiver;G=al;P=BETA;A= ;C=GB"))
        .copy_to(name("CN=registry;P=BETA;A= ;C=GB"))
}

#[test]
fn golden_content_is_read_in_full_and_written_alike() {
    let content = octets(GOLDEN);
    let ipm = Ipm::decode(&content).unwrap();
    assert_eq!(ipm.heading.this_ipm.user_relative_identifier, "1 261122");
    let user = ipm.heading.this_ipm.user.as_ref().unwrap().address();
    assert_eq!(user.organization.as_deref(), Some("Acme Widgets"));
    assert_eq!(ipm.heading.subject_text().as_deref(), Some("Hello subject"));
    assert_eq!(ipm.body.len(), 1);
    assert_eq!(ipm.body[0].text().as_deref(), Some("Hello body"));
    assert_eq!(ipm.encode(), content);
    let shown = render(&ipm).to_string();
    assert!(shown.contains("subject: Hello subject") && shown.contains("text: Hello body"), "{shown}");
}

#[test]
fn kind_of_text_part_follows_its_characters() {
    let kinds = [("plain\n", "ia5-text"), ("Grüße", "general-text"), ("Привет €", "general-text")];
    for (text, kind) in kinds {
        let composed = draft("s").text(text);
        let ipm = Ipm::decode(&composed.content).unwrap();
        assert_eq!(ipm.body[0].kind(), kind);
        assert_eq!(ipm.body[0].text().unwrap().replace("\r\n", "\n"), text);
        assert_eq!(encoded_information_types(&ipm.body), composed.encoded_information_types);
    }
    assert_eq!(draft("s").text("a").encoded_information_types.to_string(), "ia5-text");
    let latin = draft("s").text("é").encoded_information_types;
    let oids: Vec<String> = latin.extended().iter().map(ToString::to_string).collect();
    assert_eq!(oids, ["1.0.10021.7.1.0.1", "1.0.10021.7.1.0.6", "1.0.10021.7.1.0.100"]);
    assert!(!latin.has_built_in(2));
}

#[test]
fn an_empty_subject_is_left_out() {
    let ipm = Ipm::decode(&draft("").text("t").content).unwrap();
    assert_eq!((ipm.heading.subject.clone(), ipm.heading.subject_text()), (None, None));
    assert!(ipm.heading.extensions.is_empty());
}

#[test]
fn subject_beyond_t61_goes_into_the_extended_subject_too() {
    for (subject, extended) in [
        ("Hello", false),
        ("Café #1 costs 5 $", false),
        ("Привет", true),
        ("a \u{1F600} b", true),
        (&"x".repeat(128), false),
        (&"x".repeat(129), true),
        (&"é".repeat(256), true),
    ] {
        let ipm = Ipm::decode(&draft(subject).text("t").content).unwrap();
        assert_eq!(ipm.heading.subject_text().as_deref(), Some(subject));
        assert_eq!(!ipm.heading.extensions.is_empty(), extended, "{subject}");
        assert!(ipm.heading.subject.as_ref().unwrap().len() <= 128);
        assert!(!ipm.heading.subject.unwrap().contains(&b'?'));
    }
    let refused = Draft::new(name("S=a;P=B;A= ;C=GB"), "1", &"x".repeat(257));
    assert_eq!(refused, Err(ComposeError::SubjectTooLong { characters: 257 }));
    for identifier in ["", "a@b", &"1".repeat(65)] {
        let refused = Draft::new(name("S=a;P=B;A= ;C=GB"), identifier, "s");
        assert_eq!(refused, Err(ComposeError::LocalIdentifier));
    }
}

#[test]
fn streamed_file_equals_the_file_part_encoded_whole() {
    for size in [0usize, 1, 50, 127, 128, 255, 256, 65_535, 65_536, 300_000] {
        let file: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let composed = draft("a file").file(Some("See attached.\n"), "Bericht é.txt", size as u64).unwrap();
        let content = [composed.prefix.as_slice(), &file, &composed.suffix].concat();
        assert_eq!(content.len() as u64, composed.content_length);
        let ipm = Ipm::decode(&content).unwrap();
        assert_eq!(ipm.encode(), content, "shortest definite lengths at every level");
        let BodyPart::FileTransfer(part) = &ipm.body[1] else { panic!("{:?}", ipm.body[1].kind()) };
        assert_eq!(part.file_name(), Some("Bericht é.txt"));
        assert_eq!(part.parameters.object_size, Some(size as i64));
        assert!(part.contents() == file);
        let whole = draft("a file").parts(vec![BodyPart::text_part("See attached.\n"), {
            BodyPart::FileTransfer(Box::new(FileTransfer::new("Bericht é.txt", file)))
        }]);
        assert!(whole.content == content);
        assert_eq!(whole.encoded_information_types, composed.encoded_information_types);
    }
    let huge = draft("x").file(None, "x", u64::MAX);
    assert_eq!(huge, Err(ComposeError::FileTooLarge { octets: u64::MAX }));
}

#[test]
fn summary_of_a_huge_message_needs_only_its_beginning() {
    let size = 1 << 40;
    let composed = draft("huge").file(Some("A note."), "big.bin", size).unwrap();
    let summary = Ipm::summary(&composed.prefix).unwrap();
    assert_eq!(summary.heading.subject_text().as_deref(), Some("huge"));
    assert_eq!(summary.parts.len(), 2);
    assert_eq!(summary.parts[0].text.as_deref(), Some("A note."));
    assert!(!summary.parts[0].text_cut);
    let file = &summary.parts[1];
    assert_eq!((file.kind.as_ref(), file.file_name.as_deref()), ("file-transfer", Some("big.bin")));
    let start = composed.prefix.len() as u64;
    assert_eq!(file.file_octets, Some(start..start + size));
    assert!(file.part.is_none() && !summary.more);
    let shown = summary.render().to_string();
    assert!(shown.contains("file-octets: 1099511627776") && shown.contains("A note."), "{shown}");
}

#[test]
fn summary_of_every_prefix_is_consistent() {
    let file = vec![7u8; 300];
    let composed = draft("s").file(Some("Grüße"), "f", 300).unwrap();
    let mut content = [composed.prefix, file].concat();
    let mut heading_seen = false;
    for length in 0..=content.len() {
        match Ipm::summary(&content[..length]) {
            Ok(summary) => {
                heading_seen = true;
                assert!(summary.parts.len() <= 2);
                assert_eq!(summary.more, summary.parts.len() < 2, "at {length}");
            }
            Err(error) => {
                assert_eq!(error.kind, DecodeErrorKind::Incomplete, "{error}");
                assert!(!heading_seen, "at {length}: {error}");
            }
        }
    }
    let whole = Ipm::summary(&content).unwrap();
    assert!(whole.parts.iter().all(|part| part.part.is_some()));
    let range = whole.parts[1].file_octets.clone().unwrap();
    assert_eq!(content[range.start as usize..range.end as usize], [7u8; 300]);
    content.push(0);
    assert!(Ipm::decode(&content).is_err(), "octets left over");
}

#[test]
fn indefinite_lengths_and_constructed_strings_are_read() {
    let content = octets(
        "a080 3180 6b80 1303616263 0000 a880 3480 04024865 04036c6c6f 0000 0000 0000
         3080 a080 3100 3680 16024869 160121 0000 0000 0000 0000",
    );
    let ipm = Ipm::decode(&content).unwrap();
    assert_eq!(ipm.heading.subject_text().as_deref(), Some("Hello"));
    assert_eq!(ipm.body[0].text().as_deref(), Some("Hi!"));
    let summary = Ipm::summary(&content).unwrap();
    assert_eq!(summary.parts[0].text.as_deref(), Some("Hi!"));
    assert!(!summary.more);
    let cut = Ipm::summary(&content[..content.len() - 9]).unwrap();
    assert!(cut.more || cut.parts[0].text_cut);
}

#[test]
fn forwarded_messages_are_bounded_in_depth() {
    let mut ipm = Ipm::decode(&draft("innermost").text("hello").content).unwrap();
    for _ in 0..5 {
        let parameters = octets("3100");
        let inner = ForwardedIpm { parameters, ipm: ipm.clone() };
        ipm.body = vec![BodyPart::Message(Box::new(inner))];
    }
    assert_eq!(Ipm::decode(&ipm.encode()).unwrap(), ipm);
    for _ in 0..4 {
        let inner = ForwardedIpm { parameters: octets("3100"), ipm: ipm.clone() };
        ipm.body = vec![BodyPart::Message(Box::new(inner))];
    }
    let content = ipm.encode();
    let decoded = Ipm::decode(&content).unwrap();
    assert_ne!(decoded, ipm, "the innermost ones are left as they came");
    assert_eq!(decoded.encode(), content);
    let mut raw = octets("8e00");
    while raw.len() < 20_000 {
        raw = ber::Writer::encode(|w| {
            w.constructed(ber::Tag::context(9), |w| {
                w.constructed(ber::Tag::SET, |_| {});
                w.constructed(ber::Tag::SEQUENCE, |w| {
                    w.raw(&octets("3105 6b03130161"));
                    w.constructed(ber::Tag::SEQUENCE, |w| w.raw(&raw));
                });
            });
        });
    }
    let thousands_deep = ber::Writer::encode(|w| {
        w.constructed(ber::Tag::context(0), |w| {
            w.raw(&octets("3105 6b03130161"));
            w.constructed(ber::Tag::SEQUENCE, |w| w.raw(&raw));
        });
    });
    let bounded = Ipm::decode(&thousands_deep).unwrap();
    assert_eq!(bounded.encode(), thousands_deep);
}

#[test]
fn unknown_members_and_parts_are_kept() {
    let content = ber::Writer::encode(|w| {
        w.constructed(ber::Tag::context(0), |w| {
            w.constructed(ber::Tag::SET, |w| {
                w.raw(&octets("6b05 1303616263"));
                w.raw(&octets("bf6303 02012a"));
                w.raw(&octets("af0b 3009 06022a03 0403616263"));
            });
            w.constructed(ber::Tag::SEQUENCE, |w| {
                w.raw(&octets("a306 3100 3002 0500"));
                w.raw(&octets("af0e 280c 06022a04 a006 040401020304"));
            });
        });
    });
    let ipm = Ipm::decode(&content).unwrap();
    assert_eq!(ipm.heading.unknown.len(), 1);
    assert_eq!(ipm.heading.extensions[0].id.to_string(), "1.2.3");
    assert_eq!(ipm.body[0].kind(), "g3-facsimile");
    assert_eq!(ipm.body[1].kind(), "extended 1.2.4");
    let again = Ipm::decode(&ipm.encode()).unwrap();
    assert_eq!(again, ipm);
}

#[test]
fn notifications_are_read() {
    let build = |choice: &str| {
        ber::Writer::encode(|w| {
            w.constructed(ber::Tag::context(1), |w| {
                w.raw(&octets("6b051303616263"));
                w.constructed(ber::Tag::context(0), |w| w.raw(&octets(choice)));
            });
        })
    };
    let InformationObject::Ipn(ipn) =
        InformationObject::decode(&build("a112 800d3236313132323034333030305a 810101")).unwrap()
    else {
        panic!("a notification")
    };
    let IpnChoice::Receipt(fields) = &ipn.choice else { panic!("{:?}", ipn.choice) };
    assert_eq!(fields.acknowledgment_mode, 1);
    assert_eq!(fields.receipt_time.to_string(), "2026-11-22T04:30:00Z");
    let object = InformationObject::decode(&build("a006 800100 810100")).unwrap();
    let shown = render_object(&object).to_string();
    assert!(shown.contains("discard-reason: ipm-expired (0)"), "{shown}");
    assert!(InformationObject::decode(&build("a500")).is_err());
}

#[test]
fn errors_say_where() {
    let missing = Ipm::decode(&octets("a004 3100 3000")).unwrap_err();
    assert_eq!(missing.to_string(), "ipm.heading.this-IPM: mandatory member is absent at octet 2");
    let number = octets("a00f 3107 6b05 1303616263 3004 a002 0500");
    let wrong = Ipm::decode(&number).unwrap_err();
    assert!(wrong.to_string().starts_with("ipm.body[0].ia5-text.parameters: "), "{wrong}");
    assert!(InformationObject::decode(&octets("a500")).is_err());
    assert!(InformationObject::decode(&[]).is_err());
}

#[test]
fn shown_text_can_not_command_a_terminal() {
    let ipm = Ipm::decode(&draft("s\u{1b}[2J").text("a\u{1b}]0;x\u{7}\r\nb").content).unwrap();
    let shown = render(&ipm).to_string();
    assert!(shown.chars().all(|c| !c.is_control() || c == '\n'), "{shown:?}");
}

#[test]
fn escapes_in_a_text_are_text() {
    for text in ["a\u{1b}[2J", "\u{1b}%@", "\u{1b}(B", "é\u{1b}(B", "\u{e}é"] {
        let ipm = Ipm::decode(&draft("s").text(text).content).unwrap();
        assert_eq!(ipm.body[0].text().as_deref(), Some(text));
    }
    // Only the sequence that ends UTF-8 can't stand in it.
    let ipm = Ipm::decode(&draft("s").text("Ж\u{1b}%@").content).unwrap();
    assert_eq!(ipm.body[0].text().as_deref(), Some("Ж\u{241B}%@"));
}

#[test]
fn lengths_beyond_all_bounds_are_only_numbers() {
    let heading = "3105 6b03130161";
    let huge = "88 ffffffffffffffff";
    let content = format!("a080 {heading} 3080 af80 2880 06045601040c a080 3080 2880 81{huge}");
    let summary = Ipm::summary(&octets(&content)).unwrap();
    assert_eq!(summary.parts[0].kind, "file-transfer");
    assert_eq!(summary.parts[0].file_octets, None);
    let content = format!("a0{huge} {heading} 30{huge} a0{huge}");
    assert_eq!(Ipm::summary(&octets(&content)).unwrap().parts[0].text, None);
    let content = format!("a080 {heading} 3080 ae{huge} 00");
    assert_eq!(Ipm::summary(&octets(&content)).unwrap().parts.len(), 1);
}

#[test]
fn file_of_several_pieces_is_joined() {
    let mut file = FileTransfer::new("a", b"one ".to_vec());
    file.data.push(FilePiece::Octets(b"two".to_vec()));
    let content = draft("s").parts(vec![BodyPart::FileTransfer(Box::new(file))]).content;
    let ipm = Ipm::decode(&content).unwrap();
    let BodyPart::FileTransfer(part) = &ipm.body[0] else { panic!("file") };
    assert_eq!(part.contents(), b"one two");
    let summary = Ipm::summary(&content).unwrap();
    assert_eq!(summary.parts[0].file_octets, None, "not in one piece");
    assert_eq!(summary.parts[0].file_name.as_deref(), Some("a"));
}

proptest! {
    #[test]
    fn any_subject_and_text_come_back(subject in "\\PC{0,200}", text in any::<String>()) {
        let composed = draft(&subject).text(&text);
        let ipm = Ipm::decode(&composed.content).unwrap();
        prop_assert_eq!(ipm.heading.subject_text().unwrap_or_default(), subject);
        let lines = |text: &str| text.replace("\r\n", "\n");
        prop_assert_eq!(lines(&ipm.body[0].text().unwrap()), lines(&text));
        prop_assert_eq!(ipm.encode(), composed.content);
    }

    #[test]
    fn latin_text_comes_back(text in "[\\x20-\\x7e\\u{a0}-\\u{ff}\r\n\t]*") {
        let ipm = Ipm::decode(&draft("s").text(&text).content).unwrap();
        let lines = |text: &str| text.replace("\r\n", "\n");
        prop_assert_eq!(lines(&ipm.body[0].text().unwrap()), lines(&text));
    }

    #[test]
    fn damaged_contents_give_errors_not_panics(at in 0usize..400, value: u8, cut in 0usize..400) {
        let mut content = draft("Grüße").file(Some("note é"), "name", 40).unwrap().prefix;
        content.extend([1u8; 40]);
        let length = content.len();
        if let Some(octet) = content.get_mut(at) { *octet = value; }
        content.truncate(length.saturating_sub(cut));
        if let Ok(object) = InformationObject::decode(&content) {
            let _ = render_object(&object).to_string();
        }
        if let Ok(summary) = Ipm::summary(&content) {
            let _ = summary.render().to_string();
        }
    }

    #[test]
    fn any_octets_give_errors_not_panics(octets: Vec<u8>) {
        let _ = InformationObject::decode(&octets);
        let _ = Ipm::summary(&octets);
        let _ = mhs::ipm::charset::decode(&octets, mhs::ipm::charset::RightSet::Teletex);
    }

    #[test]
    fn summary_agrees_with_the_whole(text in "\\PC{0,60}", cut in 0usize..200) {
        let composed = draft("s").text(&text);
        let keep = composed.content.len().saturating_sub(cut);
        if let Ok(summary) = Ipm::summary(&composed.content[..keep])
            && let Some(part) = summary.parts.first()
            && text.is_ascii()
            && let Some(begin) = &part.text
        {
            prop_assert!(text.starts_with(begin.as_str()));
        }
    }
}
