//! The `Link` header: whatever is read can be written again, and says the same then.
#![no_main]

use fanfare::domain::link;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    for found in link::parse([header]) {
        assert!(!found.rels.is_empty());
        let written = link::format(&found.target, &[&found.target]);
        let again = link::parse([written.as_bytes()]);
        assert_eq!(again.len(), 2);
        assert!(again[0].is("self") && again[1].is("hub"));
        if link::is_plain(&found.target) {
            assert_eq!(again[0].target, found.target);
        }
    }
});
