//! Tables for people: columns without lines, as wide as the terminal allows.

use comfy_table::{ContentArrangement, Table, presets};

use crate::text::clean;
use crate::ui::width;

/// A table with a header.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    render(header, rows, width())
}

fn render(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.iter().map(|name| name.to_uppercase()));
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell).into_owned()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let rows = vec![
            vec!["a".into(), "x\u{7}".into()],
            vec!["longer".into(), String::new()],
        ];
        assert_eq!(
            render(&["id", "what"], rows, None),
            "ID      WHAT\na       x\nlonger"
        );
    }
}
