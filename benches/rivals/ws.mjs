// A broadcast server as people write it with `ws`: post to /pub/{channel}, listen at /sub/{channel}.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const channels = new Map();

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const [, verb, channel] = request.url.split("/");
    if (request.method !== "POST" || verb !== "pub") {
      response.writeHead(404).end();
      return;
    }
    const text = Buffer.concat(parts).toString();
    response.writeHead(202, { "Content-Length": 0 }).end();
    for (const socket of channels.get(channel) ?? []) socket.send(text);
  });
});
server.keepAliveTimeout = 3_600_000;
server.maxRequestsPerSocket = 0;

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const channel = request.url.split("/")[2];
  if (!channels.has(channel)) channels.set(channel, new Set());
  const sockets = channels.get(channel);
  sockets.add(socket);
  const leave = () => {
    sockets.delete(socket);
    if (sockets.size === 0) channels.delete(channel);
  };
  socket.on("close", leave).on("error", leave);
});

server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
