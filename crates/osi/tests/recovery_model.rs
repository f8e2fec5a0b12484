//! A line that is cut after any octet: whatever the mode, the dialogue, the window and the way back, the message arrives,
//! once, and little of it is sent twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "support/recovery.rs"]
mod recovery;

use std::rc::Rc;

use ber::Oid;
use osi::rtse::{DialogueMode, Mode};
use osi::stack::{ApplicationContext, StackConfig};
use recovery::{A, B, Setup, Way, World};

/// What all runs of a mode came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    runs: usize,
    /// Runs in which the transfer went on from a checkpoint.
    resumed: usize,
    /// Runs in which a message that had been accepted was sent again and passed over.
    passed_over: usize,
    /// Runs in which the receiver knew nothing of the transfer any more.
    refused: usize,
    /// Runs in which the message came a second time as a whole.
    again: usize,
}

fn application() -> ApplicationContext {
    ApplicationContext {
        application_context: Oid::from_arcs(&[2, 6, 0, 1, 6]).unwrap(),
        bind_and_rtse_syntax: Oid::from_arcs(&[2, 6, 0, 2, 12]).unwrap(),
        apdu_syntax: Oid::from_arcs(&[2, 6, 0, 2, 7]).unwrap(),
    }
}

fn config(mode: Mode, dialogue_mode: DialogueMode, window_size: u32) -> StackConfig {
    let mut config = StackConfig::new(application());
    config.rtse.mode = mode;
    config.rtse.application_protocols = vec![12, 1];
    config.rtse.dialogue_mode = dialogue_mode;
    config.rtse.checkpoint_size_kb = 1;
    config.rtse.window_size = window_size;
    config
}

/// One encoding of a bit more than three segments.
fn message() -> Rc<Vec<u8>> {
    let contents: Vec<u8> = (0..3_080).map(|i: usize| (i * 7 + i / 256) as u8).collect();
    Rc::new(ber::Writer::encode(|w| w.primitive(ber::Tag::OCTET_STRING, &contents)))
}

fn cut_after_every_octet(mode: Mode) -> Sum {
    let mut sum = Sum::default();
    for (dialogue_mode, sender) in
        [(DialogueMode::Monologue, A), (DialogueMode::TwoWayAlternate, A), (DialogueMode::TwoWayAlternate, B)]
    {
        for (way, windows) in [(Way::Recover, 1..=3), (Way::Open, 2..=2), (Way::Forgetful, 3..=3)] {
            for window_size in windows {
                let config = config(mode, dialogue_mode, window_size);
                let mut uncut = World::new(Setup { config, way, sender, message: message() });
                loop {
                    let mut world = uncut.clone();
                    world.cut();
                    world.recover();
                    judge(&world, way, sender, window_size, &mut sum);
                    if uncut.carry_octet().is_none() {
                        break;
                    }
                }
                // Nothing happens without a cut.
                uncut.settle();
                let mut one = Sum::default();
                judge(&uncut, way, sender, window_size, &mut one);
                assert_eq!(one, Sum { runs: 1, ..Sum::default() });
            }
        }
    }
    sum
}

fn judge(world: &World, way: Way, sender: usize, window_size: u32, sum: &mut Sum) {
    assert!(world.is_over(), "both ends have ended");
    let (sender, receiver) = (&world.users[sender], &world.users[1 - sender]);
    assert_eq!((sender.confirmed, receiver.delivered), (1, 1));
    let twice = sender.given - message().len();
    match way {
        Way::Recover | Way::Open => {
            assert!(twice <= window_size as usize * 1024, "{twice} octets were sent twice");
            assert_eq!(sender.failed, 0);
        }
        Way::Forgetful => assert!(sender.failed <= 1 && receiver.resumed == 0),
    }
    assert!(receiver.asked_for_end <= 2 && receiver.resumed <= 1 && receiver.passed_over <= 1);
    sum.runs += 1;
    sum.resumed += receiver.resumed;
    sum.passed_over += receiver.passed_over;
    sum.refused += sender.failed;
    sum.again += receiver.asked_for_end - 1;
}

#[test]
fn normal_mode() {
    assert_eq!(
        cut_after_every_octet(Mode::Normal1988),
        Sum { runs: 56_245, resumed: 18_020, passed_over: 280, refused: 2_439, again: 98 }
    );
}

#[test]
fn x410_mode_of_1988() {
    assert_eq!(
        cut_after_every_octet(Mode::X410 { application_protocol: 12 }),
        Sum { runs: 52_270, resumed: 17_452, passed_over: 280, refused: 2_335, again: 98 }
    );
}

#[test]
fn x410_mode_of_1984() {
    assert_eq!(
        cut_after_every_octet(Mode::X410 { application_protocol: 1 }),
        Sum { runs: 52_270, resumed: 17_452, passed_over: 280, refused: 2_335, again: 98 }
    );
}

/// Without checkpoints there is nothing to resume: the message is sent again as a whole, and arrives once all the same.
#[test]
fn without_checkpoints() {
    let mut runs = 0;
    for mode in [Mode::Normal1988, Mode::X410 { application_protocol: 12 }] {
        for way in [Way::Recover, Way::Open, Way::Forgetful] {
            let mut config = config(mode, DialogueMode::Monologue, 1);
            config.rtse.checkpoint_size_kb = 0;
            config.rtse.segment_octets_max = 1024;
            config.pass_on_above = 100;
            let mut uncut = World::new(Setup { config, way, sender: A, message: message() });
            loop {
                let mut world = uncut.clone();
                world.cut();
                world.recover();
                assert!(world.is_over(), "both ends have ended");
                let (sender, receiver) = (&world.users[A], &world.users[B]);
                assert_eq!((sender.confirmed, receiver.delivered, receiver.resumed), (1, 1, 0));
                assert!(sender.given <= 2 * message().len());
                runs += 1;
                if uncut.carry_octet().is_none() {
                    break;
                }
            }
            uncut.settle();
            assert_eq!((uncut.users[A].given, uncut.users[B].delivered), (message().len(), 1));
        }
    }
    assert!(runs > 20_000, "{runs}");
}
