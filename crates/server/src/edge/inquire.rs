//! Asking the application's backend, where the edge waits for it: who sends a request, and what
//! becomes of what is published by it.

use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, End};
use fanfare_protocol::native::batch::BatchItem;
use fanfare_protocol::native::change::ChangeItem;
use fanfare_protocol::native::channels::Each;
use fanfare_protocol::native::head::Head;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::reading::{Reading, Transport};
use fanfare_protocol::native::route::Route;
use futures_util::{StreamExt, stream};
use tokio::time::{Duration, Instant};

use super::Shared;
use super::connection::Origin;
use crate::auth::{self, Caller};
use crate::hooks::{AT_ONCE, Facts, Questions, unanswered};
use crate::limit::ClientAddress;

/// How long all questions of one request may take together: a batch asks one for each item.
const TOGETHER_WITHIN: Duration = Duration::from_secs(60);

impl Shared {
    /// What the backend is shown of a request; nothing if it is asked nothing.
    pub(super) fn facts(&self, head: &Head<'_>, address: ClientAddress, route: &Route) -> Facts {
        match &self.hooks {
            Some(hooks) => hooks.facts(head, address, transport_of(route)),
            None => Facts::default(),
        }
    }

    /// Who sends a request, as far as the backend has to be asked: those who read and show nothing,
    /// and those who could do nothing else without being known. Who begins to read is also asked
    /// about, channel by channel.
    pub(super) async fn introduced(
        &self,
        caller: Caller,
        (route, from): (&Route, &Origin),
        facts: &Facts,
    ) -> Caller {
        let Some(hooks) = &self.hooks else { return caller };
        let channels = match route {
            Route::Read(reading) => {
                return self.opens(hooks, caller, (reading, from), facts).await;
            }
            _ if !hooks.asks_who(&caller) || self.may_unknown(&caller, route) => return caller,
            Route::Publish(publishing) => names(publishing.channels.iter().flatten()),
            Route::Remove(channels) => names(channels.iter().flatten()),
            Route::History(request) => names([&request.channel]),
            Route::Presence(request) => names([&request.channel]),
            Route::Batch(_) | Route::Change(_) => Vec::new(),
            Route::Preflight | Route::ChannelPage(_) | Route::Other => return caller,
        };
        Box::pin(hooks.introduce(caller, facts, channels)).await
    }

    async fn opens(
        &self,
        hooks: &Questions,
        caller: Caller,
        (reading, from): (&Reading, &Origin),
        facts: &Facts,
    ) -> Caller {
        let subscriptions = &reading.subscriptions;
        if reading.refusal.is_some() || !hooks.asks_to_open(&caller, subscriptions) {
            return caller;
        }
        // Who goes takes the question along.
        from.leave_with_client();
        Box::pin(hooks.admit(&self.access, caller, facts, subscriptions)).await
    }

    /// Whether somebody may do this whoever they are. Whose a stream is has to be known.
    fn may_unknown(&self, caller: &Caller, route: &Route) -> bool {
        let may = match route {
            Route::Publish(publishing) => {
                let mut channels = publishing.channels.iter().flatten();
                let end = publishing.end();
                channels.try_for_each(|channel| self.access.may_publish(caller, channel, end))
            }
            Route::Batch(_) => self.access.may_publish_somewhere(caller),
            Route::Remove(channels) => {
                let mut channels = channels.iter().flatten();
                channels.try_for_each(|channel| self.access.may_remove(caller, channel))
            }
            Route::History(request) => self.access.may_look_back(caller, &request.channel),
            Route::Presence(request) => self.access.may_list(caller, &request.channel),
            _ => return false,
        };
        may.is_ok()
    }

    /// What becomes of publishes that the caller may make, each in its place.
    pub(super) async fn publications(
        &self,
        drafts: Vec<Each<Draft>>,
        (caller, facts): (&Caller, &Facts),
    ) -> Vec<Each<Draft>> {
        let Some(hooks) = &self.hooks else { return drafts };
        let asks = |each: &Each<Draft>| {
            each.as_ref().is_ok_and(|(channel, _)| hooks.asks_to_publish(caller, channel))
        };
        if !drafts.iter().any(asks) {
            return drafts;
        }
        let until = Instant::now() + TOGETHER_WITHIN;
        let asked: Vec<_> = drafts
            .into_iter()
            .map(|each| async move {
                let (channel, draft) = each?;
                let draft = Box::new(draft);
                let until = Some(until);
                let draft = hooks.publication(caller, facts, &channel, draft, until).await?;
                Ok((channel, *draft))
            })
            .collect();
        Box::pin(stream::iter(asked).buffered(AT_ONCE).collect()).await
    }

    /// The same for the items of a batch.
    pub(super) async fn items(
        &self,
        items: Vec<BatchItem>,
        asker: (&Caller, &Facts),
    ) -> Vec<BatchItem> {
        if self.hooks.is_none() {
            return items;
        }
        // Asked about in one row, and put back as they stood.
        let mut forms = Vec::with_capacity(items.len());
        let mut drafts = Vec::with_capacity(items.len());
        for item in items {
            match item {
                BatchItem::One(channel, draft) => {
                    forms.push(Form::One);
                    drafts.push(Ok((channel, *draft)));
                }
                BatchItem::Several(each) => {
                    forms.push(Form::Several(each.len()));
                    drafts.extend(each);
                }
                BatchItem::Refused(problem) => forms.push(Form::Refused(problem)),
            }
        }
        let mut drafts = self.publications(drafts, asker).await.into_iter();
        let item = |form| match form {
            Form::One => match drafts.next() {
                Some(Ok((channel, draft))) => BatchItem::One(channel, Box::new(draft)),
                Some(Err(problem)) => BatchItem::Refused(problem),
                None => BatchItem::Refused(unanswered()),
            },
            Form::Several(count) => BatchItem::Several(drafts.by_ref().take(count).collect()),
            Form::Refused(problem) => BatchItem::Refused(problem),
        };
        forms.into_iter().map(item).collect()
    }

    /// What becomes of changes of a stream, where it is asked who may read the channels.
    pub(super) async fn changes(
        &self,
        items: Vec<ChangeItem>,
        (caller, facts): (&Caller, &Facts),
    ) -> Vec<ChangeItem> {
        let Some(hooks) = &self.hooks else { return items };
        let asked: Vec<_> = items
            .into_iter()
            .map(|item| async move {
                let ChangeItem::Add { channel, notices, .. } = &item else { return item };
                // Who may not anyway is told so.
                if self.access.may_attach(caller, channel, *notices).is_err() {
                    return item;
                }
                match hooks.may_read(caller, facts, channel).await {
                    Ok(()) => item,
                    Err(problem) => ChangeItem::Refused(problem),
                }
            })
            .collect();
        Box::pin(stream::iter(asked).buffered(AT_ONCE).collect()).await
    }

    /// A publish that the caller may make.
    pub(super) fn allowed(&self, caller: &Caller, each: Each<Draft>) -> Each<Draft> {
        let (channel, draft) = each?;
        let end: End = draft.end;
        self.access.may_publish(caller, &channel, end).map_err(auth::told)?;
        Ok((channel, draft))
    }
}

/// How an item of a batch stood.
enum Form {
    One,
    Several(usize),
    Refused(Problem),
}

fn names<'a>(channels: impl IntoIterator<Item = &'a ChannelName>) -> Vec<&'a str> {
    channels.into_iter().map(ChannelName::as_str).collect()
}

/// What a backend calls the transport of a request.
fn transport_of(route: &Route) -> &'static str {
    match route {
        Route::Read(reading) => match reading.transport {
            Transport::WebSocket(_) => "websocket",
            Transport::Sse => "sse",
            Transport::Ndjson => "ndjson",
            Transport::Text => "raw",
            Transport::Poll { .. } => "poll",
        },
        _ => "http",
    }
}
