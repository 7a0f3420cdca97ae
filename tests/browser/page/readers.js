// What a developer writes to listen to several channels without an SDK: one small reader for each way in, each with
// the few lines it takes to come back by itself. Runs unchanged in a page and, for npm `eventsource`, in Node.

/**
 * Starts a reader.
 *
 * @param {"event-source"|"fetch-event-source"|"websocket"|"raw-websocket"|"by-turns"} kind
 * @param {object} options
 * @param {string} options.host `127.0.0.1:port` of the server or of the proxy before it
 * @param {string[]} options.channels
 * @param {string} [options.comeBackBy] the query parameter an EventSource opened anew gives its last cursor in
 * @returns {{report: Report, stop: () => void}} the report changes as things happen
 *
 * @typedef {object} Report
 * @property {Record<string, number[]>} received the numbers of the publications that arrived, for each channel
 * @property {object[]} gaps what `fanfare.gap` said
 * @property {number} attached how many connections stand now, each at a position it knows
 * @property {number} opened how often a connection stood and, where the protocol says so, told its position
 * @property {number} reopened how often this code, and not the browser, opened anew
 * @property {string[]} [turns] what each connection that stood was carried by, where that changes
 */
export function start(kind, options) {
  const report = { received: {}, gaps: [], attached: 0, opened: 0, reopened: 0 };
  for (const channel of options.channels) report.received[channel] = [];
  return { report, stop: READERS[kind](options, report) };
}

const READERS = {
  "event-source": readEventSource,
  "fetch-event-source": readFetchEventSource,
  websocket: readWebSocket,
  "raw-websocket": readRawWebSockets,
  "by-turns": readByTurns,
};

/** The browser comes back by itself; only silence needs help, which heartbeats reveal. */
function readEventSource({ host, channels, EventSource, comeBackBy = "since" }, report) {
  let source;
  let cursor = null;
  const url = `http://${host}/c/${channels.join(",")}?heartbeat=event:5s`;
  const silence = watch(SILENT_STREAM_MS, () => {
    if (source.readyState === source.CONNECTING) return silence.heard();
    source.close();
    report.attached = 0;
    report.reopened += 1;
    open();
  });
  const hear = (event) => {
    silence.heard();
    if (event.lastEventId) cursor = event.lastEventId;
  };

  function open() {
    source = new EventSource(cursor === null ? url : `${url}&${comeBackBy}=${cursor}`);
    source.onmessage = (event) => {
      hear(event);
      take(report, event.data);
    };
    source.onerror = () => (report.attached = 0);
    source.addEventListener("fanfare.open", (event) => {
      hear(event);
      report.attached = 1;
      report.opened += 1;
    });
    source.addEventListener("fanfare.gap", (event) => {
      hear(event);
      report.gaps.push(JSON.parse(event.data));
    });
    source.addEventListener("fanfare.heartbeat", hear);
    silence.heard();
  }
  open();
  return () => {
    silence.stop();
    source.close();
  };
}

/** Comes back by itself as well; it has no `close()`, so silence ends it by its signal. */
function readFetchEventSource({ host, channels, fetchEventSource }, report) {
  let attempt;
  let cursor = null;
  const silence = watch(SILENT_STREAM_MS, () => {
    attempt.abort();
    report.attached = 0;
    report.reopened += 1;
    open();
  });

  function open() {
    attempt = new AbortController();
    fetchEventSource(`http://${host}/c/${channels.join(",")}?heartbeat=event:5s`, {
      headers: cursor === null ? {} : { "last-event-id": cursor },
      signal: attempt.signal,
      onmessage({ id, event, data }) {
        silence.heard();
        if (id) cursor = id;
        if (event === "fanfare.open") {
          report.attached = 1;
          report.opened += 1;
        } else if (event === "fanfare.gap") report.gaps.push(JSON.parse(data));
        else if (event === "") take(report, data);
      },
      onerror() {
        report.attached = 0;
      },
    });
    silence.heard();
  }
  open();
  return () => {
    silence.stop();
    attempt.abort();
  };
}

/** `fanfare.v1`: one connection, a cursor for each channel, joined by concatenation to come back. */
function readWebSocket({ host, channels, WebSocket }, report) {
  const cursors = new Map();
  return keepOpen(report, WebSocket, {
    url: () => `ws://${host}/c/${channels.join(",")}${query([...cursors.values()].join(""))}`,
    subprotocols: ["fanfare.v1"],
    ping: (count) => JSON.stringify({ id: count, type: "ping" }),
    message(text, attached) {
      const message = JSON.parse(text);
      if (message.type === "open") {
        for (const { channel, cursor } of message.channels) cursors.set(channel, cursor);
        attached();
      } else if (message.type === "message") {
        cursors.set(message.channel, message.cursor);
        take(report, message.data);
      } else if (message.type === "gap") {
        cursors.set(message.channel, message.cursor);
        report.gaps.push(message);
      }
    },
  });
}

/** Raw: a connection for each channel, payloads only, so it comes back by time. */
function readRawWebSockets({ host, channels, WebSocket }, report) {
  const stops = channels.map((channel) => {
    let since = "";
    return keepOpen(report, WebSocket, {
      url: () => `ws://${host}/c/${channel}${since}`,
      subprotocols: [],
      ping: () => "ping",
      opened(attached) {
        since = "?since=30s";
        attached();
      },
      message(text) {
        if (text !== "pong") take(report, text);
      },
    });
  });
  return () => stops.forEach((stop) => stop());
}

/** Comes back over the other transport each time, from the same cursor: a WebSocket, then an EventSource, then again. */
function readByTurns({ host, channels }, report) {
  report.turns = [];
  // The cursor of the opening, and what followed it in each channel: of two entries for one channel the last counts.
  let whole = "";
  const entries = new Map();
  let close;
  let again;
  const rest = () => `${host}/c/${channels.join(",")}${query(whole + [...entries.values()].join(""))}`;

  function attached(carrier, cursor) {
    whole = cursor;
    entries.clear();
    report.turns.push(carrier);
    report.attached = 1;
    report.opened += 1;
  }

  function lost() {
    close();
    report.attached = 0;
    report.reopened += 1;
    again = setTimeout(open, COME_BACK_AFTER_MS);
  }

  function overSocket() {
    const socket = new WebSocket(`ws://${rest()}`, ["fanfare.v1"]);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "open") return attached("websocket", message.channels.map(({ cursor }) => cursor).join(""));
      if (message.cursor) entries.set(message.channel, message.cursor);
      if (message.type === "message") take(report, message.data);
      else if (message.type === "gap") report.gaps.push(message);
    };
    socket.onclose = lost;
    close = () => {
      socket.onclose = null;
      socket.close();
    };
  }

  function overEvents() {
    const source = new EventSource(`http://${rest()}`);
    source.addEventListener("fanfare.open", ({ lastEventId }) => attached("event-source", lastEventId));
    source.addEventListener("fanfare.gap", ({ lastEventId, data }) => {
      whole = lastEventId;
      report.gaps.push(JSON.parse(data));
    });
    source.onmessage = ({ lastEventId, data }) => {
      whole = lastEventId;
      take(report, data);
    };
    source.onerror = lost;
    close = () => source.close();
  }

  function open() {
    if (report.turns.at(-1) === "websocket") overEvents();
    else overSocket();
  }
  open();
  return () => {
    clearTimeout(again);
    close();
  };
}

/** Opens a WebSocket and opens it anew whenever it has closed or no longer answers. */
function keepOpen(report, WebSocket, { url, subprotocols, ping, opened, message }) {
  let socket;
  let again;
  let pings = 0;
  let attachments = 0;
  const silence = watch(SILENT_SOCKET_MS, reopen);
  const pinging = setInterval(() => {
    pings += 1;
    if (socket.readyState === WebSocket.OPEN) socket.send(ping(pings));
  }, PING_EVERY_MS);
  const attached = () => {
    attachments = 1;
    report.attached += 1;
    report.opened += 1;
  };
  const detached = () => {
    report.attached -= attachments;
    attachments = 0;
  };

  function open() {
    const mine = new WebSocket(url(), subprotocols);
    socket = mine;
    // Chromium itself delays handshakes after others have failed, by up to five seconds.
    silence.heard(CONNECT_WITHIN_MS);
    mine.onopen = () => {
      if (socket !== mine) return;
      silence.heard();
      opened?.(attached);
    };
    mine.onmessage = ({ data }) => {
      if (socket !== mine) return;
      silence.heard();
      message(data, attached);
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      detached();
      silence.stop();
      again = setTimeout(reopen, COME_BACK_AFTER_MS);
    };
  }

  // A silent socket reports `onclose` only a minute after `close()`, so nothing here waits for it.
  function reopen() {
    clearTimeout(again);
    detached();
    const old = socket;
    report.reopened += 1;
    open();
    old.close();
  }

  open();
  return () => {
    clearInterval(pinging);
    clearTimeout(again);
    silence.stop();
    const last = socket;
    socket = null;
    last.close();
  };
}

/** Calls `silent` when nothing more was heard for so long. */
function watch(usual, silent) {
  let timer;
  return {
    heard(milliseconds = usual) {
      clearTimeout(timer);
      timer = setTimeout(silent, milliseconds);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}

function query(cursor) {
  return cursor === "" ? "" : `?since=${cursor}`;
}

/** A payload of these tests begins with its channel and its number. */
function take(report, payload) {
  const [channel, number] = payload.split(" ");
  (report.received[channel] ??= []).push(Number(number));
}

const SILENT_STREAM_MS = 7_000;
const SILENT_SOCKET_MS = 3_000;
const CONNECT_WITHIN_MS = 10_000;
const PING_EVERY_MS = 1_000;
const COME_BACK_AFTER_MS = 200;
