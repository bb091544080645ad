//! Who made a thing, in its tags: a journal that does not know that driver is an older copy of the one which does.
//!
//! Providers know no epochs and refuse nobody. What tells two journals of one cluster apart before there is a node that can
//! refuse is the driver that each machine names.

use mesosflow_workflow::{Driver, Epoch};

/// A driver as the value of a tag: `EPOCH-NONCE`.
pub fn driver_tag(driver: &Driver) -> String {
    format!("{}-{}", driver.epoch, driver.nonce)
}

/// The driver that the value of a tag names; none where the tag is missing, or is nobody's that this version knows.
pub fn driver_in(tag: &str) -> Option<Driver> {
    let (epoch, nonce) = tag.split_once('-')?;
    Some(Driver {
        epoch: Epoch(epoch.parse().ok()?),
        nonce: nonce.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::Nonce;

    use super::*;

    #[test]
    fn a_driver_is_read_as_it_was_written() {
        let driver = Driver {
            epoch: Epoch(u64::MAX),
            nonce: Nonce::generate(),
        };
        let tag = driver_tag(&driver);
        assert!(tag.len() <= 256, "{tag}");
        assert_eq!(driver_in(&tag), Some(driver));
        for none in ["", "7", "7-", "-0123456789abcdef", "x-0123456789abcdef", "7-0123"] {
            assert_eq!(driver_in(none), None, "{none}");
        }
    }
}
