//! The program `chappe`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chappe::main()
}
