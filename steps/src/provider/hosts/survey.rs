//! Every host looked at before a run is created, all at once, and everything that is wrong told together.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};

use super::login::{Host, Trouble, taken, together};
use super::marks;
use super::provider::HostsProvider;
use crate::provider::ProviderError;
use crate::remote::Session;

/// How many hosts are talked to at the same time.
pub(super) const AT_ONCE: usize = 16;

impl HostsProvider {
    /// Sees that every host answers with its pinned key, lets the user in as root, has what the set-up needs, and belongs
    /// to no cluster. Changes nothing.
    ///
    /// # Errors
    /// Which hosts are not so, why, and what to do about each.
    pub async fn survey(&self) -> Result<(), ProviderError> {
        self.on_each(|host| async move { self.fit(host).await.map(drop) })
            .await
            .map(drop)
    }

    /// The same of one host; the session with it.
    ///
    /// # Errors
    /// Why it is not so.
    pub(super) async fn fit(&self, host: &Host) -> Result<Arc<Session>, Trouble> {
        let entry = self.logins().enter(host).await?;
        if let Some(held) = marks::look(&entry.session, "").await?.owner {
            return Err(taken(&held));
        }
        if self.gives_mesos(host) && !marks::has_mesos(&entry.session).await? {
            return Err(Trouble::new(
                "has no Mesos under /root/mesos, and nothing says where else it comes from",
                "name a build: `--mesos-url TARBALL`, or `source` and `url` under `[mesos]` in mesosflow.toml",
            ));
        }
        match marks::lacks(&entry.session, self.has_firewall())
            .await?
            .as_slice()
        {
            [] => Ok(entry.session),
            lacks => Err(Trouble::new(
                format!("lacks {}", lacks.join(", ")),
                "install it there: mesosflow does that itself only on debian12, ubuntu22.04, ubuntu24.04 and al2023",
            )),
        }
    }

    /// Does the same with every host, a number of them at once.
    ///
    /// # Errors
    /// What it gave for all those that it failed for.
    pub(super) async fn on_each<'h, T, F>(
        &'h self,
        act: impl Fn(&'h Host) -> F,
    ) -> Result<Vec<T>, ProviderError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let act = &act;
        let doing: Vec<_> = self
            .hosts()
            .iter()
            .map(|host| async move { (host, act(host).await) })
            .collect();
        let ended: Vec<_> = stream::iter(doing).buffered(AT_ONCE).collect().await;
        let all = ended.len();
        let (mut done, mut troubles) = (Vec::new(), Vec::new());
        for (host, result) in ended {
            match result {
                Ok(given) => done.push(given),
                Err(trouble) => troubles.push((host, trouble)),
            }
        }
        if troubles.is_empty() {
            Ok(done)
        } else {
            Err(together(troubles, all))
        }
    }
}
