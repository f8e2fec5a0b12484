//! Every target with its seeds, with all that was ever found, and with changes of both that do not depend on chance.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

use fuzzing::{Seed, TARGETS, run, seeds};

/// Inputs that once broke a law, by target.
fn finds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("finds").join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A generator whose numbers are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn changed(octets: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(octets.len());
        match (numbers.below(5), octets.get_mut(at)) {
            (0, Some(octet)) => *octet = numbers.below(256) as u8,
            (1, Some(octet)) => *octet ^= 1 << numbers.below(8),
            (2, Some(_)) => octets.truncate(at),
            (3, Some(_)) => {
                octets.remove(at);
            }
            _ => octets.insert(at, numbers.below(256) as u8),
        }
    }
    octets
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() {
    let seeds = seeds();
    for target in TARGETS {
        let count = seeds.iter().filter(|seed| seed.target == target.name).count();
        assert!(count > 0, "{} has no seeds", target.name);
    }
    assert!(seeds.iter().all(|seed| TARGETS.iter().any(|target| target.name == seed.target)));
}

#[test]
fn seeds_break_no_law() {
    for Seed { target, octets } in seeds() {
        run(target, &octets);
    }
}

#[test]
fn changed_seeds_break_no_law() {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let seeds = seeds();
    for target in TARGETS {
        let inputs: Vec<Vec<u8>> = seeds
            .iter()
            .filter(|seed| seed.target == target.name && seed.octets.len() < 4_000)
            .map(|seed| seed.octets.clone())
            .chain(finds(target.name).into_iter().map(|(_, octets)| octets))
            .collect();
        for _ in 0..2_000 {
            let input = &inputs[numbers.below(inputs.len())];
            (target.run)(&changed(input, &mut numbers));
        }
    }
}

#[test]
fn what_was_found_stays_fixed() {
    for target in TARGETS {
        for (path, octets) in finds(target.name) {
            println!("{}", path.display());
            (target.run)(&octets);
        }
    }
}

/// Each target has a binary, and each binary a target.
#[test]
fn the_fuzz_workspace_has_the_same_targets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut binaries: Vec<String> = fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    binaries.sort();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    names.sort_unstable();
    assert_eq!(binaries, names);
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}
