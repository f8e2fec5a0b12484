//! One link monitor as a machine: when something is sent, what an answer means, when its absence is told.
//!
//! Time comes in with each call; nothing is sent or stored here. An answer shows that the path worked when the message that
//! it answers was sent: whatever was sent before that needs no answer any more.

use std::collections::VecDeque;
use std::time::Duration;

use clock::{MonoTime, WallTime};
use serde::{Deserialize, Serialize};

use super::settings::MonitorSettings;
use super::spells::{Level, Spells};
use crate::events::EventKind;
use crate::status::MonitorStatus;

/// Messages of one monitor that may be without an answer at one time; so many can wait in a queue.
const MAX_UNANSWERED: usize = 16;
/// With that many, the oldest is forgotten for a new one no more often than this: those that were lost must not keep the
/// monitor from finding that the link works again.
const CROWDED_PAUSE: Duration = Duration::from_secs(3_600);

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) mono: MonoTime,
    pub(crate) wall: WallTime,
}

/// A point in time whose age is known whatever happens to the time of day, and that outlives a restart.
#[derive(Clone, Copy, Debug)]
struct Since {
    wall: WallTime,
    mono: MonoTime,
    /// Its age at `mono`.
    before: Duration,
}

impl Since {
    fn now(now: Now) -> Since {
        Since { wall: now.wall, mono: now.mono, before: Duration::ZERO }
    }

    /// From the record of an earlier process.
    fn restored(wall: i64, now: Now) -> Since {
        let wall = WallTime::from_unix(wall);
        let age = now.wall.unix().saturating_sub(wall.unix()).max(0);
        Since { wall, mono: now.mono, before: Duration::from_secs(age.unsigned_abs()) }
    }

    fn age(&self, now: Now) -> Duration {
        self.before.saturating_add(now.mono.saturating_since(self.mono))
    }

    /// When its age will be `age`.
    fn reaches(&self, age: Duration) -> MonoTime {
        self.mono + age.saturating_sub(self.before)
    }
}

/// What counted as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It was delivered, or would be.
    Delivery,
    /// Another MTA says that it can't be delivered: it has come that far.
    NonDelivery,
    /// The recipient wrote back.
    Reply,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Answer::Delivery => "delivery report",
            Answer::NonDelivery => "non-delivery report",
            Answer::Reply => "reply",
        }
    }
}

#[derive(Clone, Debug)]
struct Sent {
    identifier: String,
    at: Since,
}

/// One link monitor.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    settings: MonitorSettings,
    unanswered: VecDeque<Sent>,
    /// Since when there is no answer to something sent; from before a submission that was refused, too.
    waiting: Option<Since>,
    level: Level,
    next: MonoTime,
    last_sent: Option<WallTime>,
    last_answer: Option<(WallTime, Answer, Duration)>,
    problem: Option<String>,
    /// When there was none for too long.
    spells: Spells,
}

/// What is kept of a monitor over a restart, under its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchRecord {
    /// Identifier, and seconds since 1970.
    unanswered: Vec<(String, i64)>,
    waiting: Option<i64>,
    level: Level,
    last_sent: Option<i64>,
    /// When it came, what it was, how many seconds it had taken.
    last_answer: Option<(i64, Answer, u64)>,
    spells: Spells,
}

/// No times of silence: an empty list.
const NO_SPELLS: &[u8] = &[0];

impl agent::record::Record for WatchRecord {
    const VERSION: u8 = 2;
    const ADDED: Option<&'static [u8]> = Some(NO_SPELLS);
}

impl Watch {
    /// A monitor that sends at once.
    pub(crate) fn new(settings: MonitorSettings, now: Now) -> Watch {
        Watch {
            settings,
            unanswered: VecDeque::new(),
            waiting: None,
            level: Level::default(),
            next: now.mono,
            last_sent: None,
            last_answer: None,
            problem: None,
            spells: Spells::default(),
        }
    }

    /// The same with what an earlier process knew.
    pub(crate) fn restored(settings: MonitorSettings, record: WatchRecord, now: Now) -> Watch {
        let sent = |(identifier, at)| Sent { identifier, at: Since::restored(at, now) };
        Watch {
            unanswered: record.unanswered.into_iter().take(MAX_UNANSWERED).map(sent).collect(),
            waiting: record.waiting.map(|at| Since::restored(at, now)),
            level: record.level,
            last_sent: record.last_sent.map(WallTime::from_unix),
            last_answer: record
                .last_answer
                .map(|(at, answer, took)| (WallTime::from_unix(at), answer, Duration::from_secs(took))),
            spells: record.spells,
            ..Watch::new(settings, now)
        }
    }

    /// For the store.
    pub(crate) fn record(&self) -> WatchRecord {
        let sent = |sent: &Sent| (sent.identifier.clone(), sent.at.wall.unix());
        WatchRecord {
            unanswered: self.unanswered.iter().map(sent).collect(),
            waiting: self.waiting.map(|since| since.wall.unix()),
            level: self.level,
            last_sent: self.last_sent.map(WallTime::unix),
            last_answer: self.last_answer.map(|(at, answer, took)| (at.unix(), answer, took.as_secs())),
            spells: self.spells.clone(),
        }
    }

    pub(crate) fn settings(&self) -> &MonitorSettings {
        &self.settings
    }

    /// The same monitor under new settings, on which it sends at once.
    pub(crate) fn set(&mut self, settings: MonitorSettings, now: Now) {
        self.settings = settings;
        self.next = now.mono;
    }

    /// Whether something is to be sent now.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.next <= now.mono
    }

    /// It was sent, or could not be.
    pub(crate) fn sent(&mut self, outcome: Result<String, String>, now: Now) {
        let every = self.settings.every;
        let since = Since::now(now);
        self.waiting.get_or_insert(since);
        match outcome {
            Ok(identifier) => {
                if self.unanswered.len() >= MAX_UNANSWERED {
                    self.unanswered.pop_front();
                }
                self.unanswered.push_back(Sent { identifier, at: since });
                self.last_sent = Some(now.wall);
                self.problem = None;
            }
            Err(problem) => self.problem = Some(problem),
        }
        let is_crowded = self.unanswered.len() >= MAX_UNANSWERED;
        self.next = now.mono + if is_crowded { every.max(CROWDED_PAUSE) } else { every };
    }

    /// Whether this was sent and is not answered.
    pub(crate) fn awaits(&self, identifier: &str) -> bool {
        self.unanswered.iter().any(|sent| sent.identifier == identifier)
    }

    /// An answer has come to `identifier`; to the oldest that has none if that is not known, as from a person.
    pub(crate) fn answered(&mut self, identifier: Option<&str>, answer: Answer, now: Now) {
        let place = match identifier {
            Some(identifier) => self.unanswered.iter().position(|sent| sent.identifier == identifier),
            None => (!self.unanswered.is_empty()).then_some(0),
        };
        let Some(place) = place else { return };
        let was_crowded = self.unanswered.len() >= MAX_UNANSWERED;
        let Some(sent) = self.unanswered.drain(..=place).next_back() else { return };
        self.last_answer = Some((now.wall, answer, sent.at.age(now)));
        self.waiting = self.unanswered.front().map(|sent| sent.at);
        if was_crowded {
            self.next = now.mono;
        }
    }

    /// It has not left this MTA: that is no answer, and nothing else will come of it.
    pub(crate) fn returned(&mut self, identifier: &str, why: String) {
        self.unanswered.retain(|sent| sent.identifier != identifier);
        self.problem = Some(why);
    }

    /// What is to be told now: that an answer is late, later than that, or that they come again.
    pub(crate) fn look(&mut self, now: Now) -> Option<(EventKind, String)> {
        let age = self.waiting.map(|since| since.age(now)).unwrap_or_default();
        let level = match self.waiting {
            Some(_) if age >= self.settings.alarm_after => Level::Alarm,
            Some(_) if age >= self.settings.late_after => Level::Late,
            Some(_) | None => Level::OnTime,
        };
        let before = std::mem::replace(&mut self.level, level);
        let since = self.waiting.map_or(now.wall, |since| since.wall);
        self.spells.note(before, level, since, now.wall);
        let to = &self.settings.to;
        match (before, level) {
            (Level::OnTime, Level::OnTime) => None,
            (_, Level::OnTime) => {
                let (what, took) = self
                    .last_answer
                    .map_or(("answer", 0), |(_, answer, took)| (answer.name(), took.as_secs()));
                Some((
                    EventKind::LinkMonitorRecovered,
                    format!("{to} answers again: a {what} after {took} s"),
                ))
            }
            (before, level) if level > before => {
                let since = self.waiting.map(|since| since.wall.to_string()).unwrap_or_default();
                let why = self.problem.as_deref().map_or_else(String::new, |problem| format!("; {problem}"));
                let text =
                    format!("no answer from {to} to what was sent at {since}, {} s ago{why}", age.as_secs());
                let kind = match level {
                    Level::Alarm => EventKind::LinkMonitorAlarm,
                    Level::OnTime | Level::Late => EventKind::LinkMonitorLate,
                };
                Some((kind, text))
            }
            // Less late than before, or as late: that has been told.
            (_, _) => None,
        }
    }

    /// When to look again at the latest.
    pub(crate) fn next_look(&self) -> MonoTime {
        let late = self.waiting.map(|since| match self.level {
            Level::OnTime => since.reaches(self.settings.late_after),
            Level::Late => since.reaches(self.settings.alarm_after),
            Level::Alarm => self.next,
        });
        late.map_or(self.next, |late| late.min(self.next))
    }

    /// Since when there has been no answer, if that is longer than it should be.
    pub(crate) fn late_since(&self) -> Option<WallTime> {
        self.waiting.filter(|_| self.level > Level::OnTime).map(|since| since.wall)
    }

    /// How it stands.
    pub(crate) fn status(&self, now: Now) -> MonitorStatus {
        let settings = &self.settings;
        let state = match (self.level, self.last_answer) {
            (Level::Alarm, _) => "alarm",
            (Level::Late, _) => "late",
            (Level::OnTime, None) => "waiting",
            (Level::OnTime, Some(_)) => "on time",
        };
        MonitorStatus {
            name: settings.name.clone(),
            from: settings.from.to_string(),
            to: settings.to.to_string(),
            kind: settings.kind.name().to_owned(),
            every_s: settings.every.as_secs(),
            late_after_s: settings.late_after.as_secs(),
            alarm_after_s: settings.alarm_after.as_secs(),
            state: state.to_owned(),
            waiting_since: self.waiting.map(|since| since.wall.to_string()),
            waiting_s: self.waiting.map(|since| since.age(now).as_secs()),
            unanswered: self.unanswered.len(),
            last_sent: self.last_sent.map(|at| at.to_string()),
            last_answer: self.last_answer.map(|(at, _, _)| at.to_string()),
            answer: self.last_answer.map(|(_, answer, _)| answer.name().to_owned()),
            round_trip_s: self.last_answer.map(|(_, _, took)| took.as_secs()),
            next_in_s: self.next.saturating_since(now.mono).as_secs(),
            problem: self.problem.clone(),
            late: self.spells.status(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use agent::record::Record;

    use super::super::settings::MonitorKind;
    use super::*;

    fn at(seconds: u64) -> Now {
        let wall = WallTime::from_unix(1_795_321_800).plus_seconds(i64::try_from(seconds).unwrap());
        Now { mono: MonoTime::after_start(Duration::from_secs(seconds)), wall }
    }

    fn settings() -> MonitorSettings {
        MonitorSettings {
            name: "to-b".to_owned(),
            from: "S=monitor;P=ALPHA;A= ;C=GB".parse().unwrap(),
            to: "S=monitor;P=BETA;A= ;C=GB".parse().unwrap(),
            kind: MonitorKind::Probe,
            every: Duration::from_secs(60),
            late_after: Duration::from_secs(100),
            alarm_after: Duration::from_secs(300),
        }
    }

    /// Goes on from `from` to `to`, sending what is due and answering nothing; gives what is told.
    fn silence(watch: &mut Watch, from: u64, to: u64) -> Vec<(u64, EventKind)> {
        let mut told = Vec::new();
        for second in from..=to {
            let now = at(second);
            if watch.is_due(now) {
                watch.sent(Ok(second.to_string()), now);
            }
            told.extend(watch.look(now).map(|(kind, _)| (second, kind)));
            assert!(watch.unanswered.len() <= MAX_UNANSWERED);
        }
        told
    }

    #[test]
    fn an_answer_on_time_is_nothing_to_tell() {
        let mut watch = Watch::new(settings(), at(0));
        assert!(watch.is_due(at(0)));
        watch.sent(Ok("a".to_owned()), at(0));
        assert!(!watch.is_due(at(59)) && watch.is_due(at(60)));
        assert_eq!(watch.status(at(1)).state, "waiting");
        watch.answered(Some("a"), Answer::Delivery, at(3));
        assert_eq!(watch.look(at(500)), None);
        let status = watch.status(at(4));
        assert_eq!((status.state.as_str(), status.round_trip_s, status.unanswered), ("on time", Some(3), 0));
    }

    #[test]
    fn silence_is_late_then_an_alarm_and_told_once_each_until_an_answer_comes() {
        let mut watch = Watch::new(settings(), at(0));
        let told = silence(&mut watch, 0, 2_000);
        assert_eq!(told, [(100, EventKind::LinkMonitorLate), (300, EventKind::LinkMonitorAlarm)]);
        // An answer to an old one: those behind it are still waited for, and too long already.
        watch.answered(Some("60"), Answer::Delivery, at(2_001));
        assert_eq!(watch.look(at(2_001)), None);
        assert_eq!(watch.status(at(2_001)).state, "alarm");
        let newest = watch.unanswered.back().unwrap().identifier.clone();
        watch.answered(Some(&newest), Answer::NonDelivery, at(2_002));
        let (kind, text) = watch.look(at(2_002)).unwrap();
        assert_eq!(kind, EventKind::LinkMonitorRecovered);
        assert!(text.contains("a non-delivery report after"), "{text}");
        assert_eq!(watch.look(at(2_003)), None);
        let late = watch.status(at(2_003)).late;
        assert_eq!(late.len(), 1, "one time of silence: {late:?}");
        let spell = &late[0];
        assert_eq!(
            (spell.since.as_str(), spell.lasted_s, spell.alarm),
            ("2026-11-22T04:30:00Z", Some(2_002), true)
        );
    }

    #[test]
    fn what_is_not_answered_does_not_pile_up_and_the_link_is_found_to_work_again() {
        let mut watch = Watch::new(settings(), at(0));
        silence(&mut watch, 0, 86_400);
        // All that was sent so far is lost; the next that is sent is answered.
        let sent = watch.last_sent;
        let mut now = 86_400;
        while watch.last_sent == sent {
            now += 1;
            silence(&mut watch, now, now);
            assert!(now < 86_400 + 3_601, "nothing is sent any more");
        }
        watch.answered(Some(&now.to_string()), Answer::Delivery, at(now + 1));
        assert_eq!(watch.look(at(now + 1)).unwrap().0, EventKind::LinkMonitorRecovered);
    }

    #[test]
    fn times_of_silence_are_remembered_over_a_restart_and_not_without_end() {
        let mut watch = Watch::new(settings(), at(0));
        for turn in 0..30_u64 {
            let begin = turn * 1_000;
            watch.sent(Ok(format!("lost {turn}")), at(begin));
            assert_eq!(watch.look(at(begin + 100)).unwrap().0, EventKind::LinkMonitorLate);
            assert_eq!(watch.status(at(begin + 100)).late[0].lasted_s, None, "it goes on");
            watch.answered(Some(&format!("lost {turn}")), Answer::Delivery, at(begin + 110));
            assert_eq!(watch.look(at(begin + 110)).unwrap().0, EventKind::LinkMonitorRecovered);
        }
        let late = watch.status(at(30_000)).late;
        assert_eq!(
            (late.len(), late[0].lasted_s, late[0].alarm),
            (super::super::spells::MOST, Some(110), false)
        );
        assert!(late[0].since > late[19].since, "the newest first");
        let record = watch.record();
        let octets = record.encode();
        let again = Watch::restored(settings(), WatchRecord::decode(&octets).unwrap(), at(30_001));
        assert_eq!(again.status(at(30_001)).late, late);
        // What an earlier version has stored is read, and remembers none.
        let before = WatchRecord { spells: Spells::default(), ..record };
        let mut octets = before.encode();
        octets[0] = 1;
        assert_eq!(octets.pop(), Some(0));
        assert_eq!(WatchRecord::decode(&octets).unwrap(), before);
    }

    #[test]
    fn what_comes_back_from_here_is_no_answer() {
        let mut watch = Watch::new(settings(), at(0));
        watch.sent(Ok("a".to_owned()), at(0));
        watch.returned("a", "no connector".to_owned());
        assert!(!watch.awaits("a"));
        let (kind, text) = watch.look(at(100)).unwrap();
        assert_eq!(kind, EventKind::LinkMonitorLate);
        assert!(text.ends_with("; no connector"), "{text}");
    }

    #[test]
    fn a_submission_that_is_refused_counts_as_silence() {
        let mut watch = Watch::new(settings(), at(0));
        watch.sent(Err("the disk is full".to_owned()), at(0));
        assert_eq!(watch.look(at(100)).unwrap().0, EventKind::LinkMonitorLate);
        assert_eq!(watch.status(at(100)).problem.as_deref(), Some("the disk is full"));
    }

    #[test]
    fn a_restart_forgets_nothing_of_an_outage() {
        let mut watch = Watch::new(settings(), at(0));
        silence(&mut watch, 0, 150);
        let record = WatchRecord::decode(&watch.record().encode()).unwrap();
        // The monotonic clock begins anew.
        let now = |seconds: u64| Now {
            mono: MonoTime::after_start(Duration::from_secs(seconds)),
            ..at(250 + seconds)
        };
        let mut watch = Watch::restored(settings(), record, now(0));
        assert!(watch.is_due(now(0)));
        assert_eq!(watch.look(now(0)), None, "that it is late has been told");
        assert!(watch.next_look() <= MonoTime::after_start(Duration::from_secs(50)));
        assert_eq!(watch.look(now(50)).unwrap().0, EventKind::LinkMonitorAlarm);
        watch.answered(Some("120"), Answer::Delivery, now(51));
        assert_eq!(watch.look(now(51)).unwrap().0, EventKind::LinkMonitorRecovered);
        assert_eq!(watch.status(now(51)).round_trip_s, Some(181));
    }
}
