//! The `mesosflow` program.

fn main() -> std::process::ExitCode {
    mesosflow::main()
}
