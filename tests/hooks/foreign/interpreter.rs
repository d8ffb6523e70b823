//! Node.js and Python with the libraries loaded, each started once for all tests. In: a question, as a line of JSON. Out: the
//! answer, `accepted` with a value or `refused` with a reason; a question that could not be answered is a panic.
//!
//! They end when their input does, which is when the tests end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::Verdict;
use crate::installed::installed;

/// Node.js with the packages of npm.
pub static NODE: LazyLock<Interpreter> = LazyLock::new(|| {
    // What is evaluated finds its packages from the folder it runs in, ES modules included.
    let packages = installed("node_modules/@octokit/openapi");
    let folder = packages.ancestors().nth(3).expect("target/foreign");
    let mut command = Command::new("node");
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval"])
        .arg(include_str!("verifiers.mjs"));
    Interpreter::start(command)
});

/// Python with the packages of PyPI.
pub static PYTHON: LazyLock<Interpreter> = LazyLock::new(|| {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg("-c").arg(include_str!("verifiers.py"));
    Interpreter::start(command)
});

/// A process that answers one question after the other.
pub struct Interpreter(Mutex<Conversation>);

struct Conversation {
    process: Child,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Accepted(Value),
    Refused(String),
    Broken(String),
}

impl Interpreter {
    fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{:?}: {error}; ./tests/run installs what is needed",
                    command.get_program()
                )
            });
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        Self(Mutex::new(Conversation { process, answers }))
    }

    /// Asks.
    pub fn ask(&self, question: Value) -> Verdict<Value> {
        let line = self.exchange(&format!("{question}\n"));
        match serde_json::from_str(&line) {
            Ok(Answer::Accepted(value)) => Ok(value),
            Ok(Answer::Refused(reason)) => Err(reason),
            Ok(Answer::Broken(error)) => panic!("{error}\nto the question {question}"),
            Err(_) => panic!(
                "the interpreter ended: do its packages fit? ./tests/run installs them; it said {line:?}"
            ),
        }
    }

    fn exchange(&self, question: &str) -> String {
        let mut conversation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let questions = conversation.process.stdin.as_mut().expect("piped");
        let asked = questions.write_all(question.as_bytes());
        let mut answer = String::new();
        let answered = asked.and_then(|()| conversation.answers.read_line(&mut answer));
        answered.map_or_else(|error| error.to_string(), |_| answer)
    }
}
