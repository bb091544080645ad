//! Progress as it happens: the engine tells its events, a task shows them.

use std::sync::Arc;

use mesosflow_workflow::{Observer, Recorded, RunState};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::{live::Live, plain::Plain, show::Show};
use crate::ui::Ui;

enum Message {
    Event(Box<Recorded>),
    Say(String),
    End,
}

/// The task that shows progress, and the way to it.
pub(crate) struct Announcer {
    messages: UnboundedSender<Message>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Begins to show the progress of a run that stands as `state`, or does not exist yet.
    pub(crate) fn begin(ui: Ui, mut state: Option<RunState>) -> Self {
        let (messages, mut received) = unbounded_channel();
        let mut show: Box<dyn Show> = if ui.live {
            Box::new(Live::new())
        } else {
            Box::new(Plain::new(ui))
        };
        let task = tokio::spawn(async move {
            while let Some(message) = received.recv().await {
                match message {
                    Message::Event(recorded) => {
                        match &mut state {
                            // The engine has folded it before; what it refuses is never told.
                            Some(state) => drop(state.apply(&recorded)),
                            None => state = RunState::begin(&recorded).ok(),
                        }
                        show.event(&recorded, state.as_ref());
                    }
                    Message::Say(text) => show.say(&text),
                    Message::End => break,
                }
            }
            show.end();
        });
        Self { messages, task }
    }

    /// What the engine tells its events. Only sends.
    pub(crate) fn observer(&self) -> Observer {
        let messages = self.messages.clone();
        Arc::new(move |recorded| {
            let _ended = messages.send(Message::Event(Box::new(recorded.clone())));
        })
    }

    /// A way to say something in between.
    pub(crate) fn voice(&self) -> impl Fn(&str) + Send + 'static {
        let messages = self.messages.clone();
        move |text| {
            let _ended = messages.send(Message::Say(text.to_owned()));
        }
    }

    /// Shows what was told so far, and ends.
    pub(crate) async fn end(self) {
        let _ended = self.messages.send(Message::End);
        let _shown = self.task.await;
    }
}
