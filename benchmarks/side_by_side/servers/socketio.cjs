// Socket.IO 4 with an adapter over Redis. Settings: WebSocket only, no compression (both save
// work), ws with its native add-on, the first request of a connection not kept (memory).
//   node socketio.cjs PORT REDIS_URL streams|pubsub [recover]
// `recover`: connection state recovery, which sends what a client missed; it costs an offset in
// each packet, so it is used for deploys only.
const http = require("http");
const { createRequire } = require("module");

const load = createRequire(process.env.PEERS_MODULES + "/package.json");
const { Server } = load("socket.io");
const { createClient } = load("redis");

async function makeAdapter(url, kind) {
  const redis = createClient({ url });
  redis.on("error", () => {});
  await redis.connect();
  if (kind === "streams") {
    return load("@socket.io/redis-streams-adapter").createAdapter(redis);
  }
  const subscriber = redis.duplicate();
  subscriber.on("error", () => {});
  await subscriber.connect();
  return load("@socket.io/redis-adapter").createAdapter(redis, subscriber);
}

async function main([port, url, kind, recover]) {
  const server = http.createServer((request, response) => response.end("ok"));
  const io = new Server(server, {
    adapter: await makeAdapter(url, kind),
    transports: ["websocket"],
    serveClient: false,
    ...(recover ? { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } } : {}),
  });
  io.engine.on("connection", (connection) => {
    connection.request = null;
  });
  io.on("connection", (socket) => {
    let room = [...socket.rooms].find((name) => name !== socket.id);
    socket.on("join", (name) => {
      room = name;
      socket.join(name);
      socket.emit("joined");
    });
    socket.on("chat", (text, acknowledge) => {
      io.to(room).emit("chat", text);
      if (acknowledge) acknowledge();
    });
  });
  process.on("SIGTERM", () => io.close(() => process.exit(0)));
  server.listen(Number(port), "127.0.0.1");
}

main(process.argv.slice(2));
