//! Effects: what the core wants done, in the order in which it wants it.

use fanfare_core::name::ChannelName;
use fanfare_core::presence::News;
use fanfare_core::shard::{Answer, ConnectionId, Disconnect, Effect, Input, Origin};
use fanfare_protocol::native::presence::encode_news;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::publish;
use fanfare_protocol::native::response::{
    BodyLength, Media, Persistence, ResponseHead, append_head, append_problem,
};

use super::connection::State;
use super::event_loop::EventLoop;
use super::http::Exchange;
use super::step::Step;
use super::websocket::Reply;
use crate::hooks::events::Parting;
use crate::node::Letter;
use crate::pipe::PipeItem;

impl EventLoop {
    /// Carries one effect out.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Forward { to, message } => {
                if let Some(mailbox) = self.node.mailboxes().get(usize::from(to)) {
                    mailbox.put(Letter::Core(message));
                }
            }
            Effect::Engine(command) => {
                if let Some(completion) = self.engine.submit(command) {
                    self.input(Input::Completion(completion));
                }
            }
            Effect::Answer { origin, channel, answer } => match origin {
                Origin::Edge(number) => self.node.answer(number, answer),
                Origin::Batch { batch, place } => self.batches.answer(batch, place, answer),
                Origin::Connection { connection, request, .. } => {
                    self.answer(connection, request, &channel, &answer);
                }
            },
            Effect::Opened { connection, channels, cursor, max_rate } => {
                self.opened(connection, channels, cursor, max_rate);
            }
            Effect::Subscribed { connection, request, opened } => {
                // Whether it may read the channel was asked before, maybe by the rules before.
                self.look_at_newcomer(connection);
                self.reply(connection, request, &Reply::Subscribed(&opened));
            }
            Effect::Unsubscribed { connection, request, channel } => {
                self.reply(connection, request, &Reply::Unsubscribed(&channel));
            }
            Effect::Refused { connection, request: Some(request), code } => {
                self.sockets.figures.refusals.count(code);
                self.reply(connection, request, &Reply::Refused(code));
            }
            Effect::Refused { connection, request: None, code } => self.refused(connection, code),
            Effect::Happened(happening) => {
                if let Some(teller) = &self.judge.teller {
                    teller.happened(happening);
                }
            }
            told => self.tell(told),
        }
    }

    /// Carries out what has to be said within a stream.
    fn tell(&mut self, effect: Effect) {
        match effect {
            Effect::Gap { connection, gap, cursor } => {
                let step = self.converse(connection, |place, out| {
                    match &mut place.state {
                        State::Stream(stream) => stream.tell_gap(&gap, &cursor, out),
                        State::Socket(session) => session.tell_gap(&gap, out),
                        _ => {}
                    }
                    Step::Wait
                });
                self.take(connection, step);
                self.push(connection, PipeItem::Gap { gap, cursor });
            }
            Effect::Presence { connection, news } => self.tell_news(connection, &news),
            Effect::End { connection, channel, entry, cursor } => {
                let step = self.converse(connection, |place, out| {
                    match &mut place.state {
                        State::Stream(stream) => stream.tell_end(&channel, &cursor, out),
                        State::Socket(session) => session.tell_end(&channel, entry, out),
                        _ => {}
                    }
                    Step::Wait
                });
                self.take(connection, step);
                let end = PipeItem::End { channel, entry, cursor };
                self.push(connection, end);
            }
            Effect::Finished(connection) => self.finished(connection),
            Effect::Disconnect { connection, why } => self.disconnect(connection, &why),
            // The others are carried out above.
            _ => {}
        }
    }

    /// Tells a reader of its own how many members there are.
    fn tell_news(&mut self, connection: ConnectionId, news: &News) {
        let step = self.converse(connection, |place, out| {
            match &mut place.state {
                State::Stream(stream) => stream.tell(&encode_news(news, stream.format).body(), out),
                State::Socket(session) => {
                    out.extend_from_slice(encode_news(news, session.format()).bytes());
                }
                _ => {}
            }
            Step::Wait
        });
        self.take(connection, step);
        let place = self.sockets.slab.find(connection);
        if let Some(State::Pipe(piped)) = place.map(|place| &place.state) {
            let words = encode_news(news, piped.format).body();
            self.push(connection, PipeItem::Notice(words));
        }
    }

    /// Gives a connection the answer that it waits for.
    pub(super) fn answer(
        &mut self,
        id: ConnectionId,
        request: u64,
        channel: &ChannelName,
        answer: &Answer,
    ) {
        if let Answer::Refused(refusal) = answer {
            self.sockets.figures.refusals.count(refusal.code);
        }
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        let draining = connection.marks.draining;
        let State::Http(http) = &mut connection.state else {
            return self.reply(id, request, &Reply::Answer(channel, answer));
        };
        let Some(mut exchange) = http.finish_exchange(request) else {
            return;
        };
        if draining {
            exchange.persistence = Persistence::Close;
        }
        self.sockets.figures.publishes += 1;
        let step = self.converse(id, |_, out| {
            write_answer(&exchange, channel, answer, out);
            match exchange.persistence {
                Persistence::KeepAlive => Step::Wait,
                Persistence::Close => Step::Finish,
            }
        });
        if matches!(step, Step::Wait) {
            self.go_on(id);
        } else {
            self.take(id, step);
        }
    }

    pub(super) fn reply(&mut self, id: ConnectionId, request: u64, reply: &Reply<'_>) {
        if self.changes.contains_key(&id) {
            return self.changed(id, request, reply);
        }
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Socket(session) => session.reply(request, reply, out),
            _ => Step::Wait,
        });
        // What came behind the command is still there to be decoded.
        self.go_on(id);
        self.take(id, step);
    }

    fn finished(&mut self, id: ConnectionId) {
        self.part(id, Parting::Ended);
        self.push(id, PipeItem::Finished);
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Stream(stream) => {
                stream.finish(out);
                Step::Finish
            }
            State::Socket(session) => session.finish(out),
            _ => Step::Gone,
        });
        self.take(id, step);
    }

    fn disconnect(&mut self, id: ConnectionId, why: &Disconnect) {
        self.part(id, Parting::Slow);
        self.push(id, PipeItem::Disconnect(why.clone()));
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Socket(session) => session.disconnect(why, out),
            _ => Step::Gone,
        });
        if matches!(step, Step::Gone) {
            self.abort(id);
        } else {
            self.take(id, step);
        }
    }
}

fn write_answer(exchange: &Exchange, channel: &ChannelName, answer: &Answer, out: &mut Vec<u8>) {
    match publish::answer(channel, answer) {
        Ok(body) => {
            let head = ResponseHead::new(200, Media::Json, &exchange.origin);
            let length = BodyLength::Known(body.len());
            append_head(out, &head, length, exchange.persistence);
            out.extend_from_slice(&body);
        }
        Err(problem) => {
            let problem: &Problem = &problem;
            append_problem(out, problem, &exchange.origin, exchange.persistence);
        }
    }
}
