//! `[log]`: what the service says on standard error and to syslog.

use super::section::Section;
use crate::log::{FACILITIES, Form, Format, LogSettings, SyslogAddress, SyslogSettings, check_filter};

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

const FORMS: [(&str, Option<Form>); 2] = [("rfc5424", Some(Form::Rfc5424)), ("local", Some(Form::Local))];

/// The facility that stands where none is named: mail.
const FACILITY: u8 = 2;

pub(super) fn read(mut section: Section<'_>) -> LogSettings {
    let format = section.choice("format", &FORMATS, Format::default());
    let level = section.string("level").and_then(|text| match check_filter(&text.value) {
        Ok(level) => Some(level),
        Err(error) => {
            let fix = "write error, warn, info, debug or trace";
            section.problems().wrong(text.at, format!("{}: {error}", text.path), fix);
            None
        }
    });
    let address = section.string("syslog").and_then(|text| {
        let address = SyslogAddress::parse(&text.value);
        if address.is_none() {
            section.problems().wrong(
                text.at,
                format!("{}: `{}` is no address of syslog", text.path, text.value),
                "write it as in \"udp://log.example.net:514\" or \"unix:/dev/log\"",
            );
        }
        address
    });
    let facility = section.choice("facility", &FACILITIES, FACILITY);
    let form = section.choice("syslog_form", &FORMS, None);
    section.finish();
    let syslog = address.map(|address| {
        let usual = match &address {
            SyslogAddress::Udp(_) => Form::Rfc5424,
            SyslogAddress::Unix(_) => Form::Local,
        };
        SyslogSettings { address, facility, form: form.unwrap_or(usual) }
    });
    LogSettings { format, level, syslog }
}
