//! `[[distribution_list]]` and `[[redirection]]`: who receives in place of the recipient that was named.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use agent::settings::{DistributionList, Members, Redirect, RedirectFrom, RedirectionClass};
use mhs::OrAddress;

use super::mta::{address_space, or_address};
use super::regular;
use super::restriction::{content_types, priorities};
use super::section::{Section, Text};

/// Longest line of a file of members, in octets; no address comes near.
const MAX_LINE_OCTETS: u64 = 4096;
/// Wrong lines of one file of members that are complained about; where the whole file is something else, the rest says
/// nothing more.
const MAX_COMPLAINTS: usize = 10;

/// Reads one distribution list; `None` without an address, which has been complained about.
pub(super) fn list(mut section: Section<'_>) -> Option<DistributionList> {
    let address = section.required_string("address", "\"CN=staff;O=Acme;P=ALPHA;A= ;C=GB\"");
    let address = address.and_then(|text| or_address(&section, &text));
    let members = members(&mut section);
    let submit = section.strings("submit");
    let submit = submit.map(|texts| texts.iter().filter_map(|text| address_space(&section, text)).collect());
    let owner = section.string("owner").and_then(|text| or_address(&section, &text));
    let to_originator = section.boolean("reports_to_originator", true);
    let to_owner = section.boolean("reports_to_owner", false);
    section.finish();
    let mut list = DistributionList::new(address?, members?);
    list.submit = submit;
    list.owner = owner;
    list.reports_to_originator = to_originator;
    list.reports_to_owner = to_owner;
    Some(list)
}

/// The members in the file itself and those in a file of their own, each once; `None` if one of them is wrong.
fn members(section: &mut Section<'_>) -> Option<Members> {
    let inline = section.strings("members").unwrap_or_default();
    let file = section.string("members_file");
    let mut found = Found::default();
    for text in &inline {
        match or_address(section, text) {
            Some(address) => found.add(address),
            None => found.is_whole = false,
        }
    }
    if let Some(text) = &file {
        // What is found wrong with the members later concerns the file.
        section.problems().place(format!("{}.members", section.path()), text.at);
        from_file(section, text, &mut found);
    }
    found.is_whole.then(|| found.addresses.into_iter().collect())
}

struct Found {
    addresses: Vec<OrAddress>,
    keys: HashSet<String>,
    is_whole: bool,
}

impl Default for Found {
    fn default() -> Self {
        Found { addresses: Vec::new(), keys: HashSet::new(), is_whole: true }
    }
}

impl Found {
    fn add(&mut self, address: OrAddress) {
        if self.keys.insert(address.canonical_key()) {
            self.addresses.push(address);
        }
    }
}

/// Reads a file with one address in each line; empty lines and those that start with `#` do not count. Reading stops
/// where there are more than a list may have.
fn from_file(section: &Section<'_>, text: &Text, found: &mut Found) {
    let mut complaints = 0;
    let mut wrong = |what: String, fix: &str, found: &mut Found| {
        found.is_whole = false;
        complaints += 1;
        section.problems().wrong(text.at, format!("{}: `{}`{what}", text.path, text.value), fix);
        complaints < MAX_COMPLAINTS
    };
    let readable =
        "name a readable file (relative to the working directory) with one O/R address in each line";
    let mut reader = match regular::open(&text.value) {
        Ok(file) => BufReader::new(file),
        Err(error) => {
            wrong(format!(": cannot read the file: {error}"), readable, found);
            return;
        }
    };
    for number in 1_usize.. {
        let mut line = Vec::new();
        match reader.by_ref().take(MAX_LINE_OCTETS).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                wrong(format!(": cannot read the file: {error}"), readable, found);
                return;
            }
        }
        let parsed = match str::from_utf8(&line).map(str::trim) {
            Ok("") => continue,
            Ok(comment) if comment.starts_with('#') => continue,
            Ok(line) => OrAddress::parse(line).map_err(|error| error.to_string()),
            Err(_) => Err("it is not UTF-8".to_owned()),
        };
        let goes_on = match parsed {
            Ok(address) => {
                found.add(address);
                true
            }
            Err(error) => {
                let fix = "write one O/R address in each line, as in S=operations;O=Acme;P=ALPHA;A= ;C=GB";
                wrong(format!(" line {number}: {error}"), fix, found)
            }
        };
        if !goes_on {
            return;
        }
        if found.addresses.len() > Members::MAX {
            let fix = "split the list; a member may be a list itself";
            wrong(format!(" has more than {} members", Members::MAX), fix, found);
            return;
        }
    }
}

/// Reads one redirection; `None` if something is missing or wrong, which has been complained about.
pub(super) fn redirection(mut section: Section<'_>) -> Option<Redirect> {
    let address = section.string("address");
    let pattern = section.string("pattern");
    let to = section.required_string("to", "\"S=deputy;O=Acme;P=ALPHA;A= ;C=GB\"");
    let to = to.and_then(|text| or_address(&section, &text));
    let from = match (address, pattern) {
        (Some(text), None) => or_address(&section, &text).map(RedirectFrom::Address),
        (None, Some(text)) => address_space(&section, &text).map(RedirectFrom::Pattern),
        (None, None) => {
            section.missing("address", "\"S=operations;O=Acme;P=ALPHA;A= ;C=GB\"");
            None
        }
        (Some(_), Some(text)) => {
            section.problems().wrong(text.at, "both `address` and `pattern` are given", "keep one of them");
            None
        }
    };
    let class =
        RedirectionClass { priorities: priorities(&mut section), content_types: content_types(&mut section) };
    section.finish();
    Some(Redirect { from: from?, class, to: to? })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::{ConfigError, parse};
    use super::*;

    const MTA: &str = "[mta]\nname = \"A\"\ndomain = { country = \"GB\", admd = \" \", prmd = \"ALPHA\" }\n\
                       data_dir = \"data\"\nlocal = [\"P=ALPHA;A= ;C=GB\"]\n";

    fn mistakes(text: &str) -> Vec<(usize, String)> {
        match parse(Path::new("x.toml"), &format!("{MTA}{text}")) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Invalid { problems, .. }) => {
                problems.into_iter().map(|p| (p.line, format!("{}; {}", p.what, p.fix))).collect()
            }
            Err(error @ ConfigError::Unreadable { .. }) => panic!("{error}"),
        }
    }

    #[test]
    fn members_come_from_the_list_and_from_its_file_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("staff");
        let lines = "# staff\n\nS=b;P=BETA;A= ;C=GB\r\n  S=a;P=ALPHA;A= ;C=GB \nS=c;P=BETA;A= ;C=GB";
        fs::write(&file, lines).unwrap();
        let text = format!(
            "{MTA}[[distribution_list]]\naddress = \"CN=staff;P=ALPHA;A= ;C=GB\"\nowner = \"S=a;P=ALPHA;A= ;C=GB\"\n\
             members = [\"S=A;P=alpha;A= ;C=GB\"]\nmembers_file = {:?}\nsubmit = \"P=ALPHA;A= ;C=GB\"\n\
             reports_to_originator = false\nreports_to_owner = true\n\
             [[redirection]]\naddress = \"S=x;P=ALPHA;A= ;C=GB\"\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n\
             [[redirection]]\npattern = \"OU=gone;P=ALPHA;A= ;C=GB\"\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n",
            file.to_str().unwrap()
        );
        let settings = parse(Path::new("x.toml"), &text).unwrap().settings;
        let list = &settings.lists[0];
        let members: Vec<String> = list.members.iter().map(|name| name.to_string()).collect();
        assert_eq!(members, ["S=A;P=alpha;A= ;C=GB", "S=b;P=BETA;A= ;C=GB", "S=c;P=BETA;A= ;C=GB"]);
        assert_eq!((list.reports_to_originator, list.reports_to_owner), (false, true));
        assert_eq!((list.submit.as_ref().map(Vec::len), list.owner.is_some()), (Some(1), true));
        let kinds: Vec<bool> =
            settings.redirections.iter().map(|r| matches!(r.from, RedirectFrom::Pattern(_))).collect();
        assert_eq!(kinds, [false, true]);
    }

    #[test]
    fn the_class_of_what_is_redirected_is_read() {
        let text = format!(
            "{MTA}[[redirection]]\naddress = \"S=x;P=ALPHA;A= ;C=GB\"\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n\
             priorities = [\"urgent\"]\ncontent_types = [\"edi\", \"22\"]\n"
        );
        let settings = parse(Path::new("x.toml"), &text).unwrap().settings;
        let class = &settings.redirections[0].class;
        assert_eq!(class.priorities.as_deref(), Some(&[agent::record::Rank::Urgent][..]));
        assert_eq!(class.content_types.as_ref().map(Vec::len), Some(2));
        let found = mistakes(
            "[[redirection]]\naddress = \"S=x;P=ALPHA;A= ;C=GB\"\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n\
             priorities = [\"urgnt\"]\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 9 && found[0].1.contains("`urgnt` is not known"), "{found:?}");
    }

    #[test]
    fn every_wrong_line_of_a_members_file_is_named_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("staff");
        let list = format!(
            "[[distribution_list]]\naddress = \"CN=staff;P=ALPHA;A= ;C=GB\"\nmembers_file = {:?}\n",
            file.to_str().unwrap()
        );
        assert!(mistakes(&list)[0].1.contains("cannot read the file"));
        fs::write(&file, "S=a;P=ALPHA;A= ;C=GB\nnonsense\n").unwrap();
        let found = mistakes(&list);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 8 && found[0].1.contains("line 2"), "{found:?}");
        fs::write(&file, [&[b'x'; 1 << 20][..], b"\n\xFF\n"].concat()).unwrap();
        assert_eq!(mistakes(&list).len(), MAX_COMPLAINTS);
        fs::write(&file, "# nobody\n").unwrap();
        assert!(mistakes(&list)[0].1.contains("there is no member"));
    }

    #[test]
    fn what_is_missing_or_given_twice_is_named() {
        let found = mistakes(
            "[[distribution_list]]\nmembers = [\"S=a;P=ALPHA;A= ;C=GB\"]\n\
             [[redirection]]\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n\
             [[redirection]]\naddress = \"S=b;C=GB\"\npattern = \"P=ALPHA;C=GB\"\nto = \"S=a;P=ALPHA;A= ;C=GB\"\n",
        );
        let expected = ["has no `address`", "has no `address`", "both `address` and `pattern`"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((_, what), expected) in found.iter().zip(expected) {
            assert!(what.contains(expected), "{found:?}");
        }
    }
}
