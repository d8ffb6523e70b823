//! What the command line says of itself: help, completions, pages for `man`.

use std::process::Command;

use crate::support::fanfare;

#[test]
fn the_help_has_headings_examples_and_the_exit_codes() {
    let help = fanfare(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    for text in [
        "\nAny hub:\n  discover       Show which hubs",
        "\nThe shell:\n",
        "\nOptions:\n  -h, --help",
        "\nExit codes:\n  0  done\n",
        "\n  5  nobody answered",
    ] {
        assert!(help.out.contains(text), "{text:?}:\n{}", help.out);
    }
    let leaf = fanfare(&["hooks", "ping", "--help"]).out;
    assert!(leaf.contains("\nThe hub:\n      --url <URL>"), "{leaf}");
    assert!(
        leaf.ends_with("\nExamples:\n  fanfare hooks ping 3\n"),
        "{leaf}"
    );
    let deny = fanfare(&["subscriptions", "deny", "--help"]).out;
    assert!(
        deny.ends_with("      --reason 'the callback has been down for a month'\n"),
        "{deny}"
    );
}

#[test]
fn bash_completes_verbs_and_flags() {
    let script = "source <(\"$0\" completions bash); COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _fanfare fanfare \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                  echo \"${COMPREPLY[@]}\"";
    let completed = |words: &[&str]| {
        let shell = Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_fanfare"), "fanfare"])
            .args(words)
            .output()
            .expect("bash");
        String::from_utf8(shell.stdout)
            .expect("UTF-8")
            .trim_end()
            .to_owned()
    };
    assert_eq!(completed(&["sub"]), "subscribe subscriptions");
    assert_eq!(completed(&["subscriptions", "d"]), "deny");
    assert_eq!(completed(&["topics", "list", "--se"]), "--search");
}

#[test]
fn other_shells_get_their_scripts_and_unknown_ones_are_told_which_there_are() {
    for (shell, text) in [
        ("zsh", "#compdef fanfare"),
        ("fish", "complete -c fanfare"),
        ("elvish", "edit:completion:arg-completer[fanfare]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = fanfare(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.err);
        assert!(script.out.contains(text), "{shell}");
        assert!(script.out.contains("callback-host"), "{shell}");
    }
    let unknown = fanfare(&["completions", "csh"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.err.contains("bash, elvish, fish"),
        "{}",
        unknown.err
    );
}

#[test]
fn the_manual_has_a_page_for_each_verb() {
    let page = fanfare(&["man"]);
    assert_eq!(page.code, Some(0), "{}", page.err);
    assert!(page.out.contains("\n.TH fanfare 1 "), "{}", page.out);
    assert!(page.out.contains("nobody answered"), "{}", page.out);
    let page = fanfare(&["man", "subscriptions", "deny"]).out;
    assert!(
        page.contains("\n.TH fanfare\\-subscriptions\\-deny 1 ")
            || page.contains("\n.TH fanfare-subscriptions-deny 1 "),
        "{page}"
    );
    assert!(
        page.contains("what the callback is told") || page.contains("What the callback is told"),
        "{page}"
    );
    let none = fanfare(&["man", "hooks", "dance"]);
    assert_eq!(none.code, Some(2));
    assert!(
        none.err.contains("there is no verb \"hooks dance\""),
        "{}",
        none.err
    );

    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("man1");
    let written = fanfare(&["man", "--dir", dir.to_str().expect("UTF-8")]);
    assert_eq!(
        (written.code, written.out.as_str()),
        (Some(0), ""),
        "{}",
        written.err
    );
    for name in ["fanfare.1", "fanfare-serve.1", "fanfare-topics-ping.1"] {
        assert!(dir.join(name).is_file(), "{name}");
    }
}
