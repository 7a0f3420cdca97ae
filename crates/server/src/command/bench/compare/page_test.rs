//! A page that a browser does not draw shows nothing.

use super::write;
use crate::command::bench::compare::table::tests::report;

#[test]
fn the_page_has_a_bar_for_each_cell_and_every_tag_ends() {
    let page = write(&report());
    assert!(page.starts_with("<svg ") && page.trim_end().ends_with("</svg>"));
    for tag in ["text", "svg"] {
        let opened = page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // The ground, and for each of two routes four bars of C, P, R and T, and the legend of three.
    assert_eq!(page.matches("<rect ").count(), 1 + 2 * (4 * 4 + 3));
    assert!(page.contains("a&lt;b") && !page.contains("a<b"), "what was typed is text");
    assert!(!page.contains("NaN") && !page.contains("inf"));
}
