import { afterEach, beforeEach, expect, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient, type ClientOptions, type SessionStore } from '../src/index.js';
import { QUICKLY, StubServer } from './stub-server.js';

export interface StubSession {
  /** Create a client of the session; it is closed after the test. */
  create: (store: SessionStore, options?: ClientOptions) => IsshoniClient;
  /** Texts in the log, in order. */
  logged: () => string[];
}

/** Start a server before each test of a file, and stop it and the clients after it. */
export function useStubSession(started: (server: StubServer) => void): StubSession {
  let server: StubServer;
  const clients: IsshoniClient[] = [];

  beforeEach(async () => {
    server = await new StubServer().start();
    started(server);
  });

  afterEach(async () => {
    clients.splice(0).forEach((client) => client.close());
    await server.stop();
  });

  const create = (store: SessionStore, options: ClientOptions = {}): IsshoniClient => {
    const client = new IsshoniClient(server.url, 'team', {
      WebSocket: NodeWebSocket as unknown as typeof WebSocket,
      backoff: QUICKLY,
      store,
      ...options,
    });
    clients.push(client);
    return client;
  };
  return { create, logged: () => server.state.log.map((message) => message.text) };
}

export const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 8000, interval: 5 });

/** Wait until a client is restored. */
export const restored = (client: IsshoniClient): Promise<void> =>
  until(() => expect(client.status).toBe('restored'));

/** Wait until the log has all messages of a client. */
export const saved = (client: IsshoniClient): Promise<void> =>
  until(() => expect(client.unsaved.messages).toBe(0));
