// Hocuspocus 4 with its Redis extension, and documents stored in Redis as its guide shows.
// Settings: quiet, no compression; changes are merged each turn of the loop, as is its default.
//   node hocuspocus.mjs PORT REDIS_URL
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const load = createRequire(process.env.PEERS_MODULES + "/package.json");
const bring = (name) => import(pathToFileURL(load.resolve(name)).href);
const { Server } = await bring("@hocuspocus/server");
const { Redis } = await bring("@hocuspocus/extension-redis");
const { Database } = await bring("@hocuspocus/extension-database");
const { default: IORedis } = await bring("ioredis");

const [port, url] = process.argv.slice(2);
const { hostname, port: redisPort } = new URL(url);
const store = new IORedis(Number(redisPort), hostname);
const server = new Server({
  port: Number(port),
  address: "127.0.0.1",
  quiet: true,
  stopOnSignals: false,
  extensions: [
    new Redis({ host: hostname, port: Number(redisPort) }),
    new Database({
      fetch: ({ documentName }) => store.getBuffer(`hocuspocus-document:${documentName}`),
      store: ({ documentName, state }) => store.set(`hocuspocus-document:${documentName}`, state),
    }),
  ],
});
process.on("SIGTERM", () => server.destroy().then(() => process.exit(0)));
await server.listen();
