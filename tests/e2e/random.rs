//! Random moments that can be had again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

/// Whether everything is asked for of what usually is a sample: `make sweep`.
pub(crate) fn is_sweep() -> bool {
    std::env::var_os("MESOSFLOW_TEST_SWEEP").is_some()
}

/// A small generator (xorshift64*) whose seed is shown with a failure and can be given again as `MESOSFLOW_TEST_SEED`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let given = std::env::var("MESOSFLOW_TEST_SEED")
            .ok()
            .map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("MESOSFLOW_TEST_SEED={seed}");
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}
