//! The sources that the file declares: what is read, what is printed, what is refused.

use fanfare::{
    cli::check,
    domain::{source::Dialect, value::Timestamp},
};

use super::{load, refusals::refusals, repository};

#[test]
fn a_file_declares_sources_in_their_order() {
    let toml = "log.level = \"warn\"\n\n[[source]]\nname = \"social\"\n\n[[source]]\nname = \"octocat/Hello-World\"\n\
                dialect = \"socialgateway\"\nevents = [\"moon.full\"]\nprivate = true\ninbound_secret = \"It's a Secret\"\n";
    let sources = load(toml, &[]).unwrap().config.sources;
    let [social, repository] = sources
        .iter()
        .map(|source| source.declared(Timestamp(7)))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(social.name.as_str(), "social");
    assert_eq!(social.dialect, Dialect::Websub);
    assert!(social.events.is_empty() && !social.private && social.inbound_secret.is_none());
    assert_eq!(repository.name.as_str(), "octocat/Hello-World");
    assert_eq!(repository.dialect, Dialect::SocialGateway);
    assert_eq!(repository.events[0].as_str(), "moon.full");
    assert!(repository.private);
    assert_eq!(repository.inbound_secret.unwrap().expose(), "It's a Secret");
    assert_eq!(repository.created_at, Timestamp(7));
}

#[test]
fn the_example_of_the_shipped_file_and_that_of_the_page_are_accepted() {
    let shipped = std::fs::read_to_string(repository("config.toml")).unwrap();
    let (_, example) = shipped.split_once("#\n# [[source]]\n").unwrap();
    let example: String = example
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .filter(|line| line.contains(" = "))
        .collect();
    let loaded = load(&format!("[[source]]\n{example}"), &[]).unwrap();
    assert_eq!(loaded.config.sources[0].dialect, Dialect::Mastodon);
    let short = "[[source]]\nname = \"social\"\ndialect = \"mastodon\"";
    assert_eq!(loaded.config, load(short, &[]).unwrap().config);

    let page = std::fs::read_to_string(repository("docs/settings.md")).unwrap();
    let (_, example) = page.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert_eq!(load(example, &[]).unwrap().config.sources.len(), 2);
}

#[test]
fn check_prints_each_source_with_its_origins_and_no_secret() {
    let toml = "[[source]]\nname = \"social\"\n\n[[source]]\nname = \"forum\"\ndialect = \"muut\"\ninbound_secret = \"hunter2hunter2\"\n";
    let loaded = load(toml, &[]).unwrap();
    let printed = check::render(&loaded);
    let (_, sources) = printed.split_once("[[source]]\n").unwrap();
    let (social, forum) = sources.split_once("[[source]]\n").unwrap();
    let line = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.unwrap().to_owned()
    };
    assert!(line(social, "name = \"social\" ").ends_with("config.toml:2"));
    assert!(line(social, "dialect = \"websub\" ").ends_with("# default"));
    assert!(line(forum, "dialect = \"muut\" ").ends_with("config.toml:6"));
    assert!(line(forum, "inbound_secret = \"********\" ").ends_with("config.toml:7"));
    assert!(!printed.contains("hunter2") && !format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn what_is_wrong_with_a_source_is_said_with_its_place() {
    let cases = [
        (
            "name = 5",
            "source.name: 5 is not a text in quotes, such as \"social\"",
        ),
        (
            "name = \"a/b/c\"",
            "source.name: \"a/b/c\" is not the name of a source; a name is one or two segments of letters, digits, `.`, \
             `_` and `-`, such as social or octocat/hello-world",
        ),
        (
            "name = \"API/x\"",
            "source.name: \"API/x\" cannot be the name of a source, since the hub's own pages are at /api; choose another",
        ),
        (
            "name = \"Fanfare\"",
            "source.name: \"Fanfare\" cannot be declared: it is the hub's own source, on which it raises events about \
             itself; choose another name",
        ),
        (
            "dialect = \"mastadon\"",
            "source.dialect: \"mastadon\" is not a choice; the choices are: websub, mastodon, pleroma, muut, socialgateway; \
             did you mean \"mastodon\"?",
        ),
        (
            "events = \"push\"",
            "source.events: \"push\" is not a list of texts in quotes",
        ),
        (
            "events = [\"push\", \"Moon Full\"]",
            "source.events: \"Moon Full\" is not the name of an event; a name has 1 to 64 lower-case letters, digits, `_`, \
             `-` and dots between them, such as account.created or pull_request",
        ),
        (
            "private = \"yes\"",
            "source.private: \"yes\" is not true or false",
        ),
        (
            "inbound_secret = [\"hunter2\"]",
            "source.inbound_secret: [\"********\"] is not a text in quotes",
        ),
        (
            "dialct = \"muut\"",
            "source.dialct is not a setting; did you mean source.dialect?",
        ),
        (
            "events.push = true",
            "source.events is a setting, not a section; write source.events = ...",
        ),
    ];
    for (line, sentence) in cases {
        let name = match line.starts_with("name") {
            true => "",
            false => "name = \"social\"",
        };
        assert_eq!(
            refusals(&format!("[[source]]\n{name}\n{line}\n"), &[]),
            [format!("config.toml:3: {sentence}")]
        );
    }
    let long = format!(
        "[[source]]\nname = \"social\"\ninbound_secret = {:?}",
        "x".repeat(200)
    );
    let sentence = "source.inbound_secret: the secret has 200 bytes; the most is 199";
    assert_eq!(refusals(&long, &[]), [format!("config.toml:3: {sentence}")]);
}

#[test]
fn each_source_has_a_name_of_its_own() {
    let toml = "[[source]]\ndialect = \"muut\"\n\n[[source]]\nname = \"social\"\n[[source]]\nname = \"Social\"\n";
    let refused = refusals(toml, &[]);
    assert_eq!(
        refused[0],
        "config.toml:1: this [[source]] has no name; write for example name = \"social\" below it"
    );
    assert!(
        refused[1].starts_with("config.toml:7: source.name: \"Social\" is declared already (/"),
        "{refused:?}"
    );
    assert!(
        refused[1].ends_with("config.toml:5), and upper and lower case are the same; give each source a name of its own"),
        "{refused:?}"
    );
    assert_eq!(refused.len(), 2, "{refused:?}");
}

#[test]
fn sources_are_declared_below_their_own_header_and_nowhere_else() {
    let header =
        "a file may declare many sources; write [[source]] once for each and its settings below it";
    for toml in [
        "[source]\nname = \"social\"",
        "source.name = \"social\"",
        "source = \"social\"",
        "source = [{ name = \"social\" }]",
    ] {
        assert_eq!(refusals(toml, &[]), [format!("config.toml:1: {header}")]);
    }
    assert_eq!(
        refusals("[[sorces]]\nname = \"social\"", &[]),
        ["config.toml:1: [sorces] is not a section; did you mean [[source]]?"]
    );
    for name in [
        "FANFARE_SOURCE__NAME",
        "FANFARE_SOURCES",
        "FANFARE_SOURCE_0_NAME",
    ] {
        assert_eq!(
            refusals("", &[(name, "social")]),
            [format!(
                "{name}: no variable declares a source; write [[source]] and its settings below it in config.toml"
            )]
        );
    }
}
