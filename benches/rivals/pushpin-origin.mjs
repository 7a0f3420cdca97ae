// What stands behind Pushpin: it lets everyone read the channel that is the path.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const channel = request.url.slice(1);
  if (request.headers["content-type"] !== "application/websocket-events") {
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Grip-Hold": "stream",
      "Grip-Channel": channel,
      "Grip-Keep-Alive": ": hb\\n\\n; format=cstring; timeout=15",
    });
    response.end(": open\n\n");
    return;
  }
  const event = (type, text) =>
    `${type} ${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
  const subscribe = JSON.stringify({ type: "subscribe", channel });
  response.writeHead(200, {
    "Content-Type": "application/websocket-events",
    "Sec-WebSocket-Extensions": "grip; message-prefix=\"\"",
  });
  response.end(`OPEN\r\n${event("TEXT", `c:${subscribe}`)}${event("TEXT", "open")}`);
});
// A connection that ends while a request is on its way to it would be a 502 of Pushpin's.
server.keepAliveTimeout = 3_600_000;
server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
