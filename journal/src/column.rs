//! Values as they stand in columns, and what tells that they are as they were written.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};
use sha2::{Digest, Sha256};

/// SHA-256 over numbers and texts, each text behind its length.
pub(crate) fn digest(numbers: &[i64], texts: &[Option<&str>]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for number in numbers {
        hash.update(number.to_le_bytes());
    }
    for text in texts {
        // A length that no text has stands for a missing one.
        hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
        hash.update(text.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

/// A time as text whose order is the order of time: always nine digits after the point.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Reads a column with anything that parses from text.
pub(crate) fn parsed<T>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// A column as text, whatever is in it.
pub(crate) fn text(row: &Row<'_>, column: usize) -> String {
    match row.get_ref(column) {
        Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// A column as a number; one that no column of ours has where there is none.
pub(crate) fn number(row: &Row<'_>, column: usize) -> i64 {
    row.get(column).unwrap_or(-1)
}

/// A counter as SQLite keeps it. None ever gets near 2⁶³.
pub(crate) fn integer(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_times_sort_as_the_times() {
        let times = [
            "2026-03-01T09:30:00Z",
            "2026-03-01T09:30:00.5Z",
            "2026-03-01T09:30:01Z",
        ];
        let texts: Vec<String> = times.iter().map(|at| time(at.parse().unwrap())).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts[1], "2026-03-01T09:30:00.500000000Z");
    }
}
