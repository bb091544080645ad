//! How long something took.

use std::time::Duration;

use jiff::Timestamp;

/// From one time to another; none where either is unknown.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Duration> {
    Some(Duration::try_from(to?.duration_since(from?)).unwrap_or_default())
}

/// `0.4 s`, `3.2 s`, `2 min 5 s`, `1 h 2 min`.
pub(crate) fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `3.2s`, `2m05s`, `1h02m`.
pub(crate) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_units() {
        let both = |ms| (text(Duration::from_millis(ms)), short(Duration::from_millis(ms)));
        assert_eq!(both(312), ("0.3 s".into(), "0.3s".into()));
        assert_eq!(both(3_200), ("3.2 s".into(), "3.2s".into()));
        assert_eq!(both(125_000), ("2 min 5 s".into(), "2m05s".into()));
        assert_eq!(both(3_720_000), ("1 h 2 min".into(), "1h02m".into()));
    }
}
