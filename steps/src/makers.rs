//! Who made what exists: a machine of a driver that the journal does not know is neither used nor deleted.

use mesosflow_workflow::{Driver, ErrorClass};

use crate::act::ActError;
use crate::remote::error::TAKE_OVER;

/// Refuses what a driver has made that this journal does not know: there is a newer copy of the journal, and a machine of
/// that one's must neither be used here nor deleted.
pub(crate) fn refuse_stranger(
    what: &str,
    driver: Option<Driver>,
    knows: impl Fn(&Driver) -> bool,
) -> Result<(), ActError> {
    match driver.filter(|driver| !knows(driver)) {
        None => Ok(()),
        Some(stranger) => Err(ActError::Unmet {
            what: format!(
                "{what} was made by another driver of this cluster (epoch {}), which is not in this journal",
                stranger.epoch
            ),
            class: ErrorClass::Fenced,
            hint: Some(TAKE_OVER.to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{Epoch, Nonce, StepError as _};

    use super::*;

    #[test]
    fn a_machine_of_a_driver_that_the_journal_does_not_know_is_refused() {
        let driver = |epoch| Driver {
            epoch: Epoch(epoch),
            nonce: Nonce::generate(),
        };
        let (own, older, same) = (driver(5), driver(4), driver(5));
        let refuse = |found| refuse_stranger("`demo-master-1`", found, |driver| *driver == own);
        refuse(Some(own)).unwrap();
        // Made by a version that said nothing of it.
        refuse(None).unwrap();
        for stranger in [older, same] {
            let error = refuse(Some(stranger)).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Fenced);
            assert!(error.to_string().contains("`demo-master-1`"), "{error}");
            assert!(error.hint().unwrap().contains("resume RUN --take-over"));
        }
    }
}
